/* loadgen.c -- the load generator: publishers and subscribers by the thousand.
 *
 *     loadgen run --port 8080 --nats 4222 --subscribers 10000 --window 2000
 *
 * It speaks to Tidings and to Nchan with the same code, so that a comparison
 * compares servers. It runs on the server's own cores, so all of it is written
 * to be cheap: events are found by a mark instead of being parsed
 * (bench_event.c), sockets are read in large pieces by few threads
 * (bench_readers.c), and the publisher writes many events at once
 * (bench_publisher.c). Yet nothing is taken on trust: every event carries a
 * number, and one that is missing, repeated or out of order is counted and
 * fails the run.
 *
 * Linux only: a tool of the developers, not a part of the server.
 */
#include "bench_base.h"
#include "bench_commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(const struct options *options);
    const char *help;
} commands[] = {
#define COMMAND(name, help) {#name, command_##name, help},
    COMMANDS(COMMAND)
#undef COMMAND
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int help(void)
{
    puts("loadgen COMMAND [--option value]...\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        printf("  %-16s %s\n", commands[i].name, commands[i].help);
    puts("");
    options_help();
    return 0;
}

int main(int argc, char **argv)
{
    struct options options;

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || strcmp(argv[1], "--help") == 0)
        return help();
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            options_read(&options, argc - 2, argv + 2);
            return commands[i].run(&options);
        }
    }
    bench_die("no command \"%s\"", argv[1]);
}
