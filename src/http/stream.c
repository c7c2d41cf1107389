/* stream.c -- the life of a subscriber.
 *
 *     stream_open      on the thread that routed the request
 *     stream_arrived   on the home of its first channel, or where that sent it
 *     stream_begin     position resolved, wait key asked for, channels joined
 *     stream_replay    slices of the journal, each after the socket has drained
 *     offer            LIVE: a run of frames, queued if the outbox has room
 *     expired          keep-alive; or the end of a long-poll's patience
 *     destroy          leaves its channels
 *
 * A long-poll is the same subscriber with one answer: what it missed is
 * gathered, else it goes LIVE without having answered and the first offer is
 * its answer.
 */
#include "stream.h"

#include "access.h"
#include "ahead.h"
#include "per_thread.h"

#include <tidings/check.h>

#include <stdlib.h>

struct stream *stream_of(struct connection *connection)
{
    return connection_role(connection);
}

void stream_count(struct stream *stream, enum metric metric, int64_t by)
{
    metrics_add(crew_metrics(connection_crew(stream->connection)), metric, by);
}

/* ---- saying something ------------------------------------------------------
 */

void stream_push(struct stream *stream, struct frames *frames, uint32_t from,
                 uint32_t to)
{
    if (frames->sums != NULL)
        frames_sum(frames, from, to, &stream->sum);
    connection_push(stream->connection, frames, from, to);
}

void stream_say(struct stream *stream, struct text shape)
{
    struct frames *frames;

    if (shape.length == 0)
        return;
    frames = frames_from_shape(stream_format(stream), shape);
    stream_push(stream, frames, 0, frames->length);
    frames_unref(&frames);
}

void stream_push_raw(struct stream *stream, struct text bytes)
{
    struct frames *frames = frames_from_text(bytes);

    connection_push(stream->connection, frames, 0, frames->length);
    frames_unref(&frames);
}

/* What is left until its token ends; INT64_MAX: it never does. */
static int64_t left_ms(const struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);

    if (stream->gathering != NULL || stream->until.ends_s == 0)
        return INT64_MAX;
    return (int64_t)stream->until.ends_s * 1000 - crew_wall_ms(crew);
}

/* A connection has one deadline: the sooner of the next keep-alive and the end.
 * The way to the end is gone in at most three steps, each of one of few lengths,
 * because each length of a deadline is a list of its own. */
static int64_t step_ms(int64_t left_ms, int64_t keepalive_ms)
{
    const int64_t large_ms = keepalive_ms / 16, small_ms = keepalive_ms / 256;

    if (left_ms >= keepalive_ms)
        return keepalive_ms;
    if (large_ms > 0 && left_ms >= large_ms)
        return left_ms / large_ms * large_ms;
    if (small_ms > 0 && left_ms >= small_ms)
        return left_ms / small_ms * small_ms;
    return small_ms < 1 ? 1 : small_ms > 100 ? 100 : small_ms;
}

void stream_arm_keepalive(struct stream *stream)
{
    const struct config *config =
        crew_config(connection_crew(stream->connection));

    connection_set_deadline(
        stream->connection,
        ahead_deadline_ms(stream,
                          step_ms(left_ms(stream), config->keepalive_ms)));
}

bool stream_is_over(const struct stream *stream)
{
    return left_ms(stream) <= 0;
}

void stream_touch_keepalive(struct stream *stream)
{
    if (!crew_config(connection_crew(stream->connection))->keepalive_always &&
        stream->ahead == NULL)
        stream_arm_keepalive(stream);
}

/* ---- ending
 * -------------------------------------------------------------------- */

void stream_finish(struct stream *stream, bool says_retry)
{
    struct crew *crew = connection_crew(stream->connection);
    struct buffer out;

    if (stream->websocket != NULL) {
        websocket_close(stream,
                        says_retry ? WEBSOCKET_CLOSE_GOING_AWAY
                                   : WEBSOCKET_CLOSE_TRY_LATER,
                        "");
        return;
    }
    buffer_init(&out);
    if (says_retry)
        stream_append_retry(stream, stream_jittered_retry_ms(crew), &out);
    stream_say(stream, buffer_text(&out));
    out.length = 0;
    stream_append_end(stream, &out);
    stream_push_raw(stream, buffer_text(&out));
    buffer_fini(&out);
    connection_finish(stream->connection);
}

