/* bench_publisher.c -- the thread that publishes, by NATS or by HTTP.
 *
 * One loop over its lanes: append as many events as the window and the pace
 * allow, send, then wait for whatever allows more: an answer, room in a socket,
 * subscribers that have caught up (the flow's eventfd), the next tick of a
 * timer.
 *
 * Pace: the timer ticks `rate` times a second and an event carries the time of
 * its tick, not the time at which a busy generator came round to send it. So a
 * server that makes the generator late is charged for it.
 */
#include "bench_publisher.h"

#include "bench_base.h"
#include "bench_lane.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TURN_EVENTS 256u /* of one lane before the others */
#define NO_LANE     UINT32_MAX

struct publisher {
    struct flow *flow;
    const struct options *options;
    pthread_t thread;
    int epoll_fd, timer_fd;
    unsigned lane_count, next_lane;
    struct lane *lanes;
    bool *wants_out;    /* per lane: registered for EPOLLOUT */
    uint64_t due_count; /* paced: ticks so far */
    uint64_t made;      /* events appended */
    int64_t started_ns;
    struct histogram replies;
};

static void watch(struct publisher *publisher, int operation, int fd,
                  uint32_t events, uint32_t tag)
{
    struct epoll_event event = {.events = events, .data.u32 = tag};

    if (epoll_ctl(publisher->epoll_fd, operation, fd, &event) != 0)
        bench_die("epoll_ctl: %s", strerror(errno));
}

static void start_timer(struct publisher *publisher)
{
    int64_t period_ns = 1000000000 / publisher->options->rate;
    int64_t first_ns = publisher->started_ns + period_ns;
    struct itimerspec spec = {
        .it_interval = {period_ns / 1000000000, period_ns % 1000000000},
        .it_value = {first_ns / 1000000000, first_ns % 1000000000}};

    publisher->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (publisher->timer_fd < 0 ||
        timerfd_settime(publisher->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) !=
            0)
        bench_die("timer: %s", strerror(errno));
    watch(publisher, EPOLL_CTL_ADD, publisher->timer_fd, EPOLLIN, NO_LANE);
}

static void drain_fd(int fd, uint64_t *sum)
{
    uint64_t count;

    if (fd >= 0 && read(fd, &count, sizeof count) == sizeof count)
        *sum += count;
}

/* Events that may be appended now. */
static uint64_t room(struct publisher *publisher)
{
    uint64_t window = flow_room(publisher->flow);
    uint64_t due = UINT64_MAX;

    if (atomic_load(&publisher->flow->is_stopping))
        return 0;
    if (publisher->options->rate > 0)
        due = publisher->due_count - publisher->made;
    return due < window ? due : window;
}

static int64_t time_of_next(const struct publisher *publisher)
{
    int64_t rate = publisher->options->rate;

    if (rate == 0)
        return bench_now_ns();
    return publisher->started_ns +
           (int64_t)(publisher->made + 1) * (1000000000 / rate);
}

/* Sends, and watches for room in the socket as long as it is needed. */
static void send_lane(struct publisher *publisher, unsigned index)
{
    struct lane *lane = &publisher->lanes[index];
    bool wants_out = !lane_flush(lane);

    if (wants_out == publisher->wants_out[index])
        return;
    publisher->wants_out[index] = wants_out;
    watch(publisher, EPOLL_CTL_MOD, lane->fd,
          wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN, index);
}

/* Appends to one lane and sends; returns the number of events. */
static uint64_t feed_lane(struct publisher *publisher, unsigned index,
                          uint64_t most)
{
    const uint64_t lines = (uint64_t)publisher->options->lines;
    struct lane *lane = &publisher->lanes[index];
    uint64_t count = 0;

    if (publisher->wants_out[index])
        return 0;
    while (count < most && count < TURN_EVENTS && lane_is_open(lane)) {
        lane_append(lane, time_of_next(publisher));
        publisher->made += lines;
        count += lines;
    }
    atomic_fetch_add(&publisher->flow->published, count);
    send_lane(publisher, index);
    return count;
}

