/* bench_subscriber.c -- one connection that listens: what it sends and reads.
 *
 * SSE and WebSocket: after the status line everything is a stream in which the
 * scan looks for events; chunk heads, frame heads, ids and comments are passed
 * over unread. A run is shorter than the time in which a ping wants an answer.
 *
 * Long-poll: head, body of known length, next request with the position that
 * the head told: Last-Event-ID with Tidings, Last-Modified and Etag with Nchan.
 * The first request asks for the oldest event of a channel that is new, so that
 * it does not matter whether the request or the first event is there first.
 */
#include "bench_subscriber.h"

#include "bench_base.h"
#include "bench_reply.h"
#include "bench_tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The key is RFC 6455's own example. */
static const char upgrade[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/* How the answer should be: header lines. */
static const char *wish(const struct options *options)
{
    if (options->longpoll != 0)
        return "";
    return options->websocket != 0 ? upgrade : "Accept: text/event-stream\r\n";
}

void subscriber_ask(struct subscriber *sub, const struct options *options)
{
    bool is_nchan = options_nchan(options);
    bool is_first = sub->position[0] == '\0';
    bool is_longpoll = options->longpoll != 0;
    char request[512], name[96];
    int bytes;

    snprintf(name, sizeof name, "%s", options->channel);
    if (options->channels > 1)
        snprintf(name, sizeof name, "%s.%u", options->channel,
                 sub->number % (unsigned)options->channels);
    if (is_longpoll && is_first && !is_nchan)
        snprintf(sub->position, sizeof sub->position,
                 "Last-Event-ID: earliest\r\n");
    bytes = snprintf(request, sizeof request,
                     "GET /%s/%s HTTP/1.1\r\nHost: bench\r\n%s%s\r\n",
                     is_longpoll && is_first && is_nchan ? "oldest" : "events",
                     name, wish(options), sub->position);
    if (options->tls != 0 && sub->tls == NULL)
        sub->tls = tls_client_open(sub->fd);
    if (net_send(sub->fd, sub->tls, request, (size_t)bytes) != bytes)
        bench_die("a request could not be sent: %s", strerror(errno));
    sub->state = SUB_ASKED;
}

static void hold(struct subscriber *sub, const char *text, size_t bytes)
{
    if (bytes > HELD_BYTES)
        bench_die("%zu bytes of an answer make no sense", bytes);
    memcpy(sub->held, text, bytes);
    sub->held_bytes = (uint32_t)bytes;
}

static void feed_stream(struct subscriber *sub, const struct options *options,
                        const char *text, size_t bytes,
                        struct event_tally *tally)
{
    const char *status =
        options->websocket != 0 ? "HTTP/1.1 101" : "HTTP/1.1 200";
    size_t used;

    if (sub->state == SUB_ASKED) {
        if (bytes < 12) {
            hold(sub, text, bytes);
            return;
        }
        if (memcmp(text, status, 12) != 0)
            bench_die("a subscriber was refused: %.*s",
                      bytes < 300 ? (int)bytes : 300, text);
        sub->state = SUB_LIVE;
    }
    used = event_scan(&sub->scan, text, bytes, (size_t)options->event_bytes,
                      tally);
    hold(sub, text + used, bytes - used);
}

static void remember(struct subscriber *sub, const char *text,
                     const struct reply *reply, bool is_nchan)
{
    static const char *const names[2][2] = {{"last-event-id:", NULL},
                                            {"last-modified:", "etag:"}};
    static const char *const asks[2][2] = {
        {"Last-Event-ID", NULL}, {"If-Modified-Since", "If-None-Match"}};
    size_t at = 0;

    for (unsigned i = 0; i < 2 && names[is_nchan][i] != NULL; i++) {
        size_t bytes;
        const char *value =
            reply_header(text, reply->head_bytes, names[is_nchan][i], &bytes);

        if (value != NULL)
            at += (size_t)snprintf(sub->position + at, POSITION_BYTES - at,
                                   "%s: %.*s\r\n", asks[is_nchan][i],
                                   (int)bytes, value);
        else
            bench_die("an answer without %s", names[is_nchan][i]);
        if (at >= POSITION_BYTES)
            bench_die("a position too long to remember");
    }
}

/* Takes a head off the front; 0: it is not there in full. */
static size_t take_head(struct subscriber *sub, const struct options *options,
                        const char *text, size_t bytes)
{
    struct reply reply;
    enum reply_result result = reply_read(text, bytes, &reply);

    if (result == REPLY_SHORT)
        return 0;
    if (result == REPLY_BAD || reply.status != 200)
        bench_die("a long-poll was refused: %.*s",
                  bytes < 300 ? (int)bytes : 300, text);
    remember(sub, text, &reply, options_nchan(options));
    sub->body_left = reply.body_bytes;
    sub->has_events = false;
    sub->state = SUB_LIVE;
    return reply.head_bytes;
}

static unsigned feed_longpoll(struct subscriber *sub,
                              const struct options *options, const char *text,
                              size_t bytes, struct event_tally *tally)
{
    uint64_t before = tally->delivered;
    size_t used;

    if (sub->state == SUB_ASKED) {
        used = take_head(sub, options, text, bytes);
        text += used;
        bytes -= used;
    }
    if (sub->state != SUB_LIVE) {
        hold(sub, text, bytes);
        return 0;
    }
    if (bytes > sub->body_left)
        bench_die("bytes behind a long-poll answer");
    used = event_scan(&sub->scan, text, bytes, (size_t)options->event_bytes,
                      tally);
    sub->has_events = sub->has_events || tally->delivered > before;
    if (bytes < sub->body_left) {
        sub->body_left -= used;
        hold(sub, text + used, bytes - used);
        return 0;
    }
    sub->held_bytes = 0;
    subscriber_ask(sub, options);
    return sub->has_events ? 1 : 0;
}

unsigned subscriber_feed(struct subscriber *sub, const struct options *options,
                         const char *text, size_t bytes,
                         struct event_tally *tally)
{
    if (options->longpoll != 0)
        return feed_longpoll(sub, options, text, bytes, tally);
    feed_stream(sub, options, text, bytes, tally);
    return 0;
}
