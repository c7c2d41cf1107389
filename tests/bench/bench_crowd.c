/* bench_crowd.c -- connections that want nothing, or want it very slowly.
 *
 * Three kinds, in a table: keep-alive connections that had one request answered
 * and stay, heads that never end, bodies that never end; the last two send a
 * byte each second, spread evenly over it. A server that gives each of them a
 * worker has none left for a publisher. One that ends them for being too slow
 * is right to do so: they come back at once, so the crowd keeps its size.
 */
#define _GNU_SOURCE

#include "bench_crowd.h"

#include "bench_base.h"
#include "bench_net.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAKING_MOST 64u
#define TICK_MS     10
#define AWAIT_S     120

/* clang-format off */
/*    kind    option       first bytes                                  drips */
#define CROWD(KIND)                                                                                       \
    KIND(IDLE, idle,        "GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n",                       false)    \
    KIND(HEAD, slow_heads,  "GET /healthz HTTP/1.1\r\nHost: bench\r\nX-Slow: ",                   true)     \
    KIND(BODY, slow_bodies, "POST /publish/slow HTTP/1.1\r\nHost: bench\r\nContent-Length: 100000\r\n\r\n", true)
/* clang-format on */

enum kind {
#define KIND(TAG, option, first, drips) KIND_##TAG,
    CROWD(KIND)
#undef KIND
};

static const struct {
    const char *first;
    bool drips;
} kinds[] = {
#define KIND(TAG, option, first, drips) {first, drips},
    CROWD(KIND)
#undef KIND
};

struct member {
    int fd;
    enum kind kind;
    bool is_made;
};

struct crowd {
    unsigned port;
    pthread_t thread;
    sem_t is_made;
    int epoll_fd;
    unsigned count, begun, made;
    unsigned dripping_from; /* members before it are idle */
    uint64_t drip_turn;
    int64_t made_ns;
    struct member *members;
    atomic_uint_fast64_t ended;
};

static void begin(struct crowd *crowd, unsigned index)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};
    struct member *member = &crowd->members[index];

    member->fd = net_connect_begin(crowd->port, index, 0);
    member->is_made = false;
    if (epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, member->fd, &event) != 0)
        bench_die("epoll_ctl: %s", strerror(errno));
}

static void begin_more(struct crowd *crowd)
{
    while (crowd->begun < crowd->count &&
           crowd->begun - crowd->made < MAKING_MOST)
        begin(crowd, crowd->begun++);
}

static void on_made(struct crowd *crowd, struct member *member)
{
    if (member->is_made)
        return;
    member->is_made = true;
    if (crowd->made == crowd->count)
        return; /* one that came back */
    if (++crowd->made == crowd->count) {
        crowd->made_ns = bench_now_ns();
        sem_post(&crowd->is_made);
    }
    begin_more(crowd);
}

static void on_ended(struct crowd *crowd, unsigned index)
{
    struct member *member = &crowd->members[index];

    if (!member->is_made && crowd->made < crowd->count)
        bench_die("the server hung up on a new connection of the crowd");
    close(member->fd);
    atomic_fetch_add(&crowd->ended, 1);
    begin(crowd, index);
}

static void on_event(struct crowd *crowd, unsigned index, uint32_t events)
{
    struct member *member = &crowd->members[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    const char *first = kinds[member->kind].first;
    char answer[4096];

    if ((events & EPOLLOUT) && !(events & (EPOLLERR | EPOLLHUP))) {
        if (send(member->fd, first, strlen(first), MSG_NOSIGNAL) < 0 ||
            epoll_ctl(crowd->epoll_fd, EPOLL_CTL_MOD, member->fd, &event) != 0)
            bench_die("crowd: %s", strerror(errno));
        if (kinds[member->kind].drips)
            on_made(crowd, member);
        return;
    }
    if (recv(member->fd, answer, sizeof answer, 0) <= 0)
        on_ended(crowd, index);
    else
        on_made(crowd, member);
}

static void drip(struct crowd *crowd)
{
    unsigned count = crowd->count - crowd->dripping_from;
    uint64_t due;

    if (count == 0 || crowd->made < crowd->count)
        return;
    due = (uint64_t)(bench_now_ns() - crowd->made_ns) * count / 1000000000;
    for (; crowd->drip_turn < due; crowd->drip_turn++) {
        unsigned index =
            crowd->dripping_from + (unsigned)(crowd->drip_turn % count);
        const struct member *member = &crowd->members[index];

        /* A refusal shows up as the end of the connection. */
        if (member->is_made)
            (void)!send(member->fd, "x", 1, MSG_NOSIGNAL);
    }
}

static void *run(void *arg)
{
    struct crowd *crowd = arg;
    struct epoll_event events[256];

    begin_more(crowd);
    for (;;) {
        int count = epoll_wait(crowd->epoll_fd, events, 256, TICK_MS);

        for (int i = 0; i < count; i++)
            on_event(crowd, events[i].data.u32, events[i].events);
        drip(crowd);
    }
    return NULL;
}

struct crowd *crowd_start(const struct options *options)
{
    struct crowd *crowd = bench_alloc(1, sizeof *crowd);
    unsigned at = 0;

    crowd->port = (unsigned)options->port;
    crowd->dripping_from = (unsigned)options->idle;
    crowd->count =
        (unsigned)(options->idle + options->slow_heads + options->slow_bodies);
    if (crowd->count == 0)
        return NULL;
    crowd->members = bench_alloc(crowd->count, sizeof *crowd->members);
#define KIND(TAG, option, first, drips)                                        \
    for (int64_t i = 0; i < options->option; i++)                              \
        crowd->members[at++].kind = KIND_##TAG;
    CROWD(KIND)
#undef KIND
    crowd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (crowd->epoll_fd < 0 || sem_init(&crowd->is_made, 0, 0) != 0 ||
        pthread_create(&crowd->thread, NULL, run, crowd) != 0)
        bench_die("crowd: %s", strerror(errno));
    return crowd;
}

void crowd_await(struct crowd *crowd)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AWAIT_S;
    while (sem_timedwait(&crowd->is_made, &until) != 0) {
        if (errno != EINTR)
            bench_die("the crowd did not get in within %d s", AWAIT_S);
    }
}

uint64_t crowd_ended(const struct crowd *crowd)
{
    return atomic_load(&crowd->ended);
}
