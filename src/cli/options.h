/* options.h -- the flags of one command, as a table.
 *
 * For the commands that talk to a server; `serve` and `check` have the
 * settings.
 * `--name value` and `--name=value`, `-` and `_` in names are the same, words
 * and flags in any order, `--` ends the flags.
 *
 * Threads   main.
 * Memory    Values point into argv.
 * Units     None.
 * Errors    Said on standard error; the caller ends with the exit code.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct option {
    const char *name;
    const char *value_name; /* "URL"; NULL: a flag without value */
    const char **value;     /* set when there is a value name */
    bool *flag;             /* set when there is none */
    const char *help;
};

struct options {
    const char *usage; /* "tidings tail CHANNEL..." */
    const char *about; /* paragraphs for --help */
    const struct option *rows;
    unsigned count;
};

/* Takes the flags out of argv; the words that are left move to its front and
 * `*argc` says how many. False: the command ends with `*exit_code_out`, for
 * --help was asked for or a flag is wrong. */
bool options_read(const struct options *options, int *argc, char **argv,
                  int *exit_code_out);

/* A whole number from `least` to `most`, or false. */
bool option_number(const char *value, uint64_t least, uint64_t most,
                   uint64_t *number_out);

#endif
