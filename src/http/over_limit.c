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

#include <stdlib.h>

static const struct {
    unsigned status;
    const char *sentence;
} rows[LIMIT_COUNT] = {
#define L(name, setting, status, sentence) [LIMIT_##name] = {status, sentence},
    LIMITS(L)
#undef L
};

/* Between one and three seconds, so that they do not all come back together. */
static unsigned retry_after_s(struct connection *connection)
{
    return 1 + crew_random(connection_crew(connection)) % 3;
}

void over_limit_refuse(struct connection *connection, enum limit limit)
{
    struct metrics *metrics = crew_metrics(connection_crew(connection));
    struct buffer headers;

    CHECK(limit > LIMIT_NONE && limit < LIMIT_COUNT);
    metrics_add(metrics, METRIC_reserve_refused, 1);
    buffer_init(&headers);
    buffer_printf(&headers, "Retry-After: %u\r\n", retry_after_s(connection));
    connection_refuse(connection, rows[limit].status,
                      rows[limit].status == 429 ? "too_many" : "overload",
                      rows[limit].sentence, buffer_text(&headers));
    buffer_fini(&headers);
}

void over_limit_turn_away(struct connection *connection, struct order **order,
                          enum limit limit)
{
    const bool is_stream =
        !(*order)->is_one_answer && (*order)->flavor != FLAVOR_WEBSOCKET;

    if (!is_stream || connection_is_head(connection)) {
        order_destroy(order);
        over_limit_refuse(connection, limit);
        return;
    }
    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_reserve_refused, 1);
    stream_turn_away(connection, order);
}
