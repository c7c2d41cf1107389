/* metrics.c -- the blocks of all threads, added up when somebody asks.
 *
 * Blocks form a list that only grows: a push is one compare-and-swap, a sum
 * walks it without a lock. A sum is not a snapshot of one instant, which no
 * scrape needs.
 *
 * Names on the outside are `tidings_` and the name in the table, counters with
 * `_total` behind it as Prometheus wants them.
 */
#include <tidings/buffer.h>
#include <tidings/metrics.h>

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static struct metrics *_Atomic newest_block;

static const struct {
    const char *name, *type, *help;
} row[METRIC_COUNT] = {
#define METRIC(name, type, help) {#name, type, help},
    METRICS(METRIC)
#undef METRIC
};

void metrics_register(struct metrics *block)
{
    struct metrics *head =
        atomic_load_explicit(&newest_block, memory_order_relaxed);

    do {
        block->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&newest_block, &head, block,
                                                    memory_order_release,
                                                    memory_order_relaxed));
}

int64_t metrics_sum(enum metric metric)
{
    const struct metrics *block =
        atomic_load_explicit(&newest_block, memory_order_acquire);
    int64_t sum = 0;

    for (; block != NULL; block = block->next)
        sum +=
            atomic_load_explicit(&block->value[metric], memory_order_relaxed);
    return sum;
}

void metrics_append_figure(struct buffer *out, const char *name,
                           const char *type, const char *help, uint64_t value)
{
    const char *suffix = strcmp(type, "counter") == 0 ? "_total" : "";

    buffer_printf(out,
                  "# HELP tidings_%s%s %s\n# TYPE tidings_%s%s %s\n"
                  "tidings_%s%s %" PRIu64 "\n",
                  name, suffix, help, name, suffix, type, name, suffix, value);
}

void metrics_append(struct buffer *out)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const int64_t sum = metrics_sum((enum metric)i);

        /* A gauge may be read between one thread's step and another's. */
        metrics_append_figure(out, row[i].name, row[i].type, row[i].help,
                              sum > 0 ? (uint64_t)sum : 0);
    }
}
