/* stream_read.c -- messages of the stream become events with their ids.
 *
 * The thread asks the library for one message after the other, waiting for the
 * first only, and takes what is there up to a handful, whatever becomes of it: so a
 * stop is seen soon, also among messages that are all refused.
 *
 * Each message says in its reply subject which sequence it has, when the stream
 * got it, from which consumer it comes and how many are left. Only what that
 * consumer sends next is taken, so nothing can be left out without notice.
 *
 * A message that is no event is counted, logged and sent on, and is a step of the
 * position like any other. So is an event that the journal cannot take for what
 * it is (an amendment of nothing, a channel too many).
 */
#include "base/seeded_bug.h"
#include "follower_inside.h"
#include "nats_metrics.h"
#include "nats_reply.h"
#include "session_message.h"
#include "subject.h"

#include <tidings/clock.h>

#define BATCH_BYTES (1u << 20)
#define READ_MS     100

/* ---- a message ----------------------------------------------------------- */

/* The first message since a rewind: its time is what the new ids are made of. */
static bool begin_epoch(struct follower *follower,
                        const struct stream_place *place)
{
    const uint64_t base = stream_next_base(&follower->at, place->message_ns);

    if (base + place->sequence <= follower->newest_id) {
        follower_become(follower, FOLLOWER_FALLING);
        return false;
    }
    follower->rewound_after = stream_id(&follower->at, place->sequence - 1);
    follower->rewound_upto = base + place->sequence - 1;
    stream_begin_epoch(&follower->at, place->sequence, base);
    follower->epoch_after_ns = 0;
    follower->owes_note = true;
    follower_show(follower);
    return true;
}

/* Else nothing of it can be taken. What is older than the remembered ids has none. */
static bool ids_rise(struct follower *follower, uint64_t sequence)
{
    if (sequence < follower->at.epochs[0].from ||
        stream_id(&follower->at, sequence) > follower->newest_id)
        return true;
    follower_become(follower, FOLLOWER_FALLING);
    return false;
}

/* Is it the next message of the consumer that was made here? */
static bool is_ours(struct follower *follower, const struct stream_place *place)
{
    const struct text consumer = {follower->consumer,
                                  strlen(follower->consumer)};

    return text_equals(place->consumer, consumer) &&
           place->consumer_sequence == follower->consumer_sequence + 1;
}

/* Where does it stand? False: the reading must begin anew. */
static bool advance(struct follower *follower, const struct stream_place *place,
                    bool *is_old_out)
{
    struct stream_position *at = &follower->at;

    if (!is_ours(follower, place))
        return false;
    follower->consumer_sequence = place->consumer_sequence;
    follower->stream_last = place->sequence + place->left;
    *is_old_out = follower->begins_anywhere &&
                  place->message_ns <= follower->begins_after_ns;
    if (*is_old_out)
        return true;
    if (follower->begins_anywhere) {
        at->sequence = place->sequence - 1;
        if (at->message_ns == 0)
            follower->missing_id = stream_id(at, at->sequence);
        follower->begins_anywhere = false;
    }
    *is_old_out =
        place->sequence <= at->sequence && !seeded_bug("redelivered-taken");
    if (*is_old_out)
        return true;
    if (follower->epoch_after_ns != 0 &&
        place->message_ns > follower->epoch_after_ns &&
        !begin_epoch(follower, place))
        return false;
    if (!ids_rise(follower, place->sequence))
        return false;
    if (place->sequence > at->sequence + 1 && follower->doubted == 0)
        follower->doubted = at->sequence + 1;
    at->sequence = place->sequence;
    at->message_ns = place->message_ns;
    return true;
}

/* What is longer is nobody's. */
static void note_mark(struct handful *handful, natsMsg *msg)
{
    const char *mark = NULL;

    if (natsMsgHeader_Get(msg, STREAM_MARK_HEADER, &mark) != NATS_OK ||
        mark == NULL || strlen(mark) > STREAM_MARK_MAX)
        return;
    handful->mark_at[handful->awaited_count] = handful->marks.length;
    handful->awaited[handful->awaited_count++] =
        (struct awaited){handful->count, {NULL, strlen(mark)}};
    buffer_append_string(&handful->marks, mark);
}

static void add_event(struct follower *follower, struct handful *handful,
                      struct event *event, natsMsg *msg)
{
    event->given_id = stream_id(&follower->at, follower->at.sequence);
    event->time_ms = stream_event_ms(event->time_ms, follower->at.message_ns,
                                     follower->at.event_ms);
    follower->at.event_ms = event->time_ms;
    follower->newest_id = event->given_id;
    note_mark(handful, msg);
    handful->bytes += event->data_bytes;
    handful->events[handful->count++] = event;
}

/* What is not of the form was written by somebody else. */
static void add_news(struct follower *follower, struct handful *handful,
                     natsMsg *msg)
{
    const struct text prefix = follower->options.rules.prefix;
    const uint64_t id = stream_id(&follower->at, follower->at.sequence);
    struct session_news *news = &handful->news[handful->news_count];
    struct session_message message;

    if (session_message_parse(message_data(msg), &message) != ST_OK ||
        !session_subject_fits(prefix, text_of(natsMsg_GetSubject(msg)),
                              session_name_text(&message.name)) ||
        !session_message_is_plausible(&message, id,
                                      clock_wall_ms(&system_clock))) {
        nats_count(METRIC_sessions_malformed, 1);
        return;
    }
    news->name = message.name;
    news->state = message.state;
    news->sequence = follower->at.sequence;
    news->version = id;
    handful->news_count++;
}

