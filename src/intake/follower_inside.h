/* follower_inside.h -- what struct follower is made of, for the files of this
 * chapter that follow a stream.
 *
 * Threads   As grouped below.
 * Memory    One struct.
 * Units     Sequences; monotonic milliseconds.
 * Errors    None.
 */
#ifndef TIDINGS_FOLLOWER_INSIDE_H
#define TIDINGS_FOLLOWER_INSIDE_H

#include "nats_stream.h"
#include "spent.h"
#include "stream_ids.h"

#include <tidings/buffer.h>
#include <tidings/logger.h>
#include <tidings/session_sharing.h>

#include <stdatomic.h>
#include <uv.h>

#define STREAM_CONSUMER_MAX 128
#define STREAM_LEADER_MAX   64
#define PROBE_SUBJECT_MAX   320

/* Questions that only want to know whether anybody answers. */
struct probe {
    natsConnection *connection; /* borrowed */
    natsSubscription *answers;
    char inbox[PROBE_SUBJECT_MAX / 2];
    unsigned round;
    int64_t due_ms;   /* the question is sent again */
    int64_t asked_ms; /* the first that nobody answered yet; 0: none */
};

#define PEERS_MAX 256

/* Another process that follows the same stream. */
struct peer {
    uint64_t boot;
    int64_t heard_ms;
};

/* stream_peers.c: those that are there, and what they told. */
struct peers {
    uint64_t boot;                  /* fixed at create: this process */
    char *subject;                  /* fixed at create */
    natsSubscription *subscription; /* on the borrowed connection */
    struct peer peer[PEERS_MAX];
    unsigned count;
    int64_t joined_ms;      /* when they were asked */
    unsigned awaited_at;    /* the link's generation on which they were */
    int64_t glanced_ms;     /* when it was listened last */
    int64_t quiet_since_ms; /* has listened since then, and heard nobody */
    bool has_asked, has_heard_settled; /* since joined_ms */
    struct stream_position furthest;   /* that anybody has read */
    struct stream_position next;       /* the same, of another stream */
};

struct follower {
    struct follower_options options; /* fixed at create */
    const char *name;                /* fixed at create */
    char *note_subject;              /* fixed at create: of the epochs' note */
    natsConnection *connection;      /* the thread only: borrowed */
    jsCtx *js;                       /* the same: on that */
    int64_t since_ns; /* fixed at create: of a new journal; 0: not */
    uv_thread_t thread;
    bool is_started; /* main */
    atomic_bool is_stopping;

    /* The thread's own. */
    struct stream_position at; /* read and posted */
    uint64_t posted_upto;      /* the journal's next step begins here */
    uint64_t newest_id;        /* that was given */
    uint64_t missing_id;       /* to be told with the next step */
    uint64_t rewound_after, rewound_upto; /* likewise */
    int64_t epoch_after_ns;  /* a new epoch begins with the first message that
                               is newer than this; 0: none does */
    int64_t rewind_said_ns;  /* the same, of a rewind that was counted */
    bool begins_anywhere;    /* its sequence says where the reading begins */
    int64_t begins_after_ns; /* and is newer than this */
    bool owes_note;          /* of epochs, to the stream */
    bool is_sealed;
    natsSubscription *subscription;
    char consumer[STREAM_CONSUMER_MAX];
    uint64_t consumer_sequence;
    bool is_warned;       /* that sessions are not shared */
    uint64_t stream_last; /* the newest sequence that the server has */
    uint64_t nudged_at;   /* an end of the stream that did not come */
    uint64_t doubted;     /* sequences behind this one were not there */
    unsigned looked_at;   /* the link's generation that was looked at */
    unsigned missed;      /* heartbeats, when the consumer was made */
    struct probe probe;
    bool is_suspended; /* nothing is taken from the consumer: see the glance */
    char leader[STREAM_LEADER_MAX]; /* of the stream, at the last look */
    int64_t consumer_wait_ms;       /* for the answer when one is made */
    int64_t look_due_ms, heard_ms;
    int64_t shorter_since_ms; /* the stream ended before the position; 0: no */
    struct log_limit refusals, troubles;
    struct peers peers;

    /* Written by the journal's thread. */
    atomic_uint in_flight;
    atomic_int refused; /* enum status of a step; ST_OK: none */

