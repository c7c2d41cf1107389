/* publish_command.h -- what `tidings publish` hands to its two ways out.
 *
 * A way takes a group of events for one channel, sends them, waits for the
 * answers and prints an id for each on standard output. What goes wrong it says
 * itself, on standard error.
 *
 * Threads   main.
 * Memory    open makes, close frees; the events are lent during the call.
 * Units     None.
 * Errors    Exit codes of command.h; a way is NULL when open failed.
 */
#ifndef CLI_PUBLISH_COMMAND_H
#define CLI_PUBLISH_COMMAND_H

#include <tidings/text.h>

struct http_way;
struct nats_way;

/* Checked by the caller: valid channel, types, keys and time; data is UTF-8. */
struct outgoing {
    struct text type, data, key;
    struct text time; /* unix ms as digits; empty: when the server takes it */
    struct text corrects,
        withdraws; /* an id as digits, or empty; not in groups */
};

/* ---- publish_http.c ------------------------------------------------------ */

struct http_way *http_way_open(const char *url, const char *channel);
void http_way_close(struct http_way **way);

/* One event as a request of its own, several as one batch: all or nothing. */
int http_way_send(struct http_way *way, const struct outgoing *events,
                  unsigned count);

/* ---- publish_nats.c ------------------------------------------------------ */

/* `config_file` has the settings nats_*; "": tidings.conf here if there is one.
 * Without `wants_reply` nothing is printed and nobody knows whether Tidings got
 * it, only that the NATS server did, once finish says so. */
struct nats_way *nats_way_open(const char *url, const char *config_file,
                               const char *prefix, const char *channel,
                               bool wants_reply);
void nats_way_close(struct nats_way **way);
int nats_way_send(struct nats_way *way, const struct outgoing *events,
                  unsigned count);
int nats_way_finish(struct nats_way *way);

#endif
