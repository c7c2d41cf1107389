/* stream.c -- the life of a subscriber.
 *
 *     stream_open      on the thread that routed the request
 *     arrived          on the home of its first channel, or where that sent it
 *     begin            position resolved, wait key asked for, channels joined
 *     replay           slices of the journal, each after the socket has drained
 *     offer            LIVE: a run of frames, queued if the outbox has room
 *     expired          keep-alive; or the end of a long-poll's patience
 *     destroy          leaves its channels
 *
 * A long-poll is the same subscriber with one answer: what it missed is
 * gathered, else it goes LIVE without having answered and the first offer is
 * its answer.
 */
#include "stream.h"

#include <tidings/check.h>
#include <tidings/logger.h>
#include <tidings/replay.h>

#include <stdlib.h>

enum {
    SLICE_EVENTS = 1000,
    SLICE_BYTES = 32768,
    ANSWER_EVENTS_MAX = 1000,
    ANSWER_BYTES_MAX = 1048576
};

static struct stream *stream_of(struct connection *connection)
{
    return connection_role(connection);
}

static void count(struct stream *stream, enum metric metric, int64_t by)
{
    metrics_add(crew_metrics(connection_crew(stream->connection)), metric, by);
}

static void push(struct stream *stream, struct text bytes)
{
    struct frames *frames = frames_from_text(bytes);

    connection_push(stream->connection, frames, 0, frames->length);
    frames_unref(&frames);
}

static void arm_keepalive(struct stream *stream)
{
    connection_set_deadline(
        stream->connection,
        crew_config(connection_crew(stream->connection))->keepalive_ms);
}

/* Something was sent: the silence begins anew. */
static void touch_keepalive(struct stream *stream)
{
    if (!crew_config(connection_crew(stream->connection))->keepalive_always)
        arm_keepalive(stream);
}

/* ---- ending
 * -------------------------------------------------------------------- */

static void finish_stream(struct stream *stream, bool says_retry)
{
    struct crew *crew = connection_crew(stream->connection);
    struct buffer out;

    buffer_init(&out);
    if (says_retry)
        stream_append_retry(stream, stream_jittered_retry_ms(crew), &out);
    stream_append_end(stream, &out);
    push(stream, buffer_text(&out));
    buffer_fini(&out);
    connection_finish(stream->connection);
}

static void leave(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);

    if (stream->subscriber.state == SUBSCRIBER_APART)
        return;
    if (stream->subscriber.state == SUBSCRIBER_REPLAYING)
        count(stream, METRIC_subscribers_replaying, -1);
    count(stream, METRIC_subscribers, -1);
    directory_leave(crew_directory(crew), &stream->subscriber);
    crew_spare_batches(crew);
    wait_keys_free(crew_http(crew), &stream->key);
}

/* The one answer is on its way: no further offer may come. */
static void answer_now(struct stream *stream)
{
    poll_answer(stream);
    leave(stream);
}

static void farewell(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->gathering != NULL)
        answer_now(stream);
    else
        finish_stream(stream, true);
}

static void destroy(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    leave(stream);
    order_destroy(&stream->order);
    journal_trail_fini(&stream->trail);
    if (stream->gathering != NULL) {
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
        count(stream, METRIC_deliveries, 1);
        poll_answer_run(stream, frames, from, to, last_id);
        leave(stream);
        return ST_OK;
    }
    if (waiting > 0 &&
        waiting + (to - from) > (size_t)crew_config(crew)->outbox_bytes)
        return ST_FULL;
    count(stream, METRIC_deliveries, 1);
    connection_push(stream->connection, frames, from, to);
    touch_keepalive(stream);
    return ST_OK;
}

static void demoted(struct subscriber *subscriber)
{
    struct stream *stream = CONTAINER_OF(subscriber, struct stream, subscriber);

    count(stream, METRIC_subscribers_replaying, 1);
    connection_want_replay(stream->connection);
}

static const struct subscriber_calls subscriber_calls = {offer, demoted};

static void go_live(struct stream *stream)
{
    subscriber_move(&stream->subscriber, SUBSCRIBER_LIVE);
    count(stream, METRIC_subscribers_replaying, -1);
    journal_trail_fini(&stream->trail);
}

/* ---- replaying
 * --------------------------------------------------------------------- */

static void log_failure(enum status st)
{
    LOG_LINE(LOG_ERROR, "http", "a stream could not read the journal",
             LOG_STR("why", status_text(st)));
}

/* Retention was faster than this reader: told in its place in the stream. */
static void append_gap(struct stream *stream, uint64_t cursor,
                       const struct replay *replay, struct buffer *out)
{
    struct resume resume = {.after = replay->resumed, .gap = GAP_TRIMMED};
    struct buffer requested;

    buffer_init(&requested);
    buffer_append_u64(&requested, cursor);
    stream_append_gap(stream, buffer_text(&requested), &resume, out);
    buffer_fini(&requested);
    count(stream, METRIC_gaps, 1);
}

