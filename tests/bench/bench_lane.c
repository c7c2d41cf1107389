/* bench_lane.c -- one connection on which events are published.
 *
 * The NATS client is the protocol's twenty lines: read INFO, say CONNECT and
 * PING, wait for PONG; from then on PUB lines go out, and what comes in is
 * looked at for PING and -ERR. A library would copy and lock per message; a
 * generator on the server's own cores must not.
 */
#define _GNU_SOURCE /* memmem */

#include "bench_lane.h"

#include "bench_base.h"
#include "bench_event.h"
#include "bench_net.h"
#include "bench_reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define OUT_BYTES     65536u
#define IN_BYTES      65536u
#define WRAPPING_MOST 512u /* a request's head or a PUB line */

static const char line_begin[] = "{\"data\":", line_end[] = "}\n";

static void append_bytes(struct lane *lane, const char *bytes, size_t count)
{
    memcpy(lane->out + lane->out_bytes, bytes, count);
    lane->out_bytes += count;
}

static void append_word(struct lane *lane, const char *word)
{
    append_bytes(lane, word, strlen(word));
}

static void append_number(struct lane *lane, uint64_t value)
{
    char digits[20];
    unsigned at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    append_bytes(lane, digits + at, sizeof digits - at);
}

static void append_channel(struct lane *lane)
{
    append_word(lane, lane->options->channel);
    if (lane->options->channels > 1) {
        append_word(lane, ".");
        append_number(lane, lane->channel);
    }
}

static void append_event(struct lane *lane, uint32_t number, int64_t time_ns)
{
    event_write(lane->out + lane->out_bytes, (size_t)lane->options->event_bytes,
                number, time_ns);
    lane->out_bytes += (size_t)lane->options->event_bytes;
}

/* Of a request, or of what stands behind a PUB line. */
static size_t body_bytes(const struct options *options)
{
    const size_t event_bytes = (size_t)options->event_bytes;

    if (options->lines == 1)
        return event_bytes;
    return (size_t)options->lines *
           (sizeof line_begin - 1 + event_bytes + sizeof line_end - 1);
}

static void append_lines(struct lane *lane, int64_t time_ns)
{
    for (uint32_t i = 0; i < lane->options->lines; i++) {
        append_word(lane, line_begin);
        append_event(lane, lane->number + i, time_ns);
        append_word(lane, line_end);
    }
}

/* Waits for a line that begins with `wanted`. */
static void nats_expect(struct lane *lane, const char *wanted)
{
    size_t wanted_bytes = strlen(wanted);

    for (;;) {
        char *end = memchr(lane->in, '\n', lane->in_bytes);

        if (end != NULL) {
            bool is_it = strncmp(lane->in, wanted, wanted_bytes) == 0;
            size_t line_bytes = (size_t)(end - lane->in) + 1;

            lane->in_bytes -= line_bytes;
            memmove(lane->in, end + 1, lane->in_bytes);
            if (is_it)
                return;
            continue;
        }
        ssize_t got = recv(lane->fd, lane->in + lane->in_bytes,
                           IN_BYTES - lane->in_bytes, 0);
        if (got <= 0)
            bench_die("the NATS server left before %s", wanted);
        lane->in_bytes += (size_t)got;
    }
}

static void nats_greet(struct lane *lane)
{
    static const char hello[] =
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\","
        "\"version\":\"1\",\"name\":\"loadgen\"}\r\nPING\r\n";

    nats_expect(lane, "INFO ");
    if (!net_send_all(lane->fd, hello, sizeof hello - 1))
        bench_die("the NATS server left");
    nats_expect(lane, "PONG");
}

void lane_open(struct lane *lane, const struct options *options, unsigned index,
               unsigned count)
{
    unsigned port =
        (unsigned)(options->nats > 0 ? options->nats : options->port);

    if (options->lines < 1 || body_bytes(options) > OUT_BYTES - WRAPPING_MOST)
        bench_die("so many lines do not fit into a request");
    if (options->lines > 1 &&
        (options->rate > 0 || options->window > 0 || options->nats > 0))
        bench_die("--lines is for HTTP flat out");
    memset(lane, 0, sizeof *lane);
    lane->options = options;
    lane->is_nats = options->nats > 0;
    lane->step = count;
    lane->first = lane->channel = index;
    lane->out = bench_alloc(1, OUT_BYTES);
    lane->in = bench_alloc(1, IN_BYTES);
    lane->sent_ns = bench_alloc((size_t)options->depth, sizeof *lane->sent_ns);
    lane->fd = net_connect(port);
    if (lane->fd < 0)
        bench_die("cannot connect to port %u to publish", port);
    if (lane->is_nats)
        nats_greet(lane);
    net_set_blocking(lane->fd, false);
}

