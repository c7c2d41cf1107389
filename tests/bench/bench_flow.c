/* bench_flow.c -- what the generator's threads tell each other.
 *
 * Only atomic counters, each with one writer. The publisher that finds no room
 * sets `is_waiting` and looks again before it sleeps; a reader that makes room
 * clears the flag and writes to the eventfd. A window counts as closed until a
 * quarter of it is free, so that a wake-up pays for many events.
 */
#include "bench_flow.h"

#include "bench_base.h"
#include "bench_cpu.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TAKES   20
#define TAKE_NS 100000

void flow_init(struct flow *flow, const struct options *options)
{
    memset(flow, 0, sizeof *flow);
    flow->options = options;
    flow->listeners = (uint64_t)(options->subscribers - options->slow);
    flow->reader_count =
        options->subscribers > 0 ? (unsigned)options->readers : 0;
    if (flow->reader_count > FLOW_READERS_MAX)
        bench_die("at most %d readers", FLOW_READERS_MAX);
    flow->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (flow->wake_fd < 0)
        bench_die("eventfd: %s", strerror(errno));
}

/* Events that all listeners, or the mean one, have got. */
static uint64_t acknowledged(struct flow *flow)
{
    uint64_t channels = (uint64_t)flow->options->channels;
    uint64_t slowest = UINT64_MAX, delivered = 0;

    for (unsigned i = 0; i < flow->reader_count; i++) {
        struct flow_reader *reader = &flow->readers[i];
        uint64_t number =
            atomic_load_explicit(&reader->slowest, memory_order_relaxed);

        slowest = number < slowest ? number : slowest;
        delivered +=
            atomic_load_explicit(&reader->delivered, memory_order_relaxed);
    }
    if (strcmp(flow->options->behind, "mean") == 0)
        return delivered * channels / flow->listeners;
    return slowest * channels;
}

uint64_t flow_room(struct flow *flow)
{
    uint64_t window = (uint64_t)flow->options->window;
    uint64_t behind;

    if (window == 0 || flow->listeners == 0)
        return UINT64_MAX;
    behind = atomic_load(&flow->published) - acknowledged(flow);
    if ((int64_t)behind < 0)
        return window;
    if (behind >= window || (window - behind) * 4 < window)
        return 0;
    return window - behind;
}

void flow_rouse(struct flow *flow)
{
    uint64_t one = 1;

    if (write(flow->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        bench_die("eventfd: %s", strerror(errno));
}

void flow_report(struct flow *flow)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&flow->is_waiting, memory_order_relaxed))
        return;
    if (flow_room(flow) > 0 && atomic_exchange(&flow->is_waiting, false))
        flow_rouse(flow);
}

static struct flow_totals take_once(struct flow *flow)
{
    struct flow_totals totals = {.at_ns = bench_now_ns()};

    totals.published = atomic_load(&flow->published);
    totals.answered = atomic_load(&flow->answered);
    for (unsigned i = 0; i < flow->reader_count; i++) {
        struct flow_reader *reader = &flow->readers[i];

        totals.delivered += atomic_load(&reader->delivered);
        totals.answers += atomic_load(&reader->answers);
        totals.lost += atomic_load(&reader->lost);
        totals.twice += atomic_load(&reader->twice);
        totals.closed += atomic_load(&reader->closed);
    }
    return totals;
}

void flow_take(struct flow *flow, struct flow_totals *totals_out)
{
    int64_t cpu_ns = cpu_used_ns(flow->options->pids);

    /* Again if we were put aside between the clock and the counters. */
    for (unsigned i = 0; i < TAKES; i++) {
        *totals_out = take_once(flow);
        if (bench_now_ns() - totals_out->at_ns < TAKE_NS)
            break;
    }
    totals_out->cpu_ns = cpu_ns;
}

bool flow_is_drained(struct flow *flow)
{
    struct flow_totals totals;
    uint64_t channels = (uint64_t)flow->options->channels;

    flow_take(flow, &totals);
    /* Channels have equally many listeners or one round more or less. */
    return flow->listeners == 0 ||
           (totals.delivered + totals.lost) * channels >=
               totals.published * flow->listeners;
}
