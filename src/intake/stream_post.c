/* stream_post.c -- a handful of events and the position behind them, as one
 * publish; and what the journal answers.
 *
 * The row that goes with the events is all that the next start needs. The answer
 * comes on the journal's thread: it tells those here who wait for an event that
 * they sent to the stream, and sends on what was refused. A step that is refused
 * as a whole only sets a flag; the thread then begins anew from what is stored.
 */
#include "follower_inside.h"
#include "nats_metrics.h"
#include "nats_reply.h"

#include <tidings/check.h>

#include <stdlib.h>

#define IN_FLIGHT_MAX 64
#define POST_MS       500

/* Goes with a step and comes back with its answer. */
struct marks {
    struct follower *follower;
    struct stream_position position; /* behind the step */
    unsigned count;
    char *bytes; /* of the marks, one after the other */
    struct awaited awaited[];
};

/* ---- the journal's answers, on its thread -------------------------------- */

static void owe_refused(struct follower *follower, struct event **event)
{
    struct replies *replies = follower->options.replies;
    struct owed *owed = owed_create(replies, NULL);

    nats_count(METRIC_nats_rejected, 1);
    owed->refusal = refusal_of_result((enum status)(*event)->refused);
    owed->event = *event;
    *event = NULL;
    replies_owe(replies, &owed);
}

static void tell_awaited(const struct marks *marks,
                         const struct publish *publish)
{
    const struct follower_options *options = &marks->follower->options;

    if (marks->count > 0)
        options->on_stored(options->arg, marks->awaited, marks->count,
                           publish->events);
}

static void note_stored(struct follower *follower, const struct marks *marks,
                        const struct publish *publish)
{
    uv_mutex_lock(&follower->mutex);
    follower->shared.stored = marks->position;
    follower->shared.stored_upto = publish->step->upto;
    uv_mutex_unlock(&follower->mutex);
    nats_set(METRIC_stream_sequence, (int64_t)publish->step->upto);
}

static void end_flight(struct follower *follower)
{
    (void)atomic_fetch_sub(&follower->in_flight, 1);
    uv_mutex_lock(&follower->mutex);
    uv_cond_broadcast(&follower->news);
    uv_mutex_unlock(&follower->mutex);
}

static void on_step(struct publish *publish)
{
    struct marks *marks = publish->asker;
    struct follower *follower = marks->follower;

    if (publish->result == ST_OK) {
        note_stored(follower, marks, publish);
        tell_awaited(marks, publish);
        for (unsigned i = 0; i < publish->count; i++)
            if (publish->events[i]->refused != ST_OK)
                owe_refused(follower, &publish->events[i]);
    } else {
        int none = ST_OK;

        (void)atomic_compare_exchange_strong(&follower->refused, &none,
                                             (int)publish->result);
    }
    publish_destroy(&publish);
    free(marks->bytes);
    free(marks);
    end_flight(follower);
}

/* ---- posting ------------------------------------------------------------- */

static struct source_step *make_step(struct follower *follower)
{
    unsigned char row[STREAM_ROW_MAX];
    const unsigned bytes = stream_position_encode(&follower->at, row);
    struct source_step *step = source_step_create(row, bytes);

    step->after = follower->posted_upto;
    step->upto = follower->at.sequence;
    step->first_id = follower->at.epochs[0].base + 1;
    step->missing_id = follower->missing_id;
    step->rewound_after = follower->rewound_after;
    step->rewound_upto = follower->rewound_upto;
    return step;
}

static struct marks *make_marks(struct follower *follower,
                                struct handful *handful)
{
    const unsigned count = handful != NULL ? handful->awaited_count : 0;
    struct marks *marks =
        must_calloc(1, sizeof *marks + count * sizeof marks->awaited[0]);

    marks->follower = follower;
    marks->position = follower->at;
    marks->count = count;
    if (count == 0)
        return marks;
    marks->bytes = must_malloc(handful->marks.length);
    memcpy(marks->bytes, handful->marks.bytes, handful->marks.length);
    for (unsigned i = 0; i < count; i++) {
        marks->awaited[i] = handful->awaited[i];
        marks->awaited[i].mark.bytes = marks->bytes + handful->mark_at[i];
    }
    return marks;
}

/* Into the journal, whenever it has room; or thrown away at the end and after a
 * refusal, as the stream still has it. */
static void post(struct follower *follower, struct publish *publish,
                 struct marks *marks)
{
    enum status st = ST_FULL;

    publish->answer = on_step;
    publish->asker = marks;
    follower->posted_upto = publish->step->upto;
    follower_await_answers(follower, IN_FLIGHT_MAX);
    (void)atomic_fetch_add(&follower->in_flight, 1);
    while (st == ST_FULL && !follower_is_over(follower) &&
           follower_refusal(follower) == ST_OK)
        st = journal_post_before(follower->options.journal, &publish, POST_MS);
    if (st == ST_OK) {
        follower->missing_id = follower->rewound_after =
            follower->rewound_upto = 0;
        return;
    }
    publish->result = st;
    on_step(publish);
}

static void add_news(struct source_step *step, const struct handful *handful)
{
    const size_t bytes = handful->news_count * sizeof handful->news[0];

    if (handful->news_count == 0)
        return;
    step->news = must_malloc(bytes);
    memcpy(step->news, handful->news, bytes);
    step->news_count = handful->news_count;
}

void follower_post_handful(struct follower *follower, struct handful *handful)
{
    struct publish *publish = publish_create(handful->count);

    memcpy((void *)publish->events, (const void *)handful->events,
           handful->count * sizeof handful->events[0]);
    publish->step = make_step(follower);
    add_news(publish->step, handful);
    post(follower, publish, make_marks(follower, handful));
}

void follower_post_position(struct follower *follower)
{
    struct publish *publish;
    bool is_stored;

    uv_mutex_lock(&follower->mutex);
    is_stored = stream_position_equals(&follower->shared.stored, &follower->at);
    uv_mutex_unlock(&follower->mutex);
    if (is_stored && follower->missing_id == 0)
        return;
    publish = publish_create(0);
    publish->step = make_step(follower);
    post(follower, publish, make_marks(follower, NULL));
}
