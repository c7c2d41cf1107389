/* bench_fill.c -- `loadgen fill`: a journal of many events, by HTTP in batches.
 *
 * The events go round `channels` channels called CHANNEL.0, CHANNEL.1 and so
 * on, and `missed` + 1 of them, spread evenly over the whole, to
 * CHANNEL.missed: the channel that `loadgen resume` comes back to. Numbers run
 * from 0 in that one. Batches are newline-delimited JSON, one commit each; the
 * next is sent when the last is answered, so the server's limits are never met.
 */
#include "bench_base.h"
#include "bench_commands.h"
#include "bench_event.h"
#include "bench_net.h"
#include "bench_reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_BYTES 900000u
#define LINE_MOST   1024u
#define IN_BYTES    1048576u

struct fill {
    const struct options *options;
    int fd;
    uint64_t next;  /* event */
    uint64_t named; /* events of the resumed channel so far */
    char *body;
    size_t body_bytes;
    char *in;
};

static void append_line(struct fill *fill)
{
    const struct options *options = fill->options;
    uint64_t share =
        (uint64_t)options->events / ((uint64_t)options->missed + 1);
    bool is_named =
        fill->next % share == 0 && fill->named <= (uint64_t)options->missed;
    char *line = fill->body + fill->body_bytes;
    int head;

    if (is_named)
        head =
            snprintf(line, LINE_MOST,
                     "{\"channel\":\"%s.missed\",\"data\":", options->channel);
    else
        head = snprintf(
            line, LINE_MOST,
            "{\"channel\":\"%s.%" PRIu64 "\",\"data\":", options->channel,
            fill->next % (uint64_t)options->channels);
    event_write(line + head, (size_t)options->event_bytes,
                (uint32_t)(is_named ? fill->named : fill->next % 100000000), 0);
    fill->body_bytes += (size_t)head + (size_t)options->event_bytes;
    memcpy(fill->body + fill->body_bytes, "}\n", 2);
    fill->body_bytes += 2;
    fill->named += is_named ? 1 : 0;
    fill->next++;
}

static void await_answer(struct fill *fill)
{
    size_t bytes = 0;
    struct reply reply;
    enum reply_result result;

    do {
        ssize_t got = recv(fill->fd, fill->in + bytes, IN_BYTES - bytes, 0);

        if (got <= 0)
            bench_die("the server hung up");
        bytes += (size_t)got;
        result = reply_read(fill->in, bytes, &reply);
        if (result == REPLY_BAD || (result == REPLY_OK && reply.status >= 300))
            bench_die("a batch was refused: %.*s",
                      bytes < 500 ? (int)bytes : 500, fill->in);
    } while (result != REPLY_OK || bytes < reply.head_bytes + reply.body_bytes);
}

static void send_batch(struct fill *fill)
{
    char head[256];
    int bytes;

    fill->body_bytes = 0;
    while (fill->next < (uint64_t)fill->options->events &&
           fill->body_bytes + LINE_MOST < BATCH_BYTES)
        append_line(fill);
    bytes = snprintf(head, sizeof head,
                     "POST /publish/%s.missed HTTP/1.1\r\nHost: bench\r\n"
                     "Content-Type: application/x-ndjson\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     fill->options->channel, fill->body_bytes);
    if (!net_send_all(fill->fd, head, (size_t)bytes) ||
        !net_send_all(fill->fd, fill->body, fill->body_bytes))
        bench_die("the server hung up in a batch");
    await_answer(fill);
}

int command_fill(const struct options *options)
{
    struct fill fill = {.options = options};
    int64_t begin_ns = bench_now_ns();
    double seconds;

    if (options->events <= options->missed)
        bench_die("more events than missed ones are needed");
    fill.fd = net_connect((unsigned)options->port);
    if (fill.fd < 0)
        bench_die("cannot connect");
    fill.body = bench_alloc(1, BATCH_BYTES);
    fill.in = bench_alloc(1, IN_BYTES);
    while (fill.next < (uint64_t)options->events)
        send_batch(&fill);
    seconds = (double)(bench_now_ns() - begin_ns) / 1e9;
    printf("{\"filled\":%" PRIu64 ",\"seconds\":%.2f,\"stored_s\":%.0f}\n",
           fill.next, seconds, (double)fill.next / seconds);
    close(fill.fd);
    return 0;
}
