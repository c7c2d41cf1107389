/* options.c -- reads the words behind a command by its table of flags.
 *
 * Words move to the front of argv as they are found, so the caller gets an
 * ordinary list of them and nothing is allocated.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "command.h"

/* Bytes of the name if `word` is this option's flag, else 0. */
static size_t matches(const struct option *option, const char *word)
{
    size_t i = 0;

    if (strncmp(word, "--", 2) != 0)
        return 0;
    word += 2;
    for (; option->name[i] != '\0'; i++) {
        const char c = word[i] == '_' ? '-' : word[i];

        if (c != option->name[i])
            return 0;
    }
    return word[i] == '\0' || word[i] == '=' ? i : 0;
}

static const struct option *find(const struct options *options,
                                 const char *word)
{
    for (unsigned i = 0; i < options->count; i++)
        if (matches(&options->rows[i], word) > 0)
            return &options->rows[i];
    return NULL;
}

static void print_help(const struct options *options)
{
    printf("%s\n\n%s\n", options->usage, options->about);
    for (unsigned i = 0; i < options->count; i++) {
        const struct option *option = &options->rows[i];
        const char *value_name =
            option->value_name != NULL ? option->value_name : "";

        printf("  --%s %-*s %s\n", option->name,
               (int)(19 - strlen(option->name)), value_name, option->help);
    }
}

static int misuse(const struct options *options, const char *word,
                  const char *what)
{
    return cli_fail(EXIT_USAGE, "%.60s: %s\nusage: %s", word, what,
                    options->usage);
}

/* The flag in argv[*at]; `*at` moves over its value. False: misuse. */
static bool take_flag(const struct options *options, int argc, char **argv,
                      int *at, int *exit_code_out)
{
    const char *word = argv[*at];
    const struct option *option = find(options, word);
    const char *equals = strchr(word, '=');

    if (option == NULL) {
        *exit_code_out = misuse(options, word, "no such flag");
        return false;
    }
    if (option->value_name == NULL) {
        *option->flag = true;
        if (equals != NULL)
            *exit_code_out = misuse(options, word, "takes no value");
        return equals == NULL;
    }
    if (equals != NULL) {
        *option->value = equals + 1;
        return true;
    }
    if (*at + 1 == argc) {
        *exit_code_out = misuse(options, word, "needs a value");
        return false;
    }
    *at += 1;
    *option->value = argv[*at];
    return true;
}

bool options_read(const struct options *options, int *argc, char **argv,
                  int *exit_code_out)
{
    bool only_words = false;
    int words = 0;

    for (int i = 0; i < *argc; i++) {
        if (only_words || strncmp(argv[i], "-", 1) != 0 ||
            strcmp(argv[i], "-") == 0) {
            argv[words++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (strcmp(argv[i], "--help") == 0 ||
                   strcmp(argv[i], "-h") == 0) {
            print_help(options);
            *exit_code_out = EXIT_DONE;
            return false;
        } else if (!take_flag(options, *argc, argv, &i, exit_code_out)) {
            return false;
        }
    }
    *argc = words;
    return true;
}

bool option_number(const char *value, uint64_t least, uint64_t most,
                   uint64_t *number_out)
{
    uint64_t number = 0;

    for (const char *at = value; *at != '\0'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');

        if (*at < '0' || *at > '9' || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (value[0] == '\0' || number < least || number > most)
        return false;
    *number_out = number;
    return true;
}
