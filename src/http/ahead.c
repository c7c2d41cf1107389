/* ahead.c -- nothing but a cursor that is higher than the newest id.
 *
 * A subscriber's cursor says what it has; offers at or below it are left out. So
 * one whose cursor is ahead simply goes LIVE: the events that it has pass it by,
 * and the first beyond its cursor is given. What is left to do here is to bound
 * the wait, since an id that no event ever gets would keep a client silent for
 * good, and to say so: the cursor then goes back to the newest id, and the journal
 * is read from there.
 */
#include "ahead.h"

#include "stream.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <stdlib.h>

/* Sequences that a stream may have beyond the base of its creation time. */
#define SLACK (UINT64_C(1) << 40)

struct ahead {
    uint64_t id; /* the furthest of what it said */
    int64_t until_ms;
};

bool ahead_is_plausible(const struct crew *crew, uint64_t id)
{
    const struct config *config = crew_config(crew);
    const uint64_t now_s = (uint64_t)crew_wall_ms(crew) / 1000;

    return config->stream[0] != '\0' && config->ahead_wait_ms > 0 &&
           id <= (now_s << 20) + SLACK && !seeded_bug("ahead-is-future");
}

void ahead_begin(struct stream *stream, const struct resume *resume)
{
    struct crew *crew = connection_crew(stream->connection);

    if (resume->ahead_id == 0)
        return;
    if (stream->ahead == NULL)
        stream->ahead = must_calloc(1, sizeof *stream->ahead);
    if (stream->ahead->id < resume->ahead_id)
        stream->ahead->id = resume->ahead_id;
    stream->ahead->until_ms =
        crew_now_ms(crew) + crew_config(crew)->ahead_wait_ms;
    stream_count(stream, METRIC_ahead, 1);
    if (seeded_bug("ahead-repeated"))
        stream->subscriber.cursor =
            journal_last_id(crew_journal(crew)); /* gets again what it has */
}

int64_t ahead_deadline_ms(const struct stream *stream, int64_t otherwise_ms)
{
    const struct crew *crew = connection_crew(stream->connection);
    int64_t left_ms;

    if (stream->ahead == NULL)
        return otherwise_ms;
    /* In steps of one length: each length of a deadline is a list of its own. */
    left_ms = crew_config(crew)->ahead_wait_ms;
    return left_ms < otherwise_ms ? left_ms : otherwise_ms;
}

int64_t ahead_patience_ms(const struct stream *stream)
{
    const struct crew *crew = connection_crew(stream->connection);

    return stream->ahead != NULL ? crew_config(crew)->ahead_wait_ms
                                 : stream->until.wait_ms;
}

void ahead_end(struct stream *stream)
{
    free(stream->ahead);
    stream->ahead = NULL;
}

/* From the newest id on, whatever it said. */
static void go_back(struct stream *stream, uint64_t newest)
{
    struct subscriber *subscriber = &stream->subscriber;

    for (unsigned i = 0; i < subscriber->membership_count; i++)
        if (subscriber->memberships[i].after > newest)
            subscriber->memberships[i].after = newest;
    if (subscriber->cursor > newest)
        subscriber->cursor = newest;
    if (stream->gathering == NULL && subscriber->state == SUBSCRIBER_LIVE)
        subscriber_demote(subscriber, newest);
}

static void tell(struct stream *stream, uint64_t id, uint64_t newest)
{
    const struct resume resume = {.after = newest, .gap = GAP_FUTURE};
    struct buffer requested, out;

    buffer_init(&requested);
    buffer_init(&out);
    buffer_append_u64(&requested, id);
    stream_append_gap(stream, buffer_text(&requested), &resume, &out);
    if (stream->gathering != NULL)
        buffer_append_text(&stream->gathering->body, buffer_text(&out));
    else
        stream_say(stream, buffer_text(&out));
    stream_count(stream, METRIC_gaps, 1);
    buffer_fini(&requested);
    buffer_fini(&out);
}

bool ahead_expired(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    const struct ahead *ahead = stream->ahead;
    uint64_t newest;

    if (ahead == NULL)
        return false;
    newest = resume_newest_id(crew, ahead->id);
    if (newest < ahead->id && crew_now_ms(crew) < ahead->until_ms)
        return false;
    if (newest < ahead->id) {
        tell(stream, ahead->id, newest);
        go_back(stream, newest);
    }
    ahead_end(stream);
    return true;
}