    atomic_int state;        /* written by the thread, read by all */
    atomic_bool was_rewound; /* the same: since the start */
    atomic_uint checked;     /* the same, of looked_at; 0: none */
    atomic_uint awaiting;    /* likewise, while an epoch is awaited */
    _Atomic uint64_t first;  /* the same: the stream's first sequence */
    _Atomic uint64_t lag;
    atomic_int takes_sessions; /* enum follower_taking; of the stream */

    uv_mutex_t mutex;
    uv_cond_t news; /* in_flight fell to none, a refusal, the stop */
    struct {        /* guarded by mutex */
        struct stream_position stored;
        uint64_t stored_upto;         /* as the journal has it */
        struct stream_position shown; /* `at`, for those who ask for ids */
    } shared;
};

#define BATCH_MESSAGES 512

/* A handful of messages on their way to be a publish. */
struct handful {
    struct event *events[BATCH_MESSAGES];
    struct awaited awaited[BATCH_MESSAGES];
    size_t mark_at[BATCH_MESSAGES];
    unsigned taken; /* messages */
    unsigned count, awaited_count;
    size_t bytes;
    struct buffer marks;
    natsMsg *last; /* its checksum goes into the row */
    struct spent spent;
    bool has_moved;
    struct session_news *news; /* of sessions; room for BATCH_MESSAGES */
    unsigned news_count;
};

/* stream_watch.c: what to do after a look at the stream. */
struct follower_begin {
    uint64_t sequence; /* read from here */
    int64_t time_ns;   /* or, if not 0, from the first message after this */
};

/* Looks at the stream and compares it with what was read. True: may be read as
 * `begin_out` says, and `at` is where. */
bool follower_look(struct follower *follower, struct follower_begin *begin_out);

/* While it is being read. False: look anew. */
bool follower_glance(struct follower *follower);

/* The note that other instances left; and one of our own. read_note: false: it is
 * none of this stream; find_note: it is not known whether there is one. */
bool follower_read_note(struct follower *follower, natsMsg *msg,
                        uint64_t sequence, int64_t got_ns);
bool follower_find_note(struct follower *follower);
void follower_leave_note(struct follower *follower);

bool follower_has_lost_tail(const struct follower *follower);
void follower_say(const struct follower *follower, enum log_level level,
                  const char *what);

void follower_become(struct follower *follower, enum follower_state state);

/* stream_peers.c. */
void peers_init(struct peers *peers, const char *stream);
void peers_fini(struct peers *peers);

/* On a new connection, hear what the others know, or wait for it
 * in vain. Before the stream is looked at. */
void peers_join(struct follower *follower);
void peers_part(struct follower *follower);

/* That anybody has read of the stream that was made then, if it is of that. */
const struct stream_position *peers_furthest(const struct peers *peers,
                                             int64_t created_ns);

/* While it is read: listen, answer, and now and then tell. */
void peers_listen(struct follower *follower);
void peers_tell(struct follower *follower);

/* stream_note.c: another instance goes on under other ids; what cannot be is left
 * out. The wall clock, or the stream's if that is ahead. */
void follower_adopt(struct follower *follower,
                    const struct stream_position *note);
int64_t follower_now_ns(const struct follower *follower);

/* nats_stream.c: until fewer steps than `most` + 1 are with the journal. */
void follower_await_answers(struct follower *follower, unsigned most);
void follower_show(struct follower *follower); /* to those who ask for ids */
void follower_hide(struct follower *follower); /* the opposite */
bool follower_is_over(const struct follower *follower);
bool follower_is_disturbed(const struct follower *follower);
enum status follower_refusal(const struct follower *follower);

/* stream_probe.c: between open and close, which go with the connection. */
bool follower_probe_open(struct follower *follower, natsConnection *connection);
void follower_probe_close(struct follower *follower);

/* Asks when it is time and waits that long. True: somebody has just answered. */
bool follower_probe(struct follower *follower, int64_t wait_ms);

/* The same until somebody does; false: not in that time, or disturbed. */
bool follower_await_answer(struct follower *follower, int64_t most_ms);

/* For how long nobody has answered; 0: nobody was asked since the last answer. */
int64_t follower_unanswered_ms(const struct follower *follower);

/* stream_read.c: what there is, at most a handful, goes to the journal. False:
 * the reading must begin anew. */
bool follower_read_some(struct follower *follower, struct handful *handful);

/* stream_post.c: the events, with the position behind them. */
void follower_post_handful(struct follower *follower, struct handful *handful);

/* Posts a step without events if the position is another than the stored one. */
void follower_post_position(struct follower *follower);

#endif
