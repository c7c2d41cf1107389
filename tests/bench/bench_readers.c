/* bench_readers.c -- the subscribers of a run, on a few threads.
 *
 * A turn of a reader: epoll, one recv per ready socket into one buffer of 256
 * KiB (what was held from last time is put in front, so an event is always seen
 * in one piece), then the slowest subscriber's number is looked up in a dense
 * array and told to the flow. At most CONNECTING_MOST connections are being
 * made at a time: a storm of connects overflows the server's backlog and
 * measures the kernel's retransmission timer.
 *
 * A slow subscriber has a small receive buffer, leaves epoll once it is
 * connected, and is read `slow_bytes` at a time, once a second, the slow ones
 * spread evenly over the second.
 */
#define _GNU_SOURCE

#include "bench_readers.h"

#include "bench_base.h"
#include "bench_net.h"
#include "bench_subscriber.h"
#include "bench_tls.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTING_MOST 64u
#define EVENTS_MOST     512
#define RECEIVE_BYTES   262144u
#define SLOW_BUFFER     2304 /* the kernel's least */
#define SLOW_TICK_MS    10
#define CONNECT_S       120

struct reader {
    struct flow *flow;
    const struct options *options;
    unsigned index;
    pthread_t thread;
    sem_t *is_connected; /* posted once */
    int epoll_fd;
    unsigned count; /* its subscribers */
    struct subscriber *subs;
    uint32_t *progress; /* next numbers; UINT32_MAX: does not count */
    unsigned begun, connected;
    unsigned slow_count; /* its first ones are the slow ones */
    uint64_t slow_turn;  /* reads of slow ones done so far */
    int64_t slow_since_ns;
    uint64_t answers, closed;
    struct event_tally tally;
    struct histogram histogram;
    char *buffer; /* HELD_BYTES, then RECEIVE_BYTES */
};

struct readers {
    unsigned count;
    sem_t is_connected;
    struct reader *all;
};

static void watch(struct reader *reader, int operation, unsigned index,
                  uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = index};

    if (epoll_ctl(reader->epoll_fd, operation, reader->subs[index].fd,
                  &event) != 0)
        bench_die("epoll_ctl: %s", strerror(errno));
}

static void begin_connects(struct reader *reader)
{
    while (reader->begun < reader->count &&
           reader->begun - reader->connected < CONNECTING_MOST) {
        unsigned i = reader->begun++;
        struct subscriber *sub = &reader->subs[i];

        sub->fd =
            net_connect_begin((unsigned)reader->options->port, sub->number,
                              i < reader->slow_count ? SLOW_BUFFER : 0);
        watch(reader, EPOLL_CTL_ADD, i, EPOLLOUT);
    }
}

static void on_connected(struct reader *reader, unsigned index)
{
    reader->connected++;
    if (index < reader->slow_count) {
        watch(reader, EPOLL_CTL_DEL, index, 0);
        reader->progress[index] = UINT32_MAX;
    }
    if (reader->connected == reader->count) {
        reader->slow_since_ns = bench_now_ns();
        sem_post(reader->is_connected);
    } else {
        begin_connects(reader);
    }
}

static void on_closed(struct reader *reader, unsigned index)
{
    struct subscriber *sub = &reader->subs[index];

    if (reader->connected < reader->count)
        bench_die("the server hung up on subscriber %u", sub->number);
    tls_client_close(&sub->tls);
    close(sub->fd);
    sub->state = SUB_CLOSED;
    reader->progress[index] = UINT32_MAX;
    reader->closed++;
}

static void on_writable(struct reader *reader, unsigned index)
{
    struct subscriber *sub = &reader->subs[index];
    int error = 0;
    socklen_t bytes = sizeof error;

    if (getsockopt(sub->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 ||
        error != 0)
        bench_die("connect: %s", strerror(error));
    watch(reader, EPOLL_CTL_MOD, index, EPOLLIN);
    subscriber_ask(sub, reader->options);
    if (reader->options->longpoll != 0)
        on_connected(reader, index);
}

static void read_subscriber(struct reader *reader, unsigned index, size_t most)
{
    struct subscriber *sub = &reader->subs[index];
    enum subscriber_state before = sub->state;
    char *text = reader->buffer + HELD_BYTES - sub->held_bytes;
    ssize_t got =
        net_receive(sub->fd, sub->tls, reader->buffer + HELD_BYTES, most);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        on_closed(reader, index);
        return;
    }
    memcpy(text, sub->held, sub->held_bytes);
    if (reader->tally.histogram != NULL)
        reader->tally.now_ns = bench_now_ns();
    reader->answers +=
        subscriber_feed(sub, reader->options, text,
                        (size_t)got + sub->held_bytes, &reader->tally);
    if (reader->progress[index] != UINT32_MAX)
        reader->progress[index] = sub->scan.expected;
    if (before == SUB_ASKED && sub->state == SUB_LIVE &&
        reader->options->longpoll == 0)
        on_connected(reader, index);
}

