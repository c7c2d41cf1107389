/* order.h -- what a client asks for when it subscribes: protocol.md 1, 2.
 *
 * Read from the request on the thread that routed it, carried to the thread
 * that serves it.
 *
 * Threads   One at a time.
 * Memory    The order owns an arena in which all its texts lie.
 * Units     Milliseconds.
 * Errors    ST_BAD_INPUT with a fixed sentence.
 */
#ifndef HTTP_ORDER_H
#define HTTP_ORDER_H

#include "request.h"

#include <tidings/config.h>
#include <tidings/frames.h>
#include <tidings/websocket.h>

/* clang-format off */
/*     name         flavor text    */
#define FLAVORS(F)                                                            \
    F(EVENTSOURCE, "eventsource")                                             \
    F(LONG_POLL,   "long-poll")                                               \
    F(SHORT_POLL,  "short-poll")                                              \
    F(WEBSOCKET,   "websocket")                                               \
    F(LINES,       "lines")
/* clang-format on */

enum flavor {
#define F(name, text) FLAVOR_##name,
    FLAVORS(F)
#undef F
};

/* What one event looks like; with the flavor it chooses the frame format. */
enum shape { SHAPE_DATA, SHAPE_ENVELOPE, SHAPE_OBJECT };

struct order {
    struct arena arena;
    struct text *selectors; /* checked, without repeats; none: a WebSocket
                               that subscribes later */
    unsigned selector_count;
    struct text position_text;
    struct position position;
    struct text wait_key; /* empty: none */
    struct text session;  /* empty: none */
    int64_t wait_ms;      /* long-poll: how long at most; 0: not at all */
    enum flavor flavor;
    enum shape shape;
    bool is_ndjson;
    bool is_one_answer; /* one answer, then the request is over */
    bool rejects_gaps;
    bool has_message_keepalive;
    bool has_padding;
    bool has_hello;    /* a stream begins by saying where: protocol.md 2 */
    bool has_protocol; /* the client offers WEBSOCKET_PROTOCOL */
    char websocket_accept[WEBSOCKET_ACCEPT_BYTES + 1];
    bool is_gzip; /* the client takes it, and no channel's section forbids it */
};

/* `form`: the body of a POST, else empty. `*why_out`: what is wrong. */
enum status order_read(const struct handoff_request *request, struct text form,
                       const struct config *config, struct order **order_out,
                       const char **why_out) MUST_USE;
void order_destroy(struct order **order);

/* This `*why_out`: over the setting selectors_max. */
extern const char order_has_too_many[];

enum frame_format order_format(const struct order *order, bool is_http_10);

/* A stream whose client asks again by itself when it ends. */
bool order_comes_back(const struct order *order);

#endif
