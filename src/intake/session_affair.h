/* session_affair.h -- one session that something has to be done about.
 *
 * Threads   The one that shares (stream_sessions.c).
 * Memory    Affairs are kept for reuse; a call is answered, and then its asker's.
 * Units     Monotonic milliseconds.
 * Errors    None.
 */
#ifndef TIDINGS_SESSION_AFFAIR_H
#define TIDINGS_SESSION_AFFAIR_H

#include "nats_subscription.h"
#include "stream_sessions.h"

#include <tidings/buffer.h>
#include <tidings/list.h>
#include <tidings/logger.h>
#include <tidings/session_sharing.h>

#include <nats/nats.h>
#include <stdatomic.h>
#include <uv.h>

/* clang-format off */
/*    stage      may move to                             meaning */
#define AFFAIR_STAGES(S)                                                                        \
    S(OPEN,      BIT(AFFAIR_READING) | BIT(AFFAIR_TELLING), "nothing is under way")              \
    S(READING,   BIT(AFFAIR_OPEN) | BIT(AFFAIR_ASKING),  "the stream is asked for its state")    \
    S(ASKING,    BIT(AFFAIR_OPEN),                       "its writer is asked for what is newer")\
    S(TELLING,   BIT(AFFAIR_OPEN),                       "its state is on the way to the stream")
/* clang-format on */

enum affair_stage {
#define S(name, moves, meaning) AFFAIR_##name,
    AFFAIR_STAGES(S)
#undef S
};

/* A call that waits. */
struct waiting {
    struct list_node node; /* of its affair */
    struct list_node age;  /* of all, oldest first */
    struct publish *publish;
    struct affair *affair;
    int64_t deadline_ms;
    bool is_looking; /* a look that began after it came is under way */
    bool has_looked;
    bool is_telling; /* the same of what it wants told */
};

struct affair {
    struct affair *next; /* in its bucket, or of the free ones */
    struct list_node node;
    struct list_node calls;
    struct session_name name;
    enum affair_stage stage;
    uint32_t number, serial;
    int64_t due_ms;     /* the stage is in vain, or OPEN may be looked at */
    int64_t patient_ms; /* so long for an answer that is being written */
    unsigned vain;      /* reads that said nothing, one after the other */
    bool knows_sequence;
    bool is_overtaken;          /* by a message that was not read yet */
    bool is_left_out;           /* the stream has it, and there is no room */
    uint64_t sequence;          /* of the newest message; 0: there is none */
    uint64_t owner;             /* who wrote that; 0: nobody */
    uint64_t version;           /* its id */
    struct session_offer offer; /* TELLING */
    bool is_removal;            /* likewise */
};

#define SHARING_BUCKETS 4096

struct sharing {
    struct sharing_options options; /* fixed at create */
    struct sessions *sessions;      /* fixed at create */
    struct session_sharer sharer;   /* fixed at create */
    uint64_t self;                  /* fixed at create: this process */
    uv_thread_t thread;
    bool is_started; /* main */
    struct mailbox box;
    atomic_bool is_stopping;
    atomic_bool has_begun;     /* the stream was seen, or was waited for */
    int64_t begins_ms;         /* the thread's own: no longer than until then */
    atomic_uint asked_waiting; /* questions of others in the box */
    atomic_uint call_count;

    /* The thread's own. */
    natsConnection *connection; /* borrowed; NULL: none */
    struct nats_subscription replies, questions;
    char *inbox;
    unsigned generation;     /* of the link, as it was looked at last */
    struct affair **affairs; /* by number */
    unsigned affair_count, affair_room;
    struct affair *free_affairs;
    struct affair *buckets[SHARING_BUCKETS];
    struct list_node busy; /* affairs */
    unsigned busy_count;
    struct list_node calls; /* waiting ones, by age */
    struct list_node asked; /* questions of others */
    int64_t look_ms;        /* at all that is busy */
    int64_t lost_ms;        /* for sessions that the stream has lost */
    unsigned lost_at;       /* where in the table */
    bool is_in_vain;      /* the stream took nothing, when it was last tried */
    int64_t retry_ms;     /* then: the next of what is owed */
    int64_t told_s, told; /* messages in that second */
    struct buffer text, subject, question, reply;
    struct log_limit troubles;
};

/* ---- session_affair_table.c ---------------------------------------------- */

/* Finds it or opens it. */
struct affair *affair_of(struct sharing *sharing, struct text name);

/* The affair of a reply's token; NULL: it is over. */
struct affair *affair_find(struct sharing *sharing, uint32_t number,
                           uint32_t serial);

/* Nobody waits for it any more. */
void affair_end(struct sharing *sharing, struct affair *affair);

void affairs_fini(struct sharing *sharing);

/* ---- session_affair.c ---------------------------------------------------- */

/* Takes the publish. */
void affair_add_call(struct affair *affair, struct sharing *sharing,
                     struct publish *publish, int64_t deadline_ms);

/* Does what comes next; the affair may be over then. */
void affair_go_on(struct sharing *sharing, struct affair *affair);

void affair_replied(struct sharing *sharing, struct affair *affair,
                    natsMsg *msg);

/* Its stage has taken too long, or it is time to look again. */
void affair_look(struct sharing *sharing, struct affair *affair,
                 int64_t now_ms);

/* The connection was lost: what is under way will not be answered. */
void affair_reset(struct affair *affair);

/* All that wait are answered so; what was to be told stays owed. */
void affair_give_up(struct sharing *sharing, struct affair *affair,
                    enum status why);

void waiting_answer(struct sharing *sharing, struct waiting *waiting,
                    enum status result);

/* session_questions.c: another process asks; takes the message. */
void questions_hear(struct sharing *sharing, natsMsg **msg);
void questions_look(struct sharing *sharing); /* at those that wait */
void questions_end(struct sharing *sharing);

/* stream_sessions.c: with a reply to this affair. */
bool sharing_send(struct sharing *sharing, struct affair *affair,
                  const char *subject, struct text data, uint64_t expected,
                  bool is_message);

#endif