void stream_leave(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);

    wait_keys_free(wait_keys_of(crew), &stream->key);
    if (stream->subscriber.state == SUBSCRIBER_APART)
        return;
    if (stream->subscriber.state == SUBSCRIBER_REPLAYING)
        stream_count(stream, METRIC_subscribers_replaying, -1);
    stream_count(stream, METRIC_subscribers, -1);
    directory_leave(crew_directory(crew), &stream->subscriber);
    crew_spare_batches(crew);
}

/* The one answer is on its way: no further offer may come. */
void stream_answer_now(struct stream *stream)
{
    poll_answer(stream);
    stream_leave(stream);
}

static void farewell(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->gathering != NULL)
        stream_answer_now(stream);
    else
        stream_finish(stream, true);
}

void stream_end_access(struct stream *stream, enum metric why)
{
    stream_count(stream, why, 1);
    if (stream->gathering != NULL)
        stream_answer_now(stream);
    else if (stream->websocket != NULL)
        websocket_close(stream, WEBSOCKET_CLOSE_UNAUTHORIZED,
                        "the token does not hold any more");
    else
        stream_finish(stream, true);
}

void stream_revoked(struct connection *connection)
{
    stream_end_access(stream_of(connection), METRIC_streams_revoked);
}

/* ---- a scheduled shutdown
 * ---------------------------------------------------------- */

void stream_tell_shutdown(struct stream *stream)
{
    struct buffer out;

    if (stream->gathering != NULL) {
        stream_append_announcement(stream, &stream->gathering->body);
        stream_answer_now(stream);
        return;
    }
    buffer_init(&out);
    stream_append_announcement(stream, &out);
    stream_say(stream, buffer_text(&out));
    buffer_fini(&out);
    stream_finish(stream, true);
}

/* A poll that still reads what it missed finds out when it has read that. */
void stream_announced(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->gathering == NULL ||
        stream->subscriber.state == SUBSCRIBER_LIVE)
        stream_tell_shutdown(stream);
}

void stream_destroy(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    stream_leave(stream);
    session_end(stream);
    order_destroy(&stream->order);
    websocket_destroy(&stream->websocket, connection_crew(connection));
    journal_trail_fini(&stream->trail);
    ahead_end(stream);
    if (stream->gathering != NULL) {
        frames_unref(&stream->gathering->answer);
        buffer_fini(&stream->gathering->body);
        free(stream->gathering);
    }
    free(stream);
}

/* ---- live
 * ------------------------------------------------------------------------ */

static enum status offer(struct subscriber *subscriber, struct frames *frames,
                         uint32_t from, uint32_t to, uint64_t last_id)
{
    struct stream *stream = CONTAINER_OF(subscriber, struct stream, subscriber);
    struct crew *crew = connection_crew(stream->connection);
    size_t waiting = connection_waiting_bytes(stream->connection);

    if (stream->gathering != NULL) {
        stream_count(stream, METRIC_deliveries, 1);
        poll_answer_run(stream, frames, from, to, last_id);
        stream_leave(stream);
        return ST_OK;
    }
    if (waiting > 0 &&
        waiting + (to - from) > (size_t)crew_config(crew)->outbox_bytes)
        return ST_FULL;
    stream_count(stream, METRIC_deliveries, 1);
    stream_push(stream, frames, from, to);
    stream_touch_keepalive(stream);
    return ST_OK;
}

static void demoted(struct subscriber *subscriber)
{
    struct stream *stream = CONTAINER_OF(subscriber, struct stream, subscriber);

    stream_count(stream, METRIC_subscribers_replaying, 1);
    connection_want_replay(stream->connection);
}

