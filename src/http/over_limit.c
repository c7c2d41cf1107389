/* over_limit.c -- no, and when to come back.
 *
 * A request is told by its status: 429 where the client has too much of
 * something, 503 where all have together. An EventSource gives up for good at
 * any status but 200, so a stream is begun and ended, and says `retry:`. Its
 * head names no position: nothing was read for it.
 */
#include "over_limit.h"

#include "stream.h"

#include <tidings/check.h>

#include <inttypes.h>
#include <stdlib.h>

static const struct {
    unsigned status;
    const char *sentence;
    enum metric metric;
} rows[LIMIT_COUNT] = {
#define L(name, setting, status, sentence)                                     \
    [LIMIT_##name] = {status, sentence, METRIC_over_##setting},
    LIMITS(L)
#undef L
};

/* Between one and three seconds if nobody knows, so that they do not all come
 * back together. */
static uint64_t retry_after_s(struct connection *connection, int64_t wait_ms)
{
    return wait_ms > 0 ? (uint64_t)(wait_ms + 999) / 1000
                       : 1 + crew_random(connection_crew(connection)) % 3;
}

/* What comes with the connection was counted when that was let in. */
static void count(struct connection *connection, enum limit limit)
{
    struct metrics *metrics = crew_metrics(connection_crew(connection));

    CHECK(limit > LIMIT_NONE && limit < LIMIT_COUNT);
    metrics_add(metrics,
                connection_limit(connection) == limit ? METRIC_reserve_refused
                                                      : rows[limit].metric,
                1);
}

static void refuse(struct connection *connection, enum limit limit,
                   int64_t wait_ms)
{
    struct buffer headers;

    buffer_init(&headers);
    buffer_printf(&headers, "Retry-After: %" PRIu64 "\r\n",
                  retry_after_s(connection, wait_ms));
    connection_refuse(connection, rows[limit].status,
                      rows[limit].status == 429 ? "too_many" : "overload",
                      rows[limit].sentence, buffer_text(&headers));
    buffer_fini(&headers);
}

void over_limit_refuse(struct connection *connection, enum limit limit,
                       int64_t wait_ms)
{
    count(connection, limit);
    refuse(connection, limit, wait_ms);
}

void over_limit_turn_away(struct connection *connection, struct order **order,
                          enum limit limit, int64_t wait_ms)
{
    count(connection, limit);
    if (order_comes_back(*order) && !connection_is_head(connection)) {
        stream_turn_away(connection, order);
        return;
    }
    order_destroy(order);
    refuse(connection, limit, wait_ms);
}
