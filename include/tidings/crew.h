/* crew.h -- the threads that serve connections.
 *
 * Each crew thread runs one libuv loop and owns its connections, its channels
 * (the directory) and a reader of the journal. Others reach it through its
 * mailbox only: fresh sockets, connections that move here, committed batches,
 * answers of the journal.
 *
 * Full      The mailbox is bounded by the bytes of batches: a batch that finds
 * no room is left out, and the subscribers of this thread read it from the
 *           journal. A fresh socket that finds no room is closed. Connections
 *           that move and the journal's answers always have room.
 *
 * Threads   create, start, stop: main. The accessors: the crew's own thread,
 *           unless they say any.
 * Memory    One struct crew per thread, alive until crew_destroy.
 * Units     Milliseconds.
 * Errors    ST_IO a loop or reader could not be made.
 */
#ifndef TIDINGS_CREW_H
#define TIDINGS_CREW_H

#include <tidings/admission.h>
#include <tidings/config.h>
#include <tidings/connection.h>
#include <tidings/directory.h>
#include <tidings/journal.h>
#include <tidings/metrics.h>
#include <tidings/wire.h>

struct crew;
struct tls;
struct handoff;
struct presence;
struct replay_cache;
struct handoff_request;
struct handoff_socket;

/* Called on the crew's thread with a routed head: must decide (connection.h).
 */
typedef void crew_handler_fn(void *arg, struct connection *connection,
                             const struct handoff_request *request,
                             const struct http_head *head);

struct crew_options {
    const struct config *config;
    struct journal *journal;
    struct tls *tls; /* NULL: no listener speaks it */
    crew_handler_fn *handler;
    void *handler_arg;
    struct admissions *admissions;
    struct presence
        *presence;          /* NULL: subscribers are not counted by channel */
    unsigned number, count; /* which of how many */
};

enum status crew_create(const struct crew_options *options,
                        struct crew **crew_out) MUST_USE;

/* `peers`: all crews by number, alive until every one has stopped. */
void crew_start(struct crew *crew, struct crew **peers,
                struct handoff *handoff);

/* Any thread. Takes the socket over, or closes it, and what it holds. */
void crew_give_socket(struct crew *crew, const struct handoff_socket *fresh,
                      const struct admission *admission);

/* Any thread. Connections here now (approximate). */
unsigned crew_load(const struct crew *crew);

/* Main. Until that wall time browsers stay away: streams and waits are told and
 * ended, a bounded number per turn. 0: that is over. */
void crew_announce(struct crew *crew, int64_t until_wall_ms);

/* Main. Requests are checked with these keys from now on; what an older one let
 * in, and these do not hold, is ended, a bounded number per turn. The first time
 * is before crew_start. */
void crew_rekey(struct crew *crew, struct keyring *keyring);

/* Main. From now on requests are answered 503 and streams and waits are ended
 * one by one over config->drain_ms. */
void crew_drain(struct crew *crew);

/* Main. Streams and waits that are left: 0 when drained. */
unsigned crew_undrained(const struct crew *crew);

/* Main. Writes what is queued for at most a second, closes all, joins. */
void crew_stop(struct crew *crew);
void crew_destroy(struct crew **crew);

/* ---- for roles, on the crew's thread ----------------------------------------
 */

const struct config *crew_config(const struct crew *crew);
struct journal *crew_journal(const struct crew *crew);
struct journal_reader *crew_reader(const struct crew *crew);
struct accounts *crew_accounts(const struct crew *crew);
struct directory *crew_directory(const struct crew *crew);
struct metrics *crew_metrics(struct crew *crew);
struct replay_cache *crew_replay_cache(const struct crew *crew);
bool crew_is_draining(const struct crew *crew);

/* Are browsers to stay away now? And the wall time until which they were told
 * to; 0: not at all, but it may also have passed a moment ago. */
bool crew_is_shut(const struct crew *crew);
int64_t crew_shutdown_until(const struct crew *crew);
int64_t crew_now_ms(const struct crew *crew);  /* monotonic, of this turn */
int64_t crew_wall_ms(const struct crew *crew); /* as the turn began */

/* The keys that hold now; lent until the next turn. With none nobody needs a
 * token. */
struct keyring *crew_keyring(const struct crew *crew);
bool crew_needs_tokens(const struct crew *crew);

uint32_t crew_random(struct crew *crew);

/* What the http chapter keeps per thread (its wait keys). */
void *crew_http(const struct crew *crew);
void crew_set_http(struct crew *crew, void *http);

/* Around every time that a subscriber is in the directory: while none is, the
 * journal does not wake this thread for its commits. */
void crew_expect_batches(struct crew *crew);
void crew_spare_batches(struct crew *crew); /* if nobody is left */

/* A buffer to build bytes in, empty; not kept over calls. */
struct buffer *crew_scratch(struct crew *crew);

/* The crew thread that is the home of a channel; the next one in turn. */
struct crew *crew_home(const struct crew *crew, struct text channel);
struct crew *crew_next(struct crew *crew);
unsigned crew_number(const struct crew *crew);
struct crew *crew_numbered(const struct crew *crew, unsigned number);

#endif
