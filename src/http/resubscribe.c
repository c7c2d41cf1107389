/* resubscribe.c -- other channels for a subscriber that is already there.
 *
 * A subscriber has one cursor and joins all its selectors at once. So a change
 * is: leave, and join again with the union, or with what is left. Each selector
 * that was held has got everything up to the cursor; that becomes the position
 * of its membership. A new one has the position that the client asked for. The
 * subscriber starts again, REPLAYING, from the least of them all, and a
 * membership keeps out what lies at or before its own position: so exactly what
 * is owed comes, in order of id, and nothing twice.
 *
 * As at the beginning, it joins first and resolves positions then: what
 * retention takes in between is noticed.
 */
#include "stream.h"

#include "ahead.h"

#include <tidings/check.h>
#include <tidings/directory.h>
#include <tidings/replay.h>

#include <stdlib.h>
#include <string.h>

/* A selector on its way from the old memberships to the new ones. */
struct wanted {
    struct text selector;
    uint64_t after, told;
};

/* First those that are new, then those that stay. */
struct change {
    struct wanted *rows;
    unsigned count, new_count;
    struct text *selectors; /* of the rows, as directory_join takes them */
    struct arena names;     /* of those that stay: channels may go meanwhile */
};

static bool is_listed(const struct client_message *message,
                      struct text selector)
{
    for (unsigned i = 0; i < message->selector_count; i++)
        if (text_equals(message->selectors[i], selector))
            return true;
    return false;
}

