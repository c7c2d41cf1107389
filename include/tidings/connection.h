/* connection.h -- one client's socket, from accept to close.
 *
 * Life: a fresh socket comes to a crew thread, shakes hands if its port speaks
 * TLS, and waits in the LOBBY for a whole request head, which is lent to civetweb and routed to the handler. The
 * handler decides what comes next: an answer, a body to read, a stream, a wait,
 * a move to another crew thread. It does so by the calls below and by giving
 * the connection a *role*: what the http chapter knows about it. Nothing here
 * blocks.
 *
 * Threads   The crew thread that owns the connection at that time.
 * Memory    Owned by the crew. A role is freed by its `destroy`. After
 *           connection_close or a handler's end the caller forgets it.
 * Units     Milliseconds; bytes.
 * Errors    None returned: a client that is gone is closed by the crew.
 */
#ifndef TIDINGS_CONNECTION_H
#define TIDINGS_CONNECTION_H

#include <tidings/accounts.h>
#include <tidings/auth.h>
#include <tidings/buffer.h>
#include <tidings/frames.h>
#include <tidings/journal.h>
#include <tidings/limits.h>
#include <tidings/list.h>

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct crew;

/* clang-format off */
/*     state       may move to                                                             meaning       */
#define CONNECTION_STATES(S)                                                                             \
    S(GREETING,   BIT(CONNECTION_HANDSHAKING) | BIT(CONNECTION_LOBBY) | BIT(CONNECTION_GONE),            \
                  "new; waits for the PROXY header, if one must come")                                   \
    S(HANDSHAKING, BIT(CONNECTION_LOBBY) | BIT(CONNECTION_ANSWERING) | BIT(CONNECTION_GONE),             \
                  "agrees on keys with a client of a TLS port")                                          \
    S(LOBBY,      BIT(CONNECTION_BODY) | BIT(CONNECTION_COMMITTING) | BIT(CONNECTION_ANSWERING) |        \
                  BIT(CONNECTION_STREAMING) | BIT(CONNECTION_WAITING) | BIT(CONNECTION_MOVING) |         \
                  BIT(CONNECTION_CLOSING) | BIT(CONNECTION_GONE), "waits for a whole request head")      \
    S(BODY,       BIT(CONNECTION_COMMITTING) | BIT(CONNECTION_ANSWERING) | BIT(CONNECTION_STREAMING) |   \
                  BIT(CONNECTION_WAITING) | BIT(CONNECTION_MOVING) | BIT(CONNECTION_CLOSING) |           \
                  BIT(CONNECTION_GONE), "waits for the rest of a request's body")                        \
    S(COMMITTING, BIT(CONNECTION_COMMITTING) | BIT(CONNECTION_ANSWERING) | BIT(CONNECTION_STREAMING) | BIT(CONNECTION_WAITING) |      \
                  BIT(CONNECTION_MOVING), "waits for the journal or main; cannot be given up")           \
    S(MOVING,     BIT(CONNECTION_COMMITTING) | BIT(CONNECTION_MOVING) | BIT(CONNECTION_STREAMING) | BIT(CONNECTION_WAITING) | BIT(CONNECTION_ANSWERING) |      \
                  BIT(CONNECTION_GONE), "on its way to another crew thread")                             \
    S(STREAMING,  BIT(CONNECTION_CLOSING) | BIT(CONNECTION_GONE), "gets events until one side ends")     \
    S(WAITING,    BIT(CONNECTION_COMMITTING) | BIT(CONNECTION_ANSWERING) | BIT(CONNECTION_GONE), "a long-poll without an answer yet") \
    S(ANSWERING,  BIT(CONNECTION_LOBBY) | BIT(CONNECTION_CLOSING) | BIT(CONNECTION_GONE),                \
                  "its answer is being written; then the next request, or the end")                      \
    S(CLOSING,    BIT(CONNECTION_GONE), "writes what is left, then waits for the client to close")       \
    S(GONE,       0u, "the descriptor is being closed")
/* clang-format on */

enum connection_state {
#define S(name, moves, meaning) CONNECTION_##name,
    CONNECTION_STATES(S)
#undef S
};

/* What the owner of a role is told; calls that are NULL are not wanted. */
struct role_calls {
    const char *name;
    /* The whole body is there (valid during the call). */
    void (*body)(struct connection *connection, struct text body);
    /* After connection_move: now on the other thread. */
    void (*arrived)(struct connection *connection);
    /* STREAMING: what the client sends (valid during the call). NULL: dropped.
     * At its end such a connection lingers, as the client may be sending. */
    void (*received)(struct connection *connection, struct text bytes);
    /* The journal is done with what connection_commit posted. */
    void (*answered)(struct connection *connection, struct publish *publish);
    /* What connection_await waited for is done: an answer must follow. */
    void (*done)(struct connection *connection);
    /* A turn to read a slice of the journal (connection_want_replay). */
    void (*replay)(struct connection *connection);
    /* The outbox became empty. */
    void (*drained)(struct connection *connection);
    /* The deadline of connection_set_deadline passed. */
    void (*expired)(struct connection *connection);
    /* STREAMING, WAITING: a shutdown began (crew_shutdown_until). Tell the
     * client and end the stream, or see to it that the wait ends. */
    void (*announced)(struct connection *connection);
    /* STREAMING, WAITING: the key that signed its token was withdrawn: end it. */
    void (*revoked)(struct connection *connection);
    /* The server is stopping: end the stream or wait politely. */
    void (*farewell)(struct connection *connection);
    /* The role ends, the connection may live on: free it. */
    void (*destroy)(struct connection *connection);
};