static bool feed_all(struct publisher *publisher)
{
    uint64_t fed = 0;

    for (unsigned i = 0; i < publisher->lane_count; i++) {
        uint64_t most = room(publisher);

        if (most == 0)
            break;
        fed += feed_lane(publisher, publisher->next_lane, most);
        publisher->next_lane =
            (publisher->next_lane + 1) % publisher->lane_count;
    }
    return fed > 0;
}

static bool can_feed(struct publisher *publisher)
{
    if (room(publisher) == 0)
        return false;
    for (unsigned i = 0; i < publisher->lane_count; i++) {
        if (!publisher->wants_out[i] && lane_is_open(&publisher->lanes[i]))
            return true;
    }
    return false;
}

static void serve_lane(struct publisher *publisher, unsigned index,
                       uint32_t events)
{
    struct lane *lane = &publisher->lanes[index];
    bool is_measuring = atomic_load(&publisher->flow->is_measuring);

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        atomic_fetch_add(
            &publisher->flow->answered,
            lane_receive(lane, is_measuring ? &publisher->replies : NULL));
    send_lane(publisher, index);
}

static bool is_finished(const struct publisher *publisher)
{
    if (!atomic_load(&publisher->flow->is_stopping))
        return false;
    for (unsigned i = 0; i < publisher->lane_count; i++) {
        const struct lane *lane = &publisher->lanes[i];

        if (lane->out_bytes > 0 || lane->unanswered > 0)
            return false;
    }
    return true;
}

static void wait_and_serve(struct publisher *publisher, int timeout_ms)
{
    struct epoll_event events[64];
    uint64_t roused = 0;
    int count = epoll_wait(publisher->epoll_fd, events, 64, timeout_ms);

    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == NO_LANE) {
            drain_fd(publisher->timer_fd, &publisher->due_count);
            drain_fd(publisher->flow->wake_fd, &roused);
        } else {
            serve_lane(publisher, events[i].data.u32, events[i].events);
        }
    }
}

static void *run(void *arg)
{
    struct publisher *publisher = arg;
    struct flow *flow = publisher->flow;

    while (!is_finished(publisher)) {
        if (feed_all(publisher)) {
            wait_and_serve(publisher, 0);
            continue;
        }
        if (flow_room(flow) == 0)
            atomic_store(&flow->is_waiting, true); /* then look again */
        wait_and_serve(publisher, can_feed(publisher) ? 0 : -1);
        atomic_store(&flow->is_waiting, false);
    }
    return NULL;
}

struct publisher *publisher_start(struct flow *flow)
{
    struct publisher *publisher = bench_alloc(1, sizeof *publisher);
    const struct options *options = flow->options;

    publisher->flow = flow;
    publisher->options = options;
    publisher->timer_fd = -1;
    publisher->lane_count =
        options->nats > 0 ? 1 : (unsigned)options->publishers;
    publisher->lanes =
        bench_alloc(publisher->lane_count, sizeof *publisher->lanes);
    publisher->wants_out = bench_alloc(publisher->lane_count, sizeof(bool));
    publisher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < publisher->lane_count; i++) {
        lane_open(&publisher->lanes[i], options, i, publisher->lane_count);
        watch(publisher, EPOLL_CTL_ADD, publisher->lanes[i].fd, EPOLLIN, i);
    }
    watch(publisher, EPOLL_CTL_ADD, flow->wake_fd, EPOLLIN, NO_LANE);
    publisher->started_ns = bench_now_ns();
    if (options->rate > 0)
        start_timer(publisher);
    if (pthread_create(&publisher->thread, NULL, run, publisher) != 0)
        bench_die("no thread");
    return publisher;
}

void publisher_stop(struct publisher *publisher)
{
    atomic_store(&publisher->flow->is_stopping, true);
    flow_rouse(publisher->flow);
    pthread_join(publisher->thread, NULL);
}

const struct histogram *publisher_replies(const struct publisher *publisher)
{
    return &publisher->replies;
}
