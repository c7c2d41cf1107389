/* session_sharing.h -- sessions that several instances know of.
 *
 * Instances that follow one stream tell each other of their sessions by messages
 * in it: the newest one about a session is its present state. What changed here
 * and is not in the stream yet is *owed*. A message that is read is learned by
 * the table in the transaction that stores its sequence.
 *
 * Two lives of one name (removed, made anew) are told apart by `born`. Within one
 * life positions only rise, so of two states the greater positions hold. A life that
 * somebody began who found nothing in the stream, as that had dropped what it had,
 * does not end one that is known here: of the two the lesser position holds.
 *
 * Full      sessions_learn beyond the limit keeps nothing: the stream has it, and
 *           is asked when the session is used; who then finds no room is told so.
 *
 * Threads   Any; sessions_share: main, before requests come and after them.
 * Memory    Copies. A call is owned by its publish (journal.h).
 * Units     Ids; sequences; wall milliseconds, monotonic ones where said.
 * Errors    ST_NOT_FOUND, ST_FULL as in sessions.h.
 */
#ifndef TIDINGS_SESSION_SHARING_H
#define TIDINGS_SESSION_SHARING_H

#include <tidings/sessions.h>

struct publish;

struct session_name {
    uint8_t length;
    char bytes[SESSION_NAME_MAX_BYTES];
};

static inline struct text session_name_text(const struct session_name *name)
{
    return (struct text){name->bytes, name->length};
}

void session_name_set(struct session_name *name, struct text text);

struct session_state {
    uint64_t born;  /* of this life of the name: a chance number; 0: nobody else
                       knows it */
    uint64_t acked; /* acknowledged */
    uint64_t sent;  /* of answers that are written whole */
    int64_t touched_ms;
    bool is_removed;
    bool is_anew; /* the stream had one of that name when it was made */
};

/* What a message of the stream says. */
struct session_news {
    struct session_name name;
    struct session_state state;
    uint64_t version;  /* the message's id: of two the newer one counts */
    uint64_t sequence; /* and its sequence in the stream */
};

/* Takes over what is newer than what is known; but no session that is not here and
 * was not used since then: the stream is asked for it if it is ever used. */
enum status sessions_learn(struct sessions *sessions,
                           const struct session_news *news,
                           int64_t since_ms) MUST_USE;

/* What another instance says that has not told the stream yet. */
void sessions_hear(struct sessions *sessions, struct text name,
                   const struct session_state *state);

/* What there is to tell of a session. */
struct session_offer {
    struct session_state state;
    uint64_t sequence; /* of the newest message about it; 0: not known */
    unsigned change;   /* which one; for sessions_told */
    bool is_owed;
    bool is_told;     /* ever */
    bool is_answered; /* its newest answer is not written whole */
};
enum status sessions_offer(struct sessions *sessions, struct text name,
                           struct session_offer *offer_out) MUST_USE;

/* It stands in the stream now. */
void sessions_told(struct sessions *sessions, struct text name,
                   const struct session_offer *offer, uint64_t version,
                   uint64_t sequence);

/* It is owed, told before or not; behind those that are. */
void sessions_owe(struct sessions *sessions, struct text name);

/* Ids that messages of the stream can have. */
struct session_versions {
    uint64_t from, upto;
};

/* Looks at part of the table: owes those whose newest message is of none of these,
 * so that the stream has lost it; at most `most`. `*cursor` starts at 0. */
void sessions_owe_lost(struct sessions *sessions,
                       const struct session_versions *kept, unsigned kept_count,
                       unsigned most, unsigned *cursor);

/* Takes owed ones out of the list, oldest first; they stay owed. */
unsigned sessions_take_owed(struct sessions *sessions,
                            struct session_name *names, unsigned room);
unsigned sessions_count_owed(struct sessions *sessions);

/* May a message about it go out now (monotonic)? Then it counts as one. */
bool sessions_may_tell(struct sessions *sessions, struct text name,
                       int64_t now_ms, unsigned per_second);

/* ---- who shares ---------------------------------------------------------- */

/* clang-format off */
#define SESSION_OPS(OP)                                                        \
    OP(LOOK,   "learn what others know of it")                                 \
    OP(USE,    "the same; claimed if this acknowledges an answer")              \
    OP(CLAIM,  "others are to ask here from now on")                           \
    OP(TELL,   "what changed here must be known to others")                    \
    OP(REMOVE, "it is to be gone everywhere")
/* clang-format on */

enum session_op {
#define OP(name, meaning) SESSION_##name,
    SESSION_OPS(OP)
#undef OP
};

/* Goes with a publish without events; answered like it. */
struct session_call {
    enum session_op op;
    enum status result; /* ST_OK, or the stream did not do it: BUSY, TIMEOUT;
                           FULL: it has the session, and there is no room for
                           it here. The publish's own result is the journal's */
    struct session_name name;
};

struct session_sharer {
    enum status (*post)(void *arg, struct publish **publish);
    void (*wake)(void *arg); /* something is owed, and nothing was before */
    bool (*takes)(const void *arg); /* false: sessions cannot be shared */
    void *arg;
};

/* NULL: nobody does. What it points to stays as long as the table. */
void sessions_share(struct sessions *sessions,
                    const struct session_sharer *sharer);

/* Now? The stream's subjects decide, and can be changed. */
bool sessions_are_shared(const struct sessions *sessions);

/* Hands a call to who shares, as journal_post: arg is the table. */
enum status sessions_post(void *sessions, struct publish **publish) MUST_USE;

#endif
