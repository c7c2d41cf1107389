/* token_command.h -- the three verbs of `tidings token`.
 *
 * Threads   main.
 * Memory    None kept.
 * Units     Exit codes of command.h.
 * Errors    Said on standard error.
 */
#ifndef CLI_TOKEN_COMMAND_H
#define CLI_TOKEN_COMMAND_H

/* The words behind the verb. */
int cli_token_key(int argc, char **argv);
int cli_token_new(int argc, char **argv);
int cli_token_check(int argc, char **argv);

#endif
