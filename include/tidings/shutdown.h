/* shutdown.h -- when browsers stay away: who decides it, and how it is asked.
 *
 * One object, owned by main and run by main's loop. It knows the schedule of
 * the settings and the file shutdown.txt in the data directory, looks at file
 * and clock at least every second, and tells the crews when a shutdown begins,
 * changes or is over. The file is the one durable truth: what is asked for by
 * HTTP is written there before it is answered or told.
 *
 * Full      Questions are bounded; beyond that they are refused ("busy").
 *
 * Threads   start, stop, destroy: main. ask: any, before stop or after it.
 * Memory    A question is the asker's; between ask and answer it is main's.
 * Units     Wall milliseconds; 0: none.
 * Errors    ST_BAD_INPUT a setting or the file of dates is wrong; ST_IO a file
 *           could not be read or written; a sentence in `why`.
 */
#ifndef TIDINGS_SHUTDOWN_H
#define TIDINGS_SHUTDOWN_H

#include <tidings/config.h>
#include <tidings/mailbox.h>
#include <tidings/schedule.h>

#include <uv.h>

struct connection;
struct server;
struct shutdown;

#define SHUTDOWN_FILE "shutdown.txt"

enum shutdown_wish { SHUTDOWN_TELL, SHUTDOWN_BEGIN, SHUTDOWN_CANCEL };

struct shutdown_question {
    struct msg link;               /* first */
    struct connection *connection; /* connection_end_await when answered */
    enum shutdown_wish wish;
    int64_t until_ms; /* SHUTDOWN_BEGIN */

    /* The answer: what holds now, and what comes after that. */
    enum status st; /* else the file could not be written: nothing changed */
    int64_t shut_until_ms;
    struct window next; /* of the schedule; both 0: none */
};

/* Reads `shutdown` and `shutdown_dates`. The schedule need not be initialised
 * before; on failure it is empty. */
enum status shutdown_read_schedule(const struct config *config,
                                   struct schedule *schedule, char *why,
                                   size_t why_bytes) MUST_USE;

/* Between server_create and server_start: the first request finds it. */
enum status shutdown_start(const struct config *config, uv_loop_t *loop,
                           struct server *server,
                           struct shutdown **shutdown_out, char *why,
                           size_t why_bytes) MUST_USE;

/* ST_CLOSED: the server is stopping; ST_FULL: too many ask. */
enum status shutdown_ask(struct shutdown *shutdown,
                         struct shutdown_question *question) MUST_USE;

/* Answers what was asked, and lets go of the loop; before server_stop. */
void shutdown_stop(struct shutdown *shutdown);

/* After the loop has run once more; accepts NULL. */
void shutdown_destroy(struct shutdown **shutdown);

#endif