static void push_gap(struct stream *stream, uint64_t cursor,
                     const struct replay *replay)
{
    struct buffer out;

    buffer_init(&out);
    append_gap(stream, cursor, replay, &out);
    push(stream, buffer_text(&out));
    buffer_fini(&out);
}

static void replay_stream(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    uint64_t cursor = stream->subscriber.cursor;
    struct replay replay;
    enum status st;

    if (connection_waiting_bytes(stream->connection) > SLICE_BYTES)
        return; /* drained() asks again */
    st = replay_slice(crew, &stream->subscriber, &stream->trail, SLICE_EVENTS,
                      SLICE_BYTES, &replay);
    if (st != ST_OK) {
        log_failure(st);
        finish_stream(stream, true);
        return;
    }
    if (replay.has_gap)
        push_gap(stream, cursor, &replay);
    if (replay.frames != NULL) {
        count(stream, METRIC_deliveries, replay.frames->mark_count);
        connection_push(stream->connection, replay.frames, 0,
                        replay.frames->length);
        touch_keepalive(stream);
    }
    if (replay.is_caught_up && stream->is_busy)
        finish_stream(stream, false);
    else if (replay.is_caught_up)
        go_live(stream);
    else if (replay.frames == NULL)
        connection_want_replay(stream->connection);
    frames_unref(&replay.frames);
}

/* Nothing yet: wait for the first offer, if it may. */
static void wait_or_answer(struct stream *stream)
{
    if (stream->gathering->body.length > 0 || stream->wait_ms == 0 ||
        stream->is_busy ||
        crew_is_draining(connection_crew(stream->connection)))
        answer_now(stream);
    else {
        go_live(stream);
        connection_set_deadline(stream->connection, stream->wait_ms);
    }
}

static void gather(struct stream *stream, uint64_t cursor,
                   struct replay *replay)
{
    struct gathering *gathering = stream->gathering;

    if (replay->has_gap)
        append_gap(stream, cursor, replay, &gathering->body);
    if (replay->frames == NULL)
        return;
    count(stream, METRIC_deliveries, replay->frames->mark_count);
    gathering->events += replay->frames->mark_count;
    buffer_append(&gathering->body, replay->frames->bytes,
                  replay->frames->length);
    frames_unref(&replay->frames);
}

static void replay_poll(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    struct gathering *gathering = stream->gathering;
    uint64_t cursor = stream->subscriber.cursor;
    struct replay replay;
    enum status st =
        replay_slice(crew, &stream->subscriber, &stream->trail,
                     ANSWER_EVENTS_MAX - gathering->events,
                     ANSWER_BYTES_MAX - gathering->body.length, &replay);

    if (st != ST_OK) {
        log_failure(st);
        connection_refuse(stream->connection, 500, "journal",
                          "the journal could not be read", text_of(""));
        leave(stream);
        return;
    }
    gather(stream, cursor, &replay);
    if (gathering->events >= ANSWER_EVENTS_MAX ||
        gathering->body.length >= ANSWER_BYTES_MAX)
        answer_now(stream);
    else if (replay.is_caught_up)
        wait_or_answer(stream);
    else
        connection_want_replay(stream->connection);
}

static void replay(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->subscriber.state != SUBSCRIBER_REPLAYING)
        return;
    if (connection_state(connection) == CONNECTION_WAITING)
        replay_poll(stream);
    else if (connection_state(connection) == CONNECTION_STREAMING)
        replay_stream(stream);
}

static void drained(struct connection *connection)
{
    if (stream_of(connection)->subscriber.state == SUBSCRIBER_REPLAYING)
        connection_want_replay(connection);
}

static void expired(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    struct buffer out;

    if (stream->gathering != NULL) {
        answer_now(stream);
        return;
    }
    arm_keepalive(stream);
    if (connection_waiting_bytes(connection) > 0)
        return; /* bytes are on their way: not silent */
    buffer_init(&out);
    stream_append_keepalive(stream, &out);
    push(stream, buffer_text(&out));
    buffer_fini(&out);
    count(stream, METRIC_keepalives, 1);
}

/* ---- beginning
 * ------------------------------------------------------------------------ */

static void set_own_positions(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    const struct order *order = stream->order;

    for (unsigned i = 0; i < order->selector_count; i++) {
        struct position position = {.kind = POSITION_LATEST}, one;
        struct text channel;
        struct resume resume = {0};
        size_t cursor = 0;

        while (position_next_channel(order->position.json, &cursor, &channel,
                                     &one))
            if (text_equals(channel, order->selectors[i]))
                position = one;
        if (resume_find_channel(crew, order->selectors[i], &position,
                                &resume) == ST_OK)
            stream->subscriber.memberships[i].after = resume.after;
    }
}

