/* bench_resume.c -- `loadgen resume`: the time to get what was missed.
 *
 * The first visit reads the channel from its earliest event and notes that
 * event's id. Then, `rounds` times, a client comes back with that id: the clock
 * runs from before connect() to the last byte of the last missed event.
 */
#define _GNU_SOURCE /* memmem */

#include "bench_base.h"
#include "bench_commands.h"
#include "bench_event.h"
#include "bench_net.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES 1048576u

struct visit {
    const struct options *options;
    char id[32]; /* the position to resume from */
    char *in;
    struct event_tally tally;
};

static int open_stream(const struct visit *visit)
{
    char request[512];
    int fd = net_connect((unsigned)visit->options->port);
    int bytes =
        snprintf(request, sizeof request,
                 "GET /events/%s.missed HTTP/1.1\r\nHost: bench\r\n"
                 "Accept: text/event-stream\r\nLast-Event-ID: %s\r\n\r\n",
                 visit->options->channel, visit->id);

    if (fd < 0 || !net_send_all(fd, request, (size_t)bytes))
        bench_die("cannot connect");
    return fd;
}

/* Reads until `wanted` events have come, the first of them `first`. */
static void read_events(struct visit *visit, int fd, uint32_t first,
                        uint64_t wanted)
{
    struct event_scan scan = {.expected = first};
    size_t held = 0;

    visit->tally = (struct event_tally){0};
    while (visit->tally.delivered < wanted) {
        ssize_t got = recv(fd, visit->in + held, IN_BYTES - held, 0);
        size_t used;

        if (got <= 0)
            bench_die("the stream ended after %lu events",
                      (unsigned long)visit->tally.delivered);
        used = event_scan(&scan, visit->in, held + (size_t)got,
                          (size_t)visit->options->event_bytes, &visit->tally);
        held += (size_t)got - used;
        memmove(visit->in, visit->in + used, held);
    }
    if (visit->tally.lost + visit->tally.twice > 0)
        bench_die("events were lost or came twice");
}

/* Notes the id of the channel's earliest event. */
static void first_visit(struct visit *visit)
{
    size_t bytes = 0;
    int fd;

    snprintf(visit->id, sizeof visit->id, "earliest");
    fd = open_stream(visit);
    for (;;) {
        ssize_t got = recv(fd, visit->in + bytes, IN_BYTES - bytes, 0);
        const char *id, *end;

        if (got <= 0)
            bench_die("no earliest event");
        bytes += (size_t)got;
        id = memmem(visit->in, bytes, "\nid: ", 5);
        end = id == NULL
                  ? NULL
                  : memchr(id + 5, '\n', bytes - (size_t)(id + 5 - visit->in));
        if (end != NULL) {
            snprintf(visit->id, sizeof visit->id, "%.*s", (int)(end - id - 5),
                     id + 5);
            break;
        }
    }
    close(fd);
}

int command_resume(const struct options *options)
{
    static struct histogram times;
    struct visit visit = {.options = options};

    visit.in = bench_alloc(1, IN_BYTES);
    first_visit(&visit);
    for (int64_t i = 0; i < options->rounds; i++) {
        int64_t begin_ns = bench_now_ns();
        int fd = open_stream(&visit);

        read_events(&visit, fd, 1, (uint64_t)options->missed);
        histogram_add(&times, bench_now_ns() - begin_ns);
        close(fd);
    }
    printf("{\"from\":\"%s\",\"p50_us\":%.1f,\"max_us\":%.1f}\n", visit.id,
           histogram_us(&times, 0.5), histogram_us(&times, 1.0));
    return 0;
}
