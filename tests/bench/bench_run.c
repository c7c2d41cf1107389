/* bench_run.c -- `loadgen run`: connect, publish, measure.
 *
 * Phases, each told on standard output so that a script can look at the server
 * in between (with --hold 1 it answers with a line when it has):
 *
 *     connected   every subscriber and the crowd are there, nothing published
 *     measured    the result is out, connections are still open
 *
 * Between them: the publisher starts, warm-up, counters are taken, the measured
 * time passes, counters are taken again, the publisher stops, and what it had
 * published is awaited. The rates come from the measured time only; the checks
 * (lost, twice, missing, closed) cover everything from the first event on.
 *
 * overall_s is the exception: all deliveries over the time from the first event
 * to the last delivery. Where a full window takes a good part of the measured
 * time to deliver, the other rate depends on which part of a round was caught.
 */
#include "bench_base.h"
#include "bench_commands.h"
#include "bench_crowd.h"
#include "bench_flow.h"
#include "bench_publisher.h"
#include "bench_readers.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define DRAIN_LOOK_MS 20

struct run {
    const struct options *options;
    struct flow flow;
    struct readers *readers;
    struct crowd *crowd;
    struct publisher *publisher;
    int64_t started_ns; /* the first event */
    struct flow_totals begin, end, last;
    bool is_drained;
};

static void pause_ms(int64_t ms)
{
    struct timespec rest = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&rest, &rest) != 0) {
    }
}

static void phase(const struct run *run, const char *name)
{
    char line[16];

    if (run->options->hold == 0)
        return;
    printf("{\"phase\":\"%s\"}\n", name);
    if (fgets(line, sizeof line, stdin) == NULL)
        bench_die("nobody answers phase %s", name);
}

static void connect_all(struct run *run)
{
    flow_init(&run->flow, run->options);
    if (run->flow.reader_count > 0) {
        run->readers = readers_start(&run->flow);
        readers_await(run->readers);
    }
    run->crowd = crowd_start(run->options);
    if (run->crowd != NULL)
        crowd_await(run->crowd);
}

static void await_drain(struct run *run)
{
    int64_t until_ns = bench_now_ns() + run->options->drain_ms * 1000000;

    while (!(run->is_drained = flow_is_drained(&run->flow)) &&
           bench_now_ns() < until_ns)
        pause_ms(DRAIN_LOOK_MS);
}

static void measure(struct run *run)
{
    run->started_ns = bench_now_ns();
    run->publisher = publisher_start(&run->flow);
    pause_ms(run->options->warmup_ms);
    atomic_store(&run->flow.is_measuring, true);
    flow_take(&run->flow, &run->begin);
    pause_ms(run->options->measure_ms);
    flow_take(&run->flow, &run->end);
    atomic_store(&run->flow.is_measuring, false);
    publisher_stop(run->publisher);
    await_drain(run);
    flow_take(&run->flow, &run->last);
}

static void print_rates(const struct run *run)
{
    const struct flow_totals *begin = &run->begin, *end = &run->end;
    double seconds = (double)(end->at_ns - begin->at_ns) / 1e9;
    double cpu_us = (double)(end->cpu_ns - begin->cpu_ns) / 1e3;
    uint64_t delivered = end->delivered - begin->delivered;

    printf("{\"seconds\":%.3f,\"published_s\":%.1f,\"answered_s\":%.1f,"
           "\"delivered_s\":%.1f,\"overall_s\":%.1f,\"cycles_s\":%.1f,\"cpu_"
           "share\":%.4f,"
           "\"cpu_us_per_delivery\":%.3f,",
           seconds, (double)(end->published - begin->published) / seconds,
           (double)(end->answered - begin->answered) / seconds,
           (double)delivered / seconds,
           (double)run->last.delivered * 1e9 /
               (double)(run->last.at_ns - run->started_ns),
           (double)(end->answers - begin->answers) / seconds,
           cpu_us / 1e6 / seconds,
           delivered > 0 ? cpu_us / (double)delivered : 0.0);
}

static void print_times(const struct run *run)
{
    static struct histogram latency;
    const struct histogram *replies = publisher_replies(run->publisher);

    if (run->readers != NULL)
        readers_merge(run->readers, &latency);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
           "\"reply_p50_us\":%.1f,\"reply_p99_us\":%.1f,\"reply_max_us\":%.1f,",
           histogram_us(&latency, 0.5), histogram_us(&latency, 0.99),
           histogram_us(&latency, 1.0), histogram_us(replies, 0.5),
           histogram_us(replies, 0.99), histogram_us(replies, 1.0));
}

/* Returns the exit status. */
static int print_checks(const struct run *run)
{
    const struct flow_totals *last = &run->last;

    printf("\"published\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"twice\":%" PRIu64
           ",\"closed\":%" PRIu64 ",\"missing\":%s,\"crowd_ended\":%" PRIu64
           "}\n",
           last->published, last->lost, last->twice, last->closed,
           run->is_drained ? "false" : "true",
           run->crowd != NULL ? crowd_ended(run->crowd) : 0);
    return last->lost + last->twice + last->closed > 0 || !run->is_drained;
}

int command_run(const struct options *options)
{
    static struct run run;
    int status = 0;

    run.options = options;
    connect_all(&run);
    phase(&run, "connected");
    if (options->publish != 0) {
        measure(&run);
        print_rates(&run);
        print_times(&run);
        status = print_checks(&run);
        phase(&run, "measured");
    }
    return status;
}
