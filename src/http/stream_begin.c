/* stream_begin.c -- from a subscribe request to a subscriber that replays.
 *
 * It goes to the home of its first channel; a hot channel's home sends it on.
 * There it joins, and only then resolves its position: what retention takes in
 * between is noticed. Then the head and the opening are sent and the journal is
 * read.
 */
#include "stream.h"

#include "access.h"
#include "ahead.h"
#include "per_thread.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/replay.h>

#include <stdlib.h>

static void set_own_positions(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    const struct order *order = stream->order;

    for (unsigned i = 0; i < order->selector_count; i++)
        if (resume_find_own(crew, order, i,
                            &stream->subscriber.memberships[i].after) != ST_OK)
            return; /* without its own it starts at the least of all */
}

static void join(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    const struct order *order = stream->order;

    subscriber_init(
        &stream->subscriber, &stream_subscriber_calls,
        order_format(order, connection_is_http_10(stream->connection)), 0);
    if (order->selector_count == 0)
        return;
    crew_expect_batches(crew);
    directory_join(crew_directory(crew), &stream->subscriber, order->selectors,
                   order->selector_count);
    replay_note_trimmed(crew, &stream->subscriber);
    stream_count(stream, METRIC_subscribers, 1);
    stream_count(stream, METRIC_subscribers_replaying, 1);
}

/* No longer than its token holds; whole seconds, since each length of a deadline
 * is a list of its own. */
static int32_t wait_of(const struct stream *stream, uint32_t ends_s)
{
    const struct crew *crew = connection_crew(stream->connection);
    int64_t left_s = (int64_t)ends_s - crew_wall_ms(crew) / 1000 - 1;

    if (ends_s == 0 || left_s * 1000 >= stream->order->wait_ms)
        return (int32_t)stream->order->wait_ms;
    return left_s > 0 ? (int32_t)left_s * 1000 : 0;
}

static void begin_poll(struct stream *stream, const struct resume *resume)
{
    stream->until.wait_ms = wait_of(stream, access_ends_s(stream->connection));
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
    if (stream->websocket != NULL)
        websocket_append_head(stream, resume, &out);
    else
        stream_append_head(stream, resume, &out);
    connection_begin(stream->connection, CONNECTION_STREAMING);
    stream_push_raw(stream, buffer_text(&out));
    out.length = 0;
    stream_append_opening(stream, stream->order, &out);
    stream_say(stream, buffer_text(&out));
    out.length = 0; /* a message of its own on a WebSocket */
    if (resume->gap != GAP_NONE)
        stream_append_gap(stream, stream->order->position_text, resume, &out);
    stream_say(stream, buffer_text(&out));
    buffer_fini(&out);
    stream->until.ends_s = access_ends_s(stream->connection);
    stream_arm_keepalive(stream);
}

/* HEAD: what a GET would be told, without the stream. */
static void answer_head(struct stream *stream, const struct resume *resume)
{
    struct connection *connection = stream->connection;
    struct buffer out;
    struct frames *frames;

    buffer_init(&out);
    if (stream->order->is_one_answer)
        poll_append_head(stream, resume->after, &out);
    else
        stream_append_head(stream, resume, &out);
    frames = frames_from_text(buffer_text(&out));
    connection_answer_frames(connection, frames);
    frames_unref(&frames);
    buffer_fini(&out);
}

static bool is_refused(struct stream *stream, const struct resume *resume)
{
    if (resume->gap == GAP_NONE)
        return false;
    stream_count(stream, METRIC_gaps, 1);
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
        stream_log_failure(st);
        connection_refuse(connection, 500, "journal",
                          "the journal could not be read", text_of(""));
        return false;
    }
    stream->subscriber.cursor = resume->after;
    if (stream->order->position.kind == POSITION_CHANNELS)
        set_own_positions(stream);
    return !is_refused(stream, resume);
}

void stream_begin(struct stream *stream)
{
    struct connection *connection = stream->connection;
    struct order *order = stream->order;
    struct crew *crew = connection_crew(connection);
    bool is_one_answer = order->is_one_answer,
         is_shut = crew_is_shut(crew) && !seeded_bug("shutdown-early-let-in");
    struct resume resume = {0};

    if (!access_holds(connection)) { /* it was on its way for too long */
        access_refuse(connection);
        return;
    }
    if (!resolve(stream, &resume))
        return;
    if (connection_is_head(connection)) {
        answer_head(stream, &resume);
        return;
    }
    if (order->wait_key.length > 0 && order->selector_count > 0 &&
        order->wait_ms > 0 && !is_shut) {
        stream->key = wait_keys_hold(wait_keys_of(crew), order,
                                     access_subject(connection));
        stream->is_busy = stream->key == NULL;
    }
    ahead_begin(stream, &resume);
    if (is_one_answer)
        begin_poll(stream, &resume);
    else
        begin_stream(stream, &resume);
    stream->session = session_of_order(order);
    order_destroy(&stream->order);
    if (is_shut && !is_one_answer)
        stream_tell_shutdown(stream);
    else
        stream_replay(connection);
}

/* The home of a hot channel sends further subscribers round the other threads.
 * A wait key is known to the home alone, so its holders stay. */
void stream_arrived(struct connection *connection)
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
    stream_begin(stream);
}