/* Reads as many slow ones as are due. Their events do not count. */
static void read_slow(struct reader *reader)
{
    uint64_t due;
    struct event_tally fast = reader->tally;

    if (reader->slow_count == 0 || reader->connected < reader->count)
        return;
    due = (uint64_t)(bench_now_ns() - reader->slow_since_ns) *
          reader->slow_count / 1000000000;
    reader->tally.histogram = NULL;
    for (; reader->slow_turn < due; reader->slow_turn++) {
        unsigned index = (unsigned)(reader->slow_turn % reader->slow_count);

        if (reader->subs[index].state == SUB_LIVE)
            read_subscriber(reader, index, (size_t)reader->options->slow_bytes);
    }
    reader->tally.histogram = fast.histogram;
    reader->tally.delivered = fast.delivered;
}

static void report(struct reader *reader)
{
    struct flow_reader *out = &reader->flow->readers[reader->index];
    uint32_t slowest = UINT32_MAX;

    for (unsigned i = 0; i < reader->count; i++)
        slowest = reader->progress[i] < slowest ? reader->progress[i] : slowest;
    atomic_store_explicit(&out->slowest, slowest, memory_order_relaxed);
    atomic_store_explicit(&out->delivered, reader->tally.delivered,
                          memory_order_relaxed);
    atomic_store_explicit(&out->answers, reader->answers, memory_order_relaxed);
    atomic_store_explicit(&out->lost, reader->tally.lost, memory_order_relaxed);
    atomic_store_explicit(&out->twice, reader->tally.twice,
                          memory_order_relaxed);
    atomic_store_explicit(&out->closed, reader->closed, memory_order_relaxed);
    flow_report(reader->flow);
}

static void *run(void *arg)
{
    struct reader *reader = arg;
    struct epoll_event events[EVENTS_MOST];
    int timeout_ms = reader->slow_count > 0 ? SLOW_TICK_MS : -1;

    begin_connects(reader);
    for (;;) {
        int count =
            epoll_wait(reader->epoll_fd, events, EVENTS_MOST, timeout_ms);
        bool is_timed = reader->options->latency != 0 &&
                        atomic_load(&reader->flow->is_measuring);

        reader->tally.histogram = is_timed ? &reader->histogram : NULL;
        for (int i = 0; i < count; i++) {
            if (reader->subs[events[i].data.u32].state == SUB_CONNECTING)
                on_writable(reader, events[i].data.u32);
            else
                read_subscriber(reader, events[i].data.u32, RECEIVE_BYTES);
        }
        read_slow(reader);
        report(reader);
    }
    return NULL;
}

static void start_one(struct readers *readers, struct flow *flow,
                      unsigned index)
{
    struct reader *reader = &readers->all[index];
    unsigned total = (unsigned)flow->options->subscribers;
    unsigned slow = (unsigned)flow->options->slow;

    reader->flow = flow;
    reader->options = flow->options;
    reader->index = index;
    reader->is_connected = &readers->is_connected;
    reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    reader->count = (total + readers->count - 1 - index) / readers->count;
    reader->slow_count = (slow + readers->count - 1 - index) / readers->count;
    reader->subs = bench_alloc(reader->count, sizeof *reader->subs);
    reader->progress = bench_alloc(reader->count, sizeof *reader->progress);
    reader->buffer = bench_alloc(1, HELD_BYTES + RECEIVE_BYTES);
    for (unsigned i = 0; i < reader->count; i++)
        reader->subs[i].number = i * readers->count + index;
    if (reader->count == 0)
        bench_die("more readers than subscribers");
    if (pthread_create(&reader->thread, NULL, run, reader) != 0)
        bench_die("no thread");
}

struct readers *readers_start(struct flow *flow)
{
    struct readers *readers = bench_alloc(1, sizeof *readers);

    readers->count = flow->reader_count;
    readers->all = bench_alloc(readers->count, sizeof *readers->all);
    if (sem_init(&readers->is_connected, 0, 0) != 0)
        bench_die("no semaphore");
    for (unsigned i = 0; i < readers->count; i++)
        start_one(readers, flow, i);
    return readers;
}

void readers_await(struct readers *readers)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CONNECT_S;
    for (unsigned i = 0; i < readers->count; i++) {
        while (sem_timedwait(&readers->is_connected, &until) != 0) {
            if (errno != EINTR)
                bench_die("not all subscribers connected in %d s", CONNECT_S);
        }
    }
}

void readers_merge(const struct readers *readers, struct histogram *into)
{
    for (unsigned i = 0; i < readers->count; i++)
        histogram_merge(into, &readers->all[i].histogram);
}