bool lane_is_open(const struct lane *lane)
{
    return lane->out_bytes + WRAPPING_MOST + body_bytes(lane->options) <=
               OUT_BYTES &&
           (lane->is_nats || lane->unanswered < lane->options->depth);
}

static void append_post(struct lane *lane, int64_t time_ns)
{
    unsigned depth = (unsigned)lane->options->depth;

    append_word(lane, "POST /publish/");
    append_channel(lane);
    append_word(lane, " HTTP/1.1\r\nHost: bench\r\nContent-Length: ");
    append_number(lane, body_bytes(lane->options));
    if (lane->options->lines > 1)
        append_word(lane, "\r\nContent-Type: application/x-ndjson");
    append_word(lane, "\r\n\r\n");
    if (lane->options->lines > 1)
        append_lines(lane, time_ns);
    else
        append_event(lane, lane->number, time_ns);
    lane->sent_ns[(lane->oldest + lane->unanswered) % depth] = time_ns;
    lane->unanswered++;
}

static void append_pub(struct lane *lane, int64_t time_ns)
{
    append_word(lane, "PUB events.");
    append_channel(lane);
    append_word(lane, " ");
    append_number(lane, (uint64_t)lane->options->event_bytes);
    append_word(lane, "\r\n");
    append_event(lane, lane->number, time_ns);
    append_word(lane, "\r\n");
}

void lane_append(struct lane *lane, int64_t time_ns)
{
    if (lane->is_nats)
        append_pub(lane, time_ns);
    else
        append_post(lane, time_ns);
    lane->channel += lane->step;
    if (lane->channel >= lane->options->channels) {
        lane->channel = lane->first;
        lane->number += (uint32_t)lane->options->lines;
    }
}

bool lane_flush(struct lane *lane)
{
    while (lane->out_sent < lane->out_bytes) {
        ssize_t sent = send(lane->fd, lane->out + lane->out_sent,
                            lane->out_bytes - lane->out_sent, MSG_NOSIGNAL);

        if (sent < 0 && errno == EAGAIN)
            return false;
        if (sent <= 0)
            bench_die("a publisher's connection broke: %s", strerror(errno));
        lane->out_sent += (size_t)sent;
    }
    lane->out_bytes = lane->out_sent = 0;
    return true;
}

/* Takes answers off the front of `in`; returns how many
 * events they are for. */
static unsigned take_answers(struct lane *lane, struct histogram *replies)
{
    int64_t now_ns = replies != NULL ? bench_now_ns() : 0;
    unsigned taken = 0;
    size_t at = 0;

    while (lane->unanswered > 0) {
        struct reply reply;
        enum reply_result result =
            reply_read(lane->in + at, lane->in_bytes - at, &reply);

        if (result == REPLY_BAD || (result == REPLY_OK && reply.status >= 300))
            bench_die("a publish was refused: %.*s", (int)(lane->in_bytes - at),
                      lane->in + at);
        if (result == REPLY_SHORT ||
            reply.head_bytes + reply.body_bytes > lane->in_bytes - at)
            break;
        at += reply.head_bytes + reply.body_bytes;
        if (replies != NULL)
            histogram_add(replies, now_ns - lane->sent_ns[lane->oldest]);
        lane->oldest = (lane->oldest + 1) % (unsigned)lane->options->depth;
        lane->unanswered--;
        taken += (unsigned)lane->options->lines;
    }
    lane->in_bytes -= at;
    memmove(lane->in, lane->in + at, lane->in_bytes);
    return taken;
}

static void heed_nats(struct lane *lane)
{
    char *end;

    while ((end = memchr(lane->in, '\n', lane->in_bytes)) != NULL) {
        size_t line_bytes = (size_t)(end - lane->in) + 1;

        if (strncmp(lane->in, "-ERR", 4) == 0)
            bench_die("the NATS server says %.*s", (int)line_bytes, lane->in);
        if (strncmp(lane->in, "PING", 4) == 0 && lane_is_open(lane))
            append_word(lane, "PONG\r\n");
        lane->in_bytes -= line_bytes;
        memmove(lane->in, end + 1, lane->in_bytes);
    }
}

unsigned lane_receive(struct lane *lane, struct histogram *replies)
{
    ssize_t got =
        recv(lane->fd, lane->in + lane->in_bytes, IN_BYTES - lane->in_bytes, 0);

    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        bench_die("the server hung up on a publisher");
    lane->in_bytes += (size_t)got;
    if (!lane->is_nats)
        return take_answers(lane, replies);
    heed_nats(lane);
    return 0;
}