static void keep_last(struct handful *handful, natsMsg *msg)
{
    spent_add(&handful->spent, &handful->last);
    handful->last = msg;
}

/* From before the oldest epoch that is remembered: there is no id for it. */
static bool is_forgotten(struct follower *follower)
{
    const struct stream_epoch *oldest = &follower->at.epochs[0];

    if (follower->at.sequence >= oldest->from)
        return false;
    if (follower->missing_id == 0) {
        nats_count(METRIC_stream_missing, 1);
        follower_say(follower, LOG_WARN,
                     "messages are older than the ids that are remembered, and "
                     "are left out");
    }
    follower->missing_id = oldest->base + oldest->from - 1;
    return true;
}

/* Takes the message. False: the reading must begin anew. */
static bool take(struct follower *follower, struct handful *handful,
                 natsMsg *msg)
{
    const char *reply = natsMsg_GetReply(msg);
    struct stream_place place;
    struct event *event;
    enum refusal refusal;
    bool is_old = false;

    if (reply == NULL || stream_place_parse(text_of(reply), &place) != ST_OK ||
        !advance(follower, &place, &is_old)) {
        natsMsg_Destroy(msg);
        return false;
    }
    if (is_old) {
        nats_count(METRIC_stream_redelivered, 1);
        natsMsg_Destroy(msg);
        return true;
    }
    nats_count(METRIC_nats_received, 1);
    handful->has_moved = true;
    if (strcmp(natsMsg_GetSubject(msg), follower->note_subject) == 0) {
        (void)follower_read_note(follower, msg, follower->at.sequence,
                                 follower->at.message_ns);
        keep_last(handful, msg);
        return true;
    }
    if (is_forgotten(follower)) {
        keep_last(handful, msg);
        return true;
    }
    if (session_subject_is(follower->options.rules.prefix,
                           text_of(natsMsg_GetSubject(msg)))) {
        add_news(follower, handful, msg);
        keep_last(handful, msg);
        return true;
    }
    if (subject_is_inner(follower->options.rules.prefix,
                         text_of(natsMsg_GetSubject(msg)))) {
        keep_last(handful, msg);
        return true;
    }
    refusal = message_to_event(&follower->options.rules, msg, &event);
    if (refusal == REFUSAL_NONE) {
        add_event(follower, handful, event, msg);
        keep_last(handful, msg);
        return true;
    }
    follower->at.hash =
        stream_hash(text_of(natsMsg_GetSubject(msg)), message_data(msg));
    keep_last(handful, NULL);
    replies_refuse(follower->options.replies, &msg, NULL, refusal,
                   &follower->refusals);
    return true;
}

/* ---- reading ------------------------------------------------------------- */

static void note_lag(struct follower *follower)
{
    const uint64_t last = follower->stream_last, at = follower->at.sequence;
    const uint64_t lag = last > at ? last - at : 0;

    atomic_store(&follower->lag, lag);
    nats_set(METRIC_stream_lag, (int64_t)lag);
    if (lag > (uint64_t)follower->options.config->stream_lag_max)
        follower_become(follower, FOLLOWER_BEHIND);
    else if (follower->is_sealed)
        follower_become(follower, FOLLOWER_SEALED);
    else
        follower_become(follower, atomic_load(&follower->was_rewound)
                                      ? FOLLOWER_REWOUND
                                      : FOLLOWER_FOLLOWED);
}

/* What there is, at most a handful. False: the reading must begin anew. */
static bool gather(struct follower *follower, struct handful *handful)
{
    natsMsg *msg = NULL;
    int64_t wait_ms = READ_MS;

    while (handful->taken < BATCH_MESSAGES && handful->bytes < BATCH_BYTES) {
        const natsStatus status =
            natsSubscription_NextMsg(&msg, follower->subscription, wait_ms);

        if (status != NATS_OK)
            return status == NATS_TIMEOUT;
        follower->heard_ms = clock_monotonic_ms(&system_clock);
        if (!take(follower, handful, msg))
            return false;
        handful->taken++;
        wait_ms = 0;
    }
    return true;
}

static void empty(struct handful *handful)
{
    keep_last(handful, NULL);
    if (handful->taken == 0) /* nothing came for a while */
        spent_give(&handful->spent);
    handful->marks.length = 0;
    handful->count = handful->awaited_count = handful->taken = 0;
    handful->news_count = 0;
    handful->bytes = 0;
    handful->has_moved = false;
}

bool follower_read_some(struct follower *follower, struct handful *handful)
{
    const bool goes_on = gather(follower, handful);

    if (handful->last != NULL)
        follower->at.hash =
            stream_hash(text_of(natsMsg_GetSubject(handful->last)),
                        message_data(handful->last));
    if (handful->has_moved)
        follower_post_handful(follower, handful);
    empty(handful);
    if (goes_on)
        note_lag(follower);
    return goes_on;
}
