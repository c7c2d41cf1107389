/* main.c -- which command is meant.
 *
 * A table of commands; everything else is in the file of each, under cli/.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

/* clang-format off */
static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve",    cli_serve,    "take events in, keep them, push them to browsers"},
    {"publish",  cli_publish,  "send an event to a channel, by HTTP or NATS"},
    {"tail",     cli_tail,     "follow channels in the terminal"},
    {"channels", cli_channels, "list the channels of a server"},
    {"shutdown", cli_shutdown, "keep browsers away until a time, or let them come"},
    {"log",      cli_log,      "look into a journal: stat, dump, verify"},
    {"token",    cli_token,    "make keys and tokens, and say what a token allows"},
    {"check",    cli_check,    "read the settings and say what would be served"},
    {"version",  cli_version,  "print versions, the libraries' too"},
};
/* clang-format on */

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_commands(FILE *out)
{
    fprintf(out, "Tidings pushes events to browsers and never loses one.\n\n"
                 "  tidings COMMAND [WORDS and FLAGS]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out,
            "  %-10s %s\n\nA first minute:\n\n"
            "  tidings serve &\n"
            "  tidings tail news &\n"
            "  tidings publish news 'hello'\n",
            "help", "say more about a command: tidings help COMMAND");
}

static int unknown_command(const char *name)
{
    return cli_fail(EXIT_USAGE, "no command \"%.40s\"; tidings help lists them",
                    name);
}

static int help(int argc, char **argv)
{
    char flag[] = "--help";
    char *words[] = {flag, NULL};
    const struct command *command;

    if (argc == 0) {
        print_commands(stdout);
        return EXIT_DONE;
    }
    command = find(argv[0]);
    return command != NULL ? command->run(1, words) : unknown_command(argv[0]);
}

int main(int argc, char **argv)
{
    const struct command *command;

    /* It would tear itself down at exit, under the feet of the NATS library's
     * threads, and what that library gave back itself a second time. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(argv[1], "--version") == 0)
        return cli_version(0, NULL);
    command = find(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    return command->run(argc - 2, argv + 2);
}
