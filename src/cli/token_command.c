/* token_command.c -- `tidings token`: which verb is meant.
 *
 * The verb stands first, since `check` has the settings for flags and the other
 * two have their own.
 */
#include "token_command.h"

#include <stdio.h>
#include <string.h>

#include "command.h"

#define HELP                                                                   \
    "tidings token key ALG FILE        makes a key\n"                          \
    "tidings token new --key FILE ...  makes a token with it\n"                \
    "tidings token check [TOKEN]       says what a token allows, or why it "   \
    "is refused\n\n"                                                           \
    "Each says more with --help.\n"

/* clang-format off */
static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"key",   cli_token_key},
    {"new",   cli_token_new},
    {"check", cli_token_check},
};
/* clang-format on */

int cli_token(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        fputs(HELP, stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; argc > 0 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[0], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return cli_fail(EXIT_USAGE, "usage: tidings token key|new|check");
}
