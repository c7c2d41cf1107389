/* inside.h -- what a crew thread and a connection are made of, for this
 * chapter.
 *
 * Threads   Fields by group, as marked.
 * Memory    A connection is one allocation, freed when libuv has let go of its
 *           handle. What an idle subscriber needs is inside; the rest (bytes
 *           read, a body) is allocated while it is there.
 * Units     Milliseconds, monotonic.
 * Errors    None.
 */
#ifndef CREW_INSIDE_H
#define CREW_INSIDE_H

#include "deadlines.h"
#include "link.h"
#include "outbox.h"
#include "standing.h"

#include "../../third_party/civetweb_handoff.h"
#include <tidings/crew.h>
#include <tidings/mailbox.h>

#include <uv.h>

struct body; /* announce.c */
void announce_begin(struct crew *crew, int64_t until_wall_ms);
void announce_some(struct crew *crew);
void announce_keys(struct crew *crew);

/* body.c */

struct connection {
    struct crew *crew;     /* changes by moving only */
    struct list_node all;  /* crew->connections */
    struct list_node turn; /* crew->to_flush, handshakes, or none */
    struct list_node work; /* crew->to_shake, to_replay, to_resume, or none */
    struct deadline deadline;
    const struct role_calls *calls; /* NULL: no role */
    void *role;
    const char *lines;   /* of every answer to this request, or NULL */
    struct grant *grant; /* of this request's token, or NULL */
    struct body *body;   /* BODY: what came so far */
    struct buffer input; /* read, but not yet its turn */
    struct outbox outbox;
    struct standing standing; /* whom it is with and what it holds */
    struct link link;
    uint8_t state;      /* connection_become assigns it */
    uint8_t polled;     /* UV_READABLE | UV_WRITABLE as started */
    uint8_t credential; /* enum credential */
    bool is_tls : 1;    /* its port speaks it */
    bool is_http_10 : 1;
    bool is_head : 1;
    bool keeps_alive : 1;   /* the request allows another one */
    bool has_body_left : 1; /* announced, not read: must close */
    bool has_begun : 1;     /* the first bytes of a head are there */
    bool peer_ended : 1;
    bool is_lingering : 1; /* our side is shut down */
    struct crew *move_to;
    uv_poll_t poll;
};

/* clang-format off */
struct fresh    { struct handoff_socket socket; struct admission admission; };
struct adopted  { struct connection *connection; };
struct batched  { struct batch *batch; };
struct answered { struct connection *connection; struct publish *publish; };
struct done     { struct connection *connection; };
struct announce { int64_t until_wall_ms; };
struct rekeyed  { struct keyring *keyring; };
struct drain    { int64_t over_ms; };
struct stop     { int64_t within_ms; };

/*      tag       field     posted by    what the crew does with it             */
#define CREW_MESSAGES(MSG)                                                      \
    MSG(FRESH,    fresh,    "civetweb",  "makes a connection, in the lobby")    \
    MSG(ADOPTED,  adopted,  "crew",      "goes on with a connection that moved")\
    MSG(BATCHED,  batched,  "journal",   "gives the events to its channels")    \
    MSG(ANSWERED, answered, "journal",   "tells the publisher's connection")    \
    MSG(DONE,     done,     "main",      "goes on with a connection that waited for it") \
    MSG(ANNOUNCE, announce, "main",      "tells streams and waits of a shutdown, ends them") \
    MSG(REKEYED,  rekeyed,  "main",      "takes other keys, ends what withdrawn ones let in") \
    MSG(DRAIN,    drain,    "main",      "refuses requests, ends streams slowly") \
    MSG(STOP,     stop,     "main",      "ends: writes the rest, closes all")
/* clang-format on */

enum crew_tag {
#define MSG(TAG, field, by, does) CREW_##TAG,
    CREW_MESSAGES(MSG)
#undef MSG
};

struct crew_message {
    struct msg link; /* first */
    enum crew_tag tag;
    union {
#define MSG(TAG, field, by, does) struct field field;
        CREW_MESSAGES(MSG)
#undef MSG
    } as;
};

struct crew {
    /* Fixed from start. */
    struct crew_options options;
    struct crew **peers;
    struct handoff *handoff;
    uv_thread_t thread;

    /* Any thread. */
    struct mailbox mailbox;
    uv_async_t wake;
    atomic_bool has_overrun;  /* a batch found no room */
    atomic_bool is_expecting; /* somebody here wants batches */
    atomic_uint load;         /* connections */
    atomic_uint undrained;    /* streams and waits, while draining */

    /* The crew thread only. */
    struct metrics metrics;
    uv_loop_t loop;
    uv_check_t check; /* the turn: after the sockets were looked at */
    uv_idle_t more;   /* runs while a turn left work */
    uv_timer_t timer; /* the earliest deadline */
    struct handoff_lender *lender;
    struct journal_reader *reader;
    struct directory *directory;
    struct replay_cache *replay_cache;
    struct deadlines deadlines;
    struct list_node connections, to_flush, to_replay, to_resume;
    struct list_node handshakes, to_shake; /* by age; those that can go on */
    unsigned handshaking;                  /* how many */
    struct buffer scratch;
    struct buffer refusal; /* where civetweb writes what we do not send */
    char *received;        /* bytes of the connection being read */
    struct text unread;    /* of them, or of its input: not yet consumed */
    struct http_head head; /* of the request being handled */
    struct keyring *keyring;
    int64_t now_ms;
    int64_t wall_ms; /* as the turn began */
    int64_t date_ms; /* wall second of `date` */
    char date[40];
    uint64_t random;
    unsigned next_peer;
    void *http;
    int64_t announced_until_ms; /* wall; 0: no shutdown */
    unsigned announce_left;     /* connections to look at, for it or for keys */
    bool is_draining, is_stopping;
    int64_t drain_end_ms, drain_next_ms, stop_end_ms;
};

enum { CREW_RECEIVE_BYTES = 65536, HEAD_MAX_BYTES = 16384 };

/* connection.c */
void connection_create(struct crew *crew, const struct handoff_socket *fresh,
                       const struct admission *admission);
void connection_adopt(struct crew *crew, struct connection *connection);
void connection_become(struct connection *connection,
                       enum connection_state state);
void connection_close(struct connection *connection);
void connection_flush(struct connection *connection);
void connection_touch(struct connection *connection);
void connection_expire(struct connection *connection);
/* It was away, with the journal or between threads: what came meanwhile. */
void connection_go_on(struct connection *connection);
void connection_end_role(struct connection *connection);
void connection_poll(struct connection *connection);

/* The client's own bytes come next. */
void connection_meet(struct connection *connection);

/* greeting.c: what a proxy says first */
void greeting_begin(struct connection *connection);
void greeting_readable(struct connection *connection);
void greeting_timeout(struct connection *connection);

/* handshake.c: what a client of a TLS port says first */
void handshake_begin(struct connection *connection);
void handshake_ready(struct connection *connection);
void handshake_some(struct crew *crew);
void handshake_end(struct connection *connection);
void handshake_timeout(struct connection *connection);

/* lobby.c: reading */
void lobby_begin(struct connection *connection);
void lobby_readable(struct connection *connection);
void lobby_resume(struct connection *connection);
void lobby_hand_on(struct connection *connection);
void lobby_enter(struct connection *connection);
void lobby_timeout(struct connection *connection);

/* body.c */
void body_feed(struct connection *connection);
void body_destroy(struct connection *connection);

#endif
