/* stream_note.c -- other ids, as one instance tells the others.
 *
 * Who began an epoch of ids leaves a note with all epochs in the stream itself, on
 * <prefix>.$tidings.epochs; the newest one counts. It is read at each look and when
 * it comes by, and left again when retention took it. The same is told from
 * instance to instance (stream_peers.c), sooner.
 *
 * A stream that has others as its sources gets their notes, too. So a note says when
 * the stream was made whose epochs it has, and those of another are passed over.
 *
 * Who may publish events may publish a note. So what cannot be is left out: epochs
 * of a later time than now, of sequences that the stream does not have yet, or that
 * do not begin where the stream does.
 */
#include "base/seeded_bug.h"
#include "follower_inside.h"
#include "nats_metrics.h"

#include <tidings/clock.h>

#include <inttypes.h>
#include <stdio.h>

#define NS_PER_MS 1000000

static const char note_header[] = "Tidings-Epochs";
static const char created_header[] = "Tidings-Stream-Created";
static const char source_header[] = "Nats-Stream-Source"; /* of the server */

/* By our clock or that of the stream, which may be ahead of it. */
int64_t follower_now_ns(const struct follower *follower)
{
    const int64_t now_ns = clock_wall_ms(&system_clock) * NS_PER_MS;

    return now_ns > follower->at.message_ns ? now_ns : follower->at.message_ns;
}

static bool is_plausible(struct follower *follower,
                         const struct stream_position *note)
{
    const uint64_t at = follower->at.sequence;
    const uint64_t last =
        follower->stream_last > at ? follower->stream_last : at;
    int64_t now_ns = follower_now_ns(follower);
    uint64_t suppressed;

    if (note->message_ns > now_ns)
        now_ns = note->message_ns;
    if (stream_epochs_are_plausible(note, last, now_ns) ||
        seeded_bug("epochs-believed"))
        return true;
    if (logger_may(&follower->troubles, clock_monotonic_ms(&system_clock),
                   &suppressed))
        follower_say(follower, LOG_WARN,
                     "somebody told ids of the stream that cannot be");
    return false;
}

/* Not by one that has lost the tail itself: it finds the base as they did. */
void follower_adopt(struct follower *follower,
                    const struct stream_position *note)
{
    struct stream_position *at = &follower->at;
    const struct stream_epoch *theirs, *ours;
    uint64_t from;

    if (note->epoch_count == 0 || at->epoch_count == 0 ||
        follower_has_lost_tail(follower) || !is_plausible(follower, note))
        return;
    theirs = &note->epochs[note->epoch_count - 1];
    ours = &at->epochs[at->epoch_count - 1];
    from = theirs->from > at->sequence ? theirs->from : at->sequence + 1;
    if (theirs->base <= ours->base ||
        theirs->base + from <= follower->newest_id)
        return;
    if (theirs->base >= stream_base(follower->epoch_after_ns))
        follower->epoch_after_ns = 0;
    follower_say(follower, LOG_ERROR,
                 "the stream was rewound before: others have told so");
    atomic_store(&follower->was_rewound, true);
    at->rewinds++;
    nats_count(METRIC_stream_rewinds, 1);
    follower->rewound_after = stream_id(at, from - 1);
    follower->rewound_upto = theirs->base + from - 1;
    if (at->message_ns == 0) { /* nothing was given under other ids */
        at->epoch_count = note->epoch_count;
        memcpy(at->epochs, note->epochs, sizeof at->epochs);
    } else {
        stream_begin_epoch(at, from, theirs->base);
    }
    if (follower->subscription != NULL) /* else not looked at wholly yet */
        follower_show(follower);
}

static bool is_of_stream(const struct follower *follower, natsMsg *msg)
{
    const char *text = NULL;
    uint64_t created;

    if (seeded_bug("foreign-note-taken"))
        return true;
    if (natsMsgHeader_Get(msg, source_header, &text) == NATS_OK)
        return false;
    return natsMsgHeader_Get(msg, created_header, &text) == NATS_OK &&
           text != NULL &&
           stream_number_parse(text_of(text), INT64_MAX, &created) &&
           (int64_t)created == follower->at.created_ns;
}

bool follower_read_note(struct follower *follower, natsMsg *msg,
                        uint64_t sequence, int64_t got_ns)
{
    struct stream_position note = {.created_ns = follower->at.created_ns,
                                   .message_ns = got_ns};
    const char *text = NULL;

    if (!is_of_stream(follower, msg) ||
        natsMsgHeader_Get(msg, note_header, &text) != NATS_OK || text == NULL ||
        stream_epochs_parse(text_of(text), &note) != ST_OK ||
        note.epochs[note.epoch_count - 1].from > sequence ||
        !is_plausible(follower, &note))
        return false;
    follower_adopt(follower, &note);
    return true;
}

bool follower_find_note(struct follower *follower)
{
    natsMsg *msg = NULL;
    jsErrCode code = (jsErrCode)0;
    const natsStatus status =
        js_GetLastMsg(&msg, follower->js, follower->name,
                      follower->note_subject, NULL, &code);
    const bool is_known = status == NATS_OK || status == NATS_NOT_FOUND ||
                          code == JSNoMessageFoundErr;
    const bool is_ours =
        status == NATS_OK &&
        follower_read_note(follower, msg, natsMsg_GetSequence(msg),
                           natsMsg_GetTime(msg));

    /* It is too old to be kept, was lost, or stands before one of others. */
    if (is_known && !is_ours && follower->at.epoch_count > 1)
        follower->owes_note = true;
    natsMsg_Destroy(msg);
    return is_known || seeded_bug("note-unasked");
}

void follower_leave_note(struct follower *follower)
{
    char text[STREAM_TEXT_MAX], created[24];
    natsMsg *msg = NULL;
    natsStatus status;

    (void)snprintf(created, sizeof created, "%" PRId64,
                   follower->at.created_ns);
    follower->owes_note = false;
    if (stream_epochs_print(&follower->at, text, sizeof text) == 0)
        return;
    status = natsMsg_Create(&msg, follower->note_subject, NULL, "", 0);
    if (status == NATS_OK)
        status = natsMsgHeader_Set(msg, note_header, text);
    if (status == NATS_OK)
        status = natsMsgHeader_Set(msg, created_header, created);
    if (status == NATS_OK)
        status = js_PublishMsg(NULL, follower->js, msg, NULL, NULL);
    natsMsg_Destroy(msg);
    if (status != NATS_OK)
        follower_say(follower, LOG_WARN,
                     "no note of the new ids could be left in the stream");
}