static void join(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    const struct order *order = stream->order;

    subscriber_init(
        &stream->subscriber, &subscriber_calls,
        order_format(order, connection_is_http_10(stream->connection)), 0);
    crew_expect_batches(crew);
    directory_join(crew_directory(crew), &stream->subscriber, order->selectors,
                   order->selector_count);
    replay_note_trimmed(crew, &stream->subscriber);
    count(stream, METRIC_subscribers, 1);
    count(stream, METRIC_subscribers_replaying, 1);
}

static void begin_poll(struct stream *stream, const struct resume *resume)
{
    stream->gathering = must_calloc(1, sizeof *stream->gathering);
    buffer_init(&stream->gathering->body);
    if (resume->gap != GAP_NONE)
        stream_append_gap(stream, stream->order->position_text, resume,
                          &stream->gathering->body);
    connection_begin(stream->connection, CONNECTION_WAITING);
}

static void begin_stream(struct stream *stream, const struct resume *resume)
{
    struct buffer out;

    buffer_init(&out);
    stream_append_head(stream, stream->order, resume, &out);
    stream_append_opening(stream, stream->order, &out);
    if (resume->gap != GAP_NONE)
        stream_append_gap(stream, stream->order->position_text, resume, &out);
    connection_begin(stream->connection, CONNECTION_STREAMING);
    push(stream, buffer_text(&out));
    buffer_fini(&out);
    arm_keepalive(stream);
}

/* HEAD: what a GET would be told, without the stream. */
static void answer_head(struct stream *stream, const struct resume *resume)
{
    struct connection *connection = stream->connection;
    struct buffer out;
    struct frames *frames;

    buffer_init(&out);
    stream_append_head(stream, stream->order, resume, &out);
    frames = frames_from_text(buffer_text(&out));
    connection_answer_frames(connection, frames);
    frames_unref(&frames);
    buffer_fini(&out);
}

static bool is_refused(struct stream *stream, const struct resume *resume)
{
    if (resume->gap == GAP_NONE)
        return false;
    count(stream, METRIC_gaps, 1);
    if (!stream->order->rejects_gaps)
        return false;
    connection_refuse(stream->connection, 410, "gap",
                      "part of what was missed is not kept any more",
                      text_of("Cache-Control: no-store\r\n"));
    return true;
}

/* Joined first, resolved then: what retention takes in between is noticed. */
static bool resolve(struct stream *stream, struct resume *resume)
{
    struct connection *connection = stream->connection;
    enum status st;

    join(stream);
    st = resume_find(connection_crew(connection), stream->order, resume);
    if (st != ST_OK) {
        log_failure(st);
        connection_refuse(connection, 500, "journal",
                          "the journal could not be read", text_of(""));
        return false;
    }
    stream->subscriber.cursor = resume->after;
    if (stream->order->position.kind == POSITION_CHANNELS)
        set_own_positions(stream);
    return !is_refused(stream, resume);
}

static void begin(struct stream *stream)
{
    struct connection *connection = stream->connection;
    struct order *order = stream->order;
    struct resume resume = {0};

    if (!resolve(stream, &resume))
        return;
    if (connection_is_head(connection)) {
        answer_head(stream, &resume);
        return;
    }
    if (order->wait_key.length > 0 && order->wait_ms > 0) {
        stream->key =
            wait_keys_hold(crew_http(connection_crew(connection)), order);
        stream->is_busy = stream->key == NULL;
    }
    if (order->is_one_answer)
        begin_poll(stream, &resume);
    else
        begin_stream(stream, &resume);
    order_destroy(&stream->order);
    replay(connection);
}

/* The home of a hot channel sends further subscribers round the other threads.
 * A wait key is known to the home alone, so its holders stay. */
static void arrived(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    struct crew *crew = connection_crew(connection);
    const struct order *order = stream->order;

    if (!stream->is_spread && order->wait_key.length == 0 &&
        directory_local_count(crew_directory(crew), order->selectors[0]) >=
            (unsigned)crew_config(crew)->spread_after) {
        stream->is_spread = true;
        connection_move(connection, crew_next(crew));
        return;
    }
    begin(stream);
}

static const struct role_calls stream_calls = {
    .name = "stream",
    .arrived = arrived,
    .replay = replay,
    .drained = drained,
    .expired = expired,
    .farewell = farewell,
    .destroy = destroy,
};

void stream_open(struct connection *connection, struct order **order)
{
    struct stream *stream = must_calloc(1, sizeof *stream);
    struct crew *crew = connection_crew(connection);

    stream->connection = connection;
    stream->order = *order;
    *order = NULL;
    stream->wait_ms = (int32_t)stream->order->wait_ms;
    stream->flavor = (uint8_t)stream->order->flavor;
    stream->is_ndjson = stream->order->is_ndjson;
    stream->has_message_keepalive = stream->order->has_message_keepalive;
    connection_set_role(connection, &stream_calls, stream);
    if ((stream->order->is_one_answer && stream->wait_ms == 0) ||
        connection_is_head(connection))
        begin(stream);
    else
        connection_move(connection,
                        crew_home(crew, stream->order->selectors[0]));
}
