/* nats_metrics.c -- one static block for all intakes of the process, entered in
 * the list of blocks once. */
#include "nats_metrics.h"

#include <uv.h>

static struct metrics block;
static uv_once_t once = UV_ONCE_INIT;

static void enter(void)
{
    metrics_register(&block);
}

void nats_metrics_register(void)
{
    uv_once(&once, enter);
}

void nats_set(enum metric metric, int64_t value)
{
    atomic_store_explicit(&block.value[metric], value, memory_order_relaxed);
}

void nats_count(enum metric metric, int64_t by)
{
    (void)atomic_fetch_add_explicit(&block.value[metric], by,
                                    memory_order_relaxed);
}