const struct subscriber_calls stream_subscriber_calls = {offer, demoted};

void stream_go_live(struct stream *stream)
{
    subscriber_move(&stream->subscriber, SUBSCRIBER_LIVE);
    subscriber_forget_passed(&stream->subscriber);
    stream_count(stream, METRIC_subscribers_replaying, -1);
    journal_trail_fini(&stream->trail);
}

/* ---- the connection asks -----------------------------------------------------
 */

void stream_drained(struct connection *connection)
{
    if (stream_of(connection)->subscriber.state == SUBSCRIBER_REPLAYING)
        connection_want_replay(connection);
}

/* It was ahead, and is no more, untold: the rest of its patience is left. */
static bool poll_waits_on(struct stream *stream)
{
    const struct crew *crew = connection_crew(stream->connection);
    const int64_t left_ms =
        stream->until.wait_ms - crew_config(crew)->ahead_wait_ms;

    if (stream->gathering->body.length > 0 || left_ms <= 0)
        return false;
    connection_set_deadline(stream->connection, left_ms);
    return true;
}

static void expired(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    struct buffer out;

    if (stream->gathering != NULL) {
        if (!ahead_expired(stream) || !poll_waits_on(stream))
            stream_answer_now(stream);
        return;
    }
    if (ahead_expired(stream) && !stream_is_over(stream)) {
        stream_arm_keepalive(stream);
        return;
    }
    if (stream_is_over(stream)) {
        stream_end_access(stream, METRIC_streams_expired);
        return;
    }
    stream_arm_keepalive(stream);
    if (connection_waiting_bytes(connection) > 0)
        return; /* bytes are on their way: not silent */
    buffer_init(&out);
    stream_append_keepalive(stream, &out);
    stream_say(stream, buffer_text(&out));
    buffer_fini(&out);
    stream_count(stream, METRIC_keepalives, 1);
}

static const struct role_calls stream_calls = {
    .name = "stream",
    .arrived = stream_arrived,
    .replay = stream_replay,
    .drained = stream_drained,
    .expired = expired,
    .announced = stream_announced,
    .revoked = stream_revoked,
    .farewell = farewell,
    .answered = poll_claimed,
    .destroy = stream_destroy,
};

/* As the role of its connection, not begun. */
static struct stream *create(struct connection *connection,
                             struct order **order)
{
    struct stream *stream = must_calloc(1, sizeof *stream);
    struct crew *crew = connection_crew(connection);

    stream->connection = connection;
    stream->order = *order;
    *order = NULL;
    stream->flavor = (uint8_t)stream->order->flavor;
    stream->is_ndjson = stream->order->is_ndjson;
    stream->is_gzip = stream->order->is_gzip;
    stream->has_message_keepalive = stream->order->has_message_keepalive;
    if (stream->order->flavor == FLAVOR_WEBSOCKET)
        stream->websocket = websocket_create(crew);
    connection_set_role(
        connection,
        stream->websocket != NULL ? &websocket_calls : &stream_calls, stream);
    return stream;
}

void stream_turn_away(struct connection *connection, struct order **order)
{
    struct stream *stream = create(connection, order);
    struct buffer out;

    subscriber_init(
        &stream->subscriber, &stream_subscriber_calls,
        order_format(stream->order, connection_is_http_10(connection)), 0);
    buffer_init(&out);
    stream_append_head(stream, NULL, &out);
    connection_begin(connection, CONNECTION_STREAMING);
    stream_push_raw(stream, buffer_text(&out));
    buffer_fini(&out);
    stream_finish(stream, true);
}

void stream_open(struct connection *connection, struct order **order)
{
    struct stream *stream = create(connection, order);
    struct crew *crew = connection_crew(connection);

    if ((stream->order->is_one_answer && stream->order->wait_ms == 0) ||
        connection_is_head(connection) || stream->order->selector_count == 0)
        stream_begin(stream);
    else
        connection_move(connection,
                        crew_home(crew, stream->order->selectors[0]));
}
