/* command.h -- the commands, and what they have in common.
 *
 * `argv` holds the words behind the command's name: for `tidings log stat` it
 * is
 * {"stat"}. What a command returns is the exit code of the program.
 *
 * Every command answers `--help` by itself, on standard output, with EXIT_DONE;
 * `tidings help COMMAND` calls it that way.
 *
 * Threads   main.
 * Memory    None kept.
 * Units     Exit codes below.
 * Errors    Said on standard error as "tidings: sentence".
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <tidings/buffer.h>
#include <tidings/status.h>
#include <tidings/text.h>

struct http_call;
struct http_client;

#define EXIT_DONE   0
#define EXIT_FAILED 1 /* it was tried: refused, unreachable, broken */
#define EXIT_USAGE  2 /* the words make no sense; nothing was tried */

#define DEFAULT_URL "http://127.0.0.1:8080"
#define URL_HELP                                                               \
    "the server; default " DEFAULT_URL                                         \
    "; the token for it is that of TIDINGS_TOKEN, for https:// TIDINGS_CA "    \
    "names a file with whom to trust, else the system says"

int cli_serve(int argc, char **argv);
int cli_publish(int argc, char **argv);
int cli_tail(int argc, char **argv);
int cli_channels(int argc, char **argv);
int cli_shutdown(int argc, char **argv);
int cli_log(int argc, char **argv);
int cli_token(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_version(int argc, char **argv);

/* Would these settings and keys serve? ST_BAD_INPUT, with a sentence, when the
 * world could come in, or nobody could do what is asked of tokens. */
struct config;
struct keyring;
enum status cli_check_access(const struct config *config,
                             const struct keyring *keyring, char *why,
                             size_t why_bytes) MUST_USE;

/* Prints "tidings: " and the sentence on standard error; returns `exit_code`.
 */
int cli_fail(int exit_code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says what the server said: the sentence of its JSON error if it is one. */
int cli_refused(unsigned http_status, struct text answer);

/* Asks and reads the whole answer; says so when it is not 200. */
int cli_ask(struct http_client *client, const struct http_call *call,
            struct buffer *answer);

#endif