static bool is_held(const struct subscriber *subscriber, struct text selector)
{
    for (unsigned i = 0; i < subscriber->membership_count; i++)
        if (text_equals(directory_selector(&subscriber->memberships[i]),
                        selector))
            return true;
    return false;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- what is wanted from now on --------------------------------------------
 */

static void change_init(struct change *change,
                        const struct subscriber *subscriber,
                        const struct client_message *message)
{
    unsigned most = subscriber->membership_count + message->selector_count;
    size_t bytes = 0;

    for (unsigned i = 0; i < subscriber->membership_count; i++)
        bytes += directory_selector(&subscriber->memberships[i]).length;
    memset(change, 0, sizeof *change);
    change->rows = must_calloc(most, sizeof *change->rows);
    change->selectors = must_calloc(most, sizeof *change->selectors);
    arena_init(&change->names, bytes);
}

static void change_fini(struct change *change)
{
    free(change->rows);
    free(change->selectors);
    arena_fini(&change->names);
}

static void add_row(struct change *change, struct wanted row)
{
    change->selectors[change->count] = row.selector;
    change->rows[change->count++] = row;
}

/* A held selector stays as it is, unless its position is asked for anew. */
static void add_new(struct change *change, const struct subscriber *subscriber,
                    const struct client_message *message)
{
    for (unsigned i = 0; i < message->selector_count; i++)
        if (message->has_position ||
            !is_held(subscriber, message->selectors[i]))
            add_row(change, (struct wanted){.selector = message->selectors[i]});
    change->new_count = change->count;
}

static bool is_new(const struct change *change, struct text selector)
{
    for (unsigned i = 0; i < change->new_count; i++)
        if (text_equals(change->selectors[i], selector))
            return true;
    return false;
}

/* What it has of its channels. A cursor stands at the last event that they had:
 * LIVE, nothing of theirs lies between that and what passed here. */
static uint64_t held_upto(struct stream *stream)
{
    const struct subscriber *subscriber = &stream->subscriber;
    struct crew *crew = connection_crew(stream->connection);

    if (subscriber->state != SUBSCRIBER_LIVE)
        return subscriber->cursor;
    return greater(subscriber->cursor,
                   directory_given_upto(crew_directory(crew)));
}

static void keep_row(struct change *change, uint64_t upto,
                     const struct membership *member)
{
    struct text selector = directory_selector(member);

    add_row(change, (struct wanted){
                        .selector = arena_copy(&change->names, selector),
                        .after = greater(upto, member->after),
                        .told = member->told,
                    });
}

/* ---- from the old memberships to the new ------------------------------------
 */

static void count_replaying(struct stream *stream,
                            enum subscriber_state state_before)
{
    if (state_before == SUBSCRIBER_APART)
        stream_count(stream, METRIC_subscribers, 1);
    if (state_before != SUBSCRIBER_REPLAYING)
        stream_count(stream, METRIC_subscribers_replaying, 1);
}

static void rejoin(struct stream *stream, const struct change *change)
{
    struct crew *crew = connection_crew(stream->connection);
    struct subscriber *subscriber = &stream->subscriber;
    enum subscriber_state before = (enum subscriber_state)subscriber->state;

    directory_leave(crew_directory(crew), subscriber);
    crew_expect_batches(crew);
    directory_join(crew_directory(crew), subscriber, change->selectors,
                   change->count);
    replay_note_trimmed(crew, subscriber);
    for (unsigned i = change->new_count; i < change->count; i++) {
        subscriber->memberships[i].after = change->rows[i].after;
        subscriber->memberships[i].told = change->rows[i].told;
    }
    count_replaying(stream, before);
    journal_trail_fini(&stream->trail);
}

/* From the least of the positions, when it is its turn. */
static void go_on(struct stream *stream)
{
    struct subscriber *subscriber = &stream->subscriber;

    subscriber->cursor = subscriber->memberships[0].after;
    for (unsigned i = 1; i < subscriber->membership_count; i++)
        if (subscriber->memberships[i].after < subscriber->cursor)
            subscriber->cursor = subscriber->memberships[i].after;
    connection_want_replay(stream->connection);
}

/* ---- positions of what is new ------------------------------------------------
 */

static enum status resolve(struct stream *stream, const struct change *change,
                           const struct client_message *message,
                           struct resume *resume)
{
    struct crew *crew = connection_crew(stream->connection);
    const struct order order = {.selectors = change->selectors,
                                .selector_count = change->new_count,
                                .position_text = message->position_text,
                                .position = message->position};
    enum status st = resume_find(crew, &order, resume);

    for (unsigned i = 0; st == ST_OK && i < change->new_count; i++) {
        uint64_t *after = &stream->subscriber.memberships[i].after;

        *after = resume->after;
        if (message->position.kind == POSITION_CHANNELS)
            st = resume_find_own(crew, &order, i, after);
    }
    return st;
}

static bool tell_gap(struct stream *stream,
                     const struct client_message *message,
                     const struct resume *resume)
{
    struct buffer out;
    bool is_there;

    if (resume->gap == GAP_NONE)
        return true;
    stream_count(stream, METRIC_gaps, 1);
    buffer_init(&out);
    stream_append_gap(stream, message->position_text, resume, &out);
    is_there = websocket_may_answer(stream, out.length);
    if (is_there)
        stream_say(stream, buffer_text(&out));
    buffer_fini(&out);
    return is_there;
}

static bool subscribe(struct stream *stream, const struct change *change,
                      const struct client_message *message)
{
    struct resume resume = {0};
    enum status st;

    rejoin(stream, change);
    st = resolve(stream, change, message, &resume);
    if (st != ST_OK) {
        stream_log_failure(st);
        websocket_close(stream, WEBSOCKET_CLOSE_FAILED,
                        "the journal could not be read");
        return false;
    }
    if (!tell_gap(stream, message, &resume))
        return false;
    ahead_begin(stream, &resume);
    if (stream->ahead != NULL)
        stream_arm_keepalive(stream);
    go_on(stream);
    return true;
}

/* ---- what a client may ask for -----------------------------------------------
 */

bool resubscribe_add(struct stream *stream,
                     const struct client_message *message)
{
    const struct subscriber *subscriber = &stream->subscriber;
    struct crew *crew = connection_crew(stream->connection);
    const uint64_t upto = held_upto(stream);
    struct change change;
    bool is_there = true;

    change_init(&change, subscriber, message);
    add_new(&change, subscriber, message);
    for (unsigned i = 0; i < subscriber->membership_count; i++)
        if (!is_new(&change, directory_selector(&subscriber->memberships[i])))
            keep_row(&change, upto, &subscriber->memberships[i]);
    if (change.count > (unsigned)crew_config(crew)->selectors_max)
        is_there = websocket_complain(stream, "bad_request",
                                      "too many channels on one connection");
    else if (change.new_count > 0)
        is_there = subscribe(stream, &change, message);
    change_fini(&change);
    return is_there;
}

bool resubscribe_remove(struct stream *stream,
                        const struct client_message *message)
{
    const struct subscriber *subscriber = &stream->subscriber;
    const uint64_t upto = held_upto(stream);
    struct change change;

    change_init(&change, subscriber, message);
    for (unsigned i = 0; i < subscriber->membership_count; i++) {
        const struct membership *member = &subscriber->memberships[i];

        if (!is_listed(message, directory_selector(member)))
            keep_row(&change, upto, member);
    }
    if (change.count == 0) {
        stream_leave(stream);
    } else if (change.count < subscriber->membership_count) {
        rejoin(stream, &change);
        go_on(stream);
    }
    change_fini(&change);
    return true;
}