/* ---- what a handler may ask ------------------------------------------------
 */

struct crew *connection_crew(struct connection *connection);
void *connection_role(struct connection *connection);
void connection_set_role(struct connection *connection,
                         const struct role_calls *calls, void *role);

/* The role becomes the caller's, the connection has none: another may be set.
 */
void *connection_take_role(struct connection *connection);

/* Header lines that every answer has until the next request, on whichever
 * thread it is made; they outlive all connections. NULL: none. */
void connection_set_lines(struct connection *connection, const char *lines);
const char *connection_lines(const struct connection *connection);

/* Who asks, as the http chapter found out, until the next request: the grant of
 * the token (NULL: anonymous, or nobody needs one), which is taken, and where
 * the token was. */
enum credential {
    CREDENTIAL_NONE,
    CREDENTIAL_HEADER,
    CREDENTIAL_COOKIE,
    CREDENTIAL_QUERY,
    CREDENTIAL_FORM,
    CREDENTIAL_FOREIGN /* a cookie that a foreign page made the browser send */
};
void connection_set_grant(struct connection *connection, struct grant **grant,
                          enum credential credential);
const struct grant *connection_grant(const struct connection *connection);
enum credential connection_credential(const struct connection *connection);
/* Whom the socket is with, or its PROXY header says; whom the request is from,
 * as far as that is known; what is counted for that one. */
const struct address *connection_peer(const struct connection *connection);
const struct address *connection_client(const struct connection *connection);
account_id connection_account(const struct connection *connection);

/* Until the request is over it is one of so many streams of a subject. False:
 * there are as many already. */
bool connection_hold_stream(struct connection *connection, struct text subject,
                            uint64_t most);

/* Is the peer a trusted proxy, whose requests name their client? Then this
 * request is the client's from now on. */
bool connection_is_proxied(const struct connection *connection);
void connection_set_client(struct connection *connection,
                           const struct address *client);

/* Does it speak TLS with us? */
bool connection_is_tls(const struct connection *connection);

/* Is the client a program on this machine, or a proxy here? */
bool connection_is_local(const struct connection *connection);

/* What it is over: NONE, or it may only do what the reserve is for. */
enum limit connection_limit(const struct connection *connection);

bool connection_is_http_10(const struct connection *connection);
bool connection_is_head(const struct connection *connection);
/* The client says nothing more, and may have gone. */
bool connection_has_ended(const struct connection *connection);
bool connection_keeps_alive(const struct connection *connection);
enum connection_state connection_state(const struct connection *connection);

/* ---- what a handler may decide ----------------------------------------------
 */

/* An answer with a body; Content-Length, Date and Connection are added, the
 * body is left out for HEAD. The role ends when it is written. */
struct answer {
    unsigned status;
    const char *type;    /* Content-Type; NULL: none */
    struct text headers; /* further lines, each ended by CR LF */
    struct text body;
    bool is_last; /* close after it, even if the client would go on */
};
void connection_answer(struct connection *connection,
                       const struct answer *answer);

/* The problem JSON of protocol.md 8. `code` and `message` are fixed texts. */
void connection_refuse(struct connection *connection, unsigned status,
                       const char *code, const char *message,
                       struct text headers);

/* The whole answer, head and all, is in these shared frames. */
void connection_answer_frames(struct connection *connection,
                              struct frames *frames);

/* Appends "HTTP/1.1 200 OK", Date, Connection and `headers`, and the blank
 * line. */
void connection_append_head(struct connection *connection, struct buffer *out,
                            unsigned status, bool is_last, struct text headers);

/* Read the body that the head announced (at most `limit` bytes; more is
 * answered 413), then call body(). With no body it is called at once, empty. */
void connection_read_body(struct connection *connection, size_t limit);

/* Give the publish to the journal; answered() follows. Not taken: false, and
 * the publish is still the caller's. */
bool connection_commit(struct connection *connection, struct publish **publish,
                       enum status *why_out);

/* The same by another way, whose post does as journal_post: any thread may
 * answer. */
typedef enum status publish_post_fn(void *arg, struct publish **publish);
bool connection_commit_by(struct connection *connection, publish_post_fn *post,
                          void *arg, struct publish **publish,
                          enum status *why_out);

/* COMMITTING until another thread has done something for it: whoever does that
 * calls connection_end_await once, from any thread; done() follows here. */
void connection_await(struct connection *connection);
void connection_end_await(struct connection *connection);

/* Go on on another crew thread: arrived() is called there. */
void connection_move(struct connection *connection, struct crew *to);

/* From now on events: STREAMING or WAITING. */
void connection_begin(struct connection *connection,
                      enum connection_state state);

/* Queue bytes of a stream; written at the end of this turn. */
void connection_push(struct connection *connection, struct frames *frames,
                     uint32_t from, uint32_t to);

/* What waits to be written, with what it takes to keep it; 0 if nothing. */
size_t connection_waiting_bytes(const struct connection *connection);

/* Call replay() when it is this connection's turn. */
void connection_want_replay(struct connection *connection);

/* Call expired() after so long; the next set moves it. 0: never. */
void connection_set_deadline(struct connection *connection, int64_t after_ms);

/* Write what is queued, then close. */
void connection_finish(struct connection *connection);

#endif
