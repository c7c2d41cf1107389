/* http.h -- the server's outer side: listeners, crews and routes together.
 *
 * Threads   All calls: main. Order: create, start, drain, stop, destroy; the
 *           journal starts between create and start, and stops between drain
 *           and stop, so that nothing accepted goes unanswered.
 * Memory    struct server owns the crews and the listeners.
 * Units     Milliseconds.
 * Errors    ST_IO a listener or thread could not be made; ST_TIMEOUT the
 *           start-up self-test failed; a sentence in `why`.
 */
#ifndef TIDINGS_HTTP_H
#define TIDINGS_HTTP_H

#include <tidings/config.h>
#include <tidings/journal.h>
#include <tidings/status.h>

struct server;

/* `presence`: where subscribers are counted by channel, or NULL; lent.
 * ST_BAD_INPUT: the certificate or its key cannot be used. */
struct presence;
enum status server_create(const struct config *config, struct journal *journal,
                          struct presence *presence, struct server **server_out,
                          char *why, size_t why_bytes) MUST_USE;

/* Is what brings messages in (NATS) connected now? Any thread. */
struct intake_check {
    bool (*is_ready)(const void *arg); /* NULL: not configured */
    /* How the followed stream is; NULL: none is followed. */
    const char *(*stream_state)(const void *arg);
    const char *(*stream_alarm)(const void *arg); /* gives NULL: none */
    const void *arg;
    /* Where HTTP publishes go; as journal_post. NULL: to the journal. */
    enum status (*publish)(void *arg, struct publish **publish);
    void *publish_arg;
};

/* Listens, starts the crews and checks that a request comes through. */
enum status server_start(struct server *server, struct intake_check intake,
                         char *why, size_t why_bytes) MUST_USE;

struct shutdown;

/* Before server_start: whom /admin/shutdown asks. */
void server_set_shutdown(struct server *server, struct shutdown *shutdown);

/* Who asks is checked with these keys from now on. Before server_start, and when
 * others hold; a reference is taken. */
struct keyring;
void server_set_keys(struct server *server, struct keyring *keyring);

/* Until that wall time browsers stay away; 0: that is over. */
void server_announce(struct server *server, int64_t until_wall_ms);

/* Of the first listener without TLS, or with; 0: there is none. */
uint16_t server_port(const struct server *server);
uint16_t server_tls_port(const struct server *server);

/* Reads the certificate and its key again. What cannot be used is told in the
 * log, and the old pair stays. */
void server_reload_tls(struct server *server);

/* Requests get 503, streams and waits end one by one over config->drain_ms. */
void server_drain(struct server *server);
bool server_is_drained(const struct server *server);

void server_stop(struct server *server);
void server_destroy(struct server **server);

#endif
