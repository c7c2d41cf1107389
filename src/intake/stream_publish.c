/* stream_publish.c -- the thread that publishes to the stream, and what it waits
 * for.
 *
 *   post -> [box] -> parcel: one slot per event -> message (stream_sender.c)
 *                                 ^                      |
 *           acknowledged  (library's thread) ------------+   notes in the box
 *           stored        (journal's thread, by the follower) |
 *           found out     (journal's thread: a key seen before)
 *
 * One thread owns parcels and slots; everybody else writes notes into its box. A
 * note names slot and serial, and one that comes too late finds another serial.
 *
 * Each message carries a mark: this process, slot, serial. When the follower has
 * brought it back and it is stored, the mark says whose event that is, so the
 * answer says exactly what the journal made of it: an id, the id of the first with
 * that key, or that there is nothing to amend. It also decides when the stream's
 * own acknowledgement was lost with a connection.
 *
 * An event is done
 *   when the stream refuses it                    503, nothing stored
 *   when it is stored, or the journal refused it  stream_ack = journal, amendments
 *   when it is acknowledged                       stream_ack = stream
 *   when the stream says that it has the key      the journal is asked for the id
 *                                                 that the key stands for
 *   when the time is over                         503, stored or not
 *
 * Nats-Msg-Id is a checksum over channel and key, as a key counts within its
 * channel and the stream's memory of keys is one for all. The key itself goes in a
 * header of its own. Amendments have no Nats-Msg-Id: whether one was made before
 * only the journal knows.
 */
#include "stream_publish.h"

#include "base/seeded_bug.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "nats_stream.h"
#include "parcel.h"
#include "stream_message.h"
#include "stream_sender.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/list.h>
#include <tidings/logger.h>
#include <tidings/platform.h>

#include <openssl/rand.h>
#include <stdlib.h>
#include <uv.h>

#define BOX_BYTES (256u << 20)
#define IDLE_MS   200
#define SETTLE_MS 5 /* between looks whether the journal has caught up */
#define STOP_MS   3000

/* What became of one event. */
struct outcome {
    struct ticket ticket;
    enum status st;
    bool is_duplicate;
    uint64_t number; /* ACKED: its sequence; else its id */
};

/* What the thread is told. */
enum note_tag { NOTE_POSTED, NOTE_ACKED, NOTE_STORED, NOTE_FOUND };

struct note {
    struct msg link; /* first */
    enum note_tag tag;
    struct publish *publish;     /* POSTED */
    struct publisher *publisher; /* FOUND */
    unsigned count;
    struct outcome outcomes[]; /* ACKED, STORED, FOUND */
};

struct publisher {
    struct publisher_options options; /* fixed at create */
    bool awaits_journal;              /* fixed at create */
    uint64_t nonce;                   /* fixed at create: of this process */
    uv_thread_t thread;
    bool is_started; /* main */
    struct mailbox box;
    atomic_bool is_stopping;
    atomic_uint in_flight; /* events that were posted and have no outcome */

    /* The thread's own. */
    struct parcels parcels;
    struct stream_sender *sender;
    unsigned questions; /* with the journal */
    bool is_over;       /* what is posted comes too late */
    struct log_limit troubles;
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&system_clock);
}

static struct note *note_create(enum note_tag tag, unsigned room)
{
    const size_t bytes = sizeof(struct note) + room * sizeof(struct outcome);
    struct note *note = must_calloc(1, bytes);

    note->link.bytes = (uint32_t)bytes;
    note->tag = tag;
    return note;
}

static void tell(struct publisher *publisher, struct note *note)
{
    struct msg *msg = &note->link;

    if (mailbox_answer(&publisher->box, &msg) != ST_OK)
        free(note); /* the thread has gone, and nobody waits */
}

/* ---- from others --------------------------------------------------------- */

enum status publisher_post(struct publisher *publisher,
                           struct publish **publish)
{
    const unsigned most = (unsigned)publisher->options.config->stream_in_flight;
    struct note *note;
    struct msg *msg;
    enum status st;

    for (unsigned i = 0; i < (*publish)->count; i++)
        if (!stream_message_can_carry((*publish)->events[i]))
            return ST_BAD_INPUT;
    if (atomic_load(&publisher->is_stopping))
        return ST_CLOSED;
    if (nats_link_generation(publisher->options.link) % 2 == 0)
        return ST_BUSY;
    if (atomic_load(&publisher->in_flight) >= most)
        return ST_FULL;
    note = note_create(NOTE_POSTED, 0);
    note->publish = *publish;
    (void)atomic_fetch_add(&publisher->in_flight, (*publish)->count);
    msg = &note->link;
    for (unsigned i = 0; i < (*publish)->count; i++)
        msg->bytes += (*publish)->events[i]->data_bytes;
    st = mailbox_post(&publisher->box, &msg);
    if (st == ST_OK) {
        *publish = NULL;
        return ST_OK;
    }
    (void)atomic_fetch_sub(&publisher->in_flight, (*publish)->count);
    free(note);
    return st;
}

/* Marks of other instances are among them. */
void publisher_stored(struct publisher *publisher,
                      const struct awaited *awaited, unsigned count,
                      struct event *const *events)
{
    struct note *note = note_create(NOTE_STORED, count);

    for (unsigned i = 0; i < count; i++) {
        struct outcome *outcome = &note->outcomes[note->count];
        const struct event *event = events[awaited[i].index];

        if (!stream_mark_parse(awaited[i].mark, publisher->nonce,
                               &outcome->ticket))
            continue;
        outcome->st = (enum status)event->refused;
        outcome->number = event->id;
        outcome->is_duplicate = event->is_duplicate != 0;
        note->count++;
    }
    if (note->count > 0)
        tell(publisher, note);
    else
        free(note);
}

/* On a thread of the library. */
static void on_ack(void *arg, const struct stream_acked *acked, unsigned count)
{
    struct note *note = note_create(NOTE_ACKED, count);

    for (; note->count < count; note->count++) {
        const struct stream_ack *ack = &acked[note->count].ack;

        note->outcomes[note->count] =
            (struct outcome){acked[note->count].ticket, ack->st,
                             ack->is_duplicate, ack->sequence};
    }
    tell(arg, note);
}

/* ---- outcomes ------------------------------------------------------------ */

static void finish(struct publisher *publisher, struct slot *slot,
                   enum status st, uint64_t id, bool is_duplicate)
{
    struct parcel *parcel = slot->parcel;
    struct event *event = parcel->publish->events[slot->index];

    event->refused = (uint8_t)st;
    event->id = id;
    event->is_duplicate = is_duplicate;
    nats_count(st == ST_OK ? METRIC_stream_published
                           : METRIC_stream_publish_failed,
               1);
    nats_count(METRIC_stream_in_flight, -1);
    (void)atomic_fetch_sub(&publisher->in_flight, 1);
    parcels_close_slot(&publisher->parcels, slot);
    if (parcel->open_slots == 0)
        parcels_answer(&parcel);
}

/* The journal says which id the key stands for. */
static void on_found(struct publish *question)
{
    struct note *note = question->asker;
    struct outcome *outcome = &note->outcomes[0];
    const struct event *event = question->events[0];

    outcome->st = question->result == ST_OK ? (enum status)event->refused
                                            : question->result;
    outcome->is_duplicate = event->is_duplicate != 0;
    if (outcome->is_duplicate)
        outcome->number = event->id;
    publish_destroy(&question);
    tell(note->publisher, note);
}

static struct event *key_of(const struct event *event)
{
    return event_create(event_channel(event), text_of(""), text_of(""),
                        event_key(event));
}

/* The stream has had the key, and the journal all that the stream had then. */
static void ask_for_key(struct publisher *publisher, struct slot *slot,
                        uint64_t id)
{
    struct publish *question = publish_create(1);
    struct note *note = note_create(NOTE_FOUND, 1);

    slot_become(&publisher->parcels, slot, SLOT_ASKING);
    note->count = 1;
    note->outcomes[0] =
        (struct outcome){.ticket = slot_ticket(slot), .number = id};
    note->publisher = publisher;
    question->events[0] = key_of(slot->parcel->publish->events[slot->index]);
    question->events[0]->given_id = id;
    question->is_question = true;
    question->answer = on_found;
    question->asker = note;
    publisher->questions++;
    if (journal_post(publisher->options.journal, &question) == ST_OK)
        return;
    publisher->questions--;
    publish_destroy(&question);
    free(note);
    finish(publisher, slot, ST_TIMEOUT, 0, false); /* it is in the stream */
}

static bool is_amendment(const struct slot *slot)
{
    return slot->parcel->publish->events[slot->index]->amends != NULL;
}

static void look_at_key(struct publisher *publisher, struct slot *slot)
{
    const uint64_t id =
        follower_acked_id(publisher->options.follower, slot->sequence);

    if (id != 0 &&
        follower_stored_upto(publisher->options.follower) >= slot->sequence)
        ask_for_key(publisher, slot, id);
}

static void on_acked(struct publisher *publisher, struct slot *slot,
                     const struct outcome *outcome)
{
    uint64_t id;

    if (slot->stage != SLOT_SENT)
        return;
    if (outcome->st != ST_OK) {
        finish(publisher, slot, outcome->st, 0, false);
        return;
    }
    slot->sequence = outcome->number;
    slot_become(&publisher->parcels, slot,
                outcome->is_duplicate ? SLOT_SEEN : SLOT_ACKED);
    if (slot->stage == SLOT_SEEN) {
        look_at_key(publisher, slot);
        return;
    }
    if (publisher->awaits_journal || is_amendment(slot))
        return;
    id = follower_acked_id(publisher->options.follower, slot->sequence);
    if (id != 0)
        finish(publisher, slot, ST_OK, id, false);
}

static void on_outcome(struct publisher *publisher, enum note_tag tag,
                       const struct outcome *outcome)
{
    struct slot *slot = parcels_find(&publisher->parcels, &outcome->ticket);

    if (slot == NULL)
        return; /* its time was over */
    if (tag == NOTE_ACKED)
        on_acked(publisher, slot, outcome);
    else if (tag == NOTE_FOUND &&
             outcome->st == ST_NOT_FOUND) /* in the stream */
        finish(publisher, slot, ST_OK, outcome->number, true);
    else if (tag == NOTE_FOUND && outcome->st == ST_FULL && is_amendment(slot))
        finish(publisher, slot, ST_NOT_FOUND, 0, false);
    else
        finish(publisher, slot, outcome->st, outcome->number,
               outcome->is_duplicate);
}

static void on_note(struct publisher *publisher, const struct note *note)
{
    if (note->tag == NOTE_FOUND)
        publisher->questions--;
    for (unsigned i = 0; i < note->count; i++)
        on_outcome(publisher, note->tag, &note->outcomes[i]);
}

/* ---- sending ------------------------------------------------------------- */

static void send_slot(struct publisher *publisher, struct slot *slot)
{
    const enum status st = stream_sender_send(
        publisher->sender, slot->parcel->publish->events[slot->index],
        slot_ticket(slot));
    uint64_t suppressed;

    if (st != ST_OK) {
        if (logger_may(&publisher->troubles, now_ms(), &suppressed))
            LOG_LINE(LOG_WARN, "nats", "cannot publish to the stream",
                     LOG_STR("why", status_text(st)));
        finish(publisher, slot, st, 0, false);
    } else if (seeded_bug("ack-before-stream")) {
        finish(publisher, slot, ST_OK,
               journal_last_id(publisher->options.journal) + 1, false);
    }
}

/* Came at the very moment of the stop. */
static void turn_away(struct publisher *publisher, struct publish *publish)
{
    (void)atomic_fetch_sub(&publisher->in_flight, publish->count);
    publish->result = ST_CLOSED;
    publish->answer(publish);
}

static void send_parcel(struct publisher *publisher, struct publish *publish)
{
    const unsigned count = publish->count;
    struct parcel *parcel =
        parcels_open(&publisher->parcels, publish,
                     now_ms() + publisher->options.config->stream_ack_ms);

    nats_count(METRIC_stream_in_flight, (int64_t)count);
    parcel_hold(parcel); /* not done before all are sent */
    for (unsigned i = 0; i < count; i++)
        send_slot(publisher, parcels_open_slot(&publisher->parcels, parcel, i));
    parcel_release(&parcel);
}

/* ---- the thread ---------------------------------------------------------- */

static void handle(struct publisher *publisher, struct msg *msg)
{
    while (msg != NULL) {
        struct note *note = CONTAINER_OF(msg, struct note, link);

        msg = msg->next;
        if (note->tag != NOTE_POSTED)
            on_note(publisher, note);
        else if (publisher->is_over)
            turn_away(publisher, note->publish);
        else
            send_parcel(publisher, note->publish);
        free(note);
    }
}

static void expire_slot(void *arg, struct slot *slot)
{
    struct publisher *publisher = arg;

    finish(publisher, slot, ST_TIMEOUT, 0, false);
}

static void look_again(void *arg, struct slot *slot)
{
    struct publisher *publisher = arg;
    uint64_t id;

    if (slot->stage == SLOT_SEEN) {
        look_at_key(publisher, slot);
    } else if (slot->stage == SLOT_ACKED && !publisher->awaits_journal &&
               !is_amendment(slot)) {
        id = follower_acked_id(publisher->options.follower, slot->sequence);
        if (id != 0)
            finish(publisher, slot, ST_OK, id, false);
    }
}

static bool has_work(const struct publisher *publisher)
{
    return atomic_load(&publisher->in_flight) > 0 || publisher->questions > 0;
}

static unsigned wait_time(const struct publisher *publisher)
{
    return publisher->parcels.settling > 0 ? SETTLE_MS : IDLE_MS;
}

static void turn(struct publisher *publisher)
{
    struct msg *msg = mailbox_wait(&publisher->box, wait_time(publisher));

    stream_sender_take_hold(publisher->sender);
    if (msg == NULL)
        stream_sender_rest(publisher->sender);
    handle(publisher, msg);
    if (publisher->parcels.settling > 0)
        parcels_each(&publisher->parcels, INT64_MAX, look_again, publisher);
    parcels_each(&publisher->parcels, now_ms(), expire_slot, publisher);
}

static void run(void *arg)
{
    struct publisher *publisher = arg;
    int64_t until_ms;

    platform_name_thread("stream-publish");
    while (!atomic_load(&publisher->is_stopping))
        turn(publisher);
    until_ms = now_ms() + STOP_MS;
    while (has_work(publisher) && now_ms() < until_ms)
        turn(publisher);
    publisher->is_over = true;
    parcels_each(&publisher->parcels, INT64_MAX, expire_slot, publisher);
    while (publisher->questions > 0) /* the journal answers them all */
        handle(publisher, mailbox_wait(&publisher->box, IDLE_MS));
    stream_sender_let_go(publisher->sender);
    nats_ReleaseThreadMemory();
}

/* ---- start and stop ------------------------------------------------------ */

struct publisher *publisher_create(const struct publisher_options *options)
{
    struct publisher *publisher = must_calloc(1, sizeof *publisher);
    const unsigned most = (unsigned)options->config->stream_in_flight;

    publisher->options = *options;
    publisher->awaits_journal =
        strcmp(options->config->stream_ack, "journal") == 0;
    CHECK(RAND_bytes((unsigned char *)&publisher->nonce,
                     sizeof publisher->nonce) == 1);
    publisher->sender = stream_sender_create(
        &(struct stream_sender_options){.link = options->link,
                                        .stream = options->config->stream,
                                        .prefix = options->prefix,
                                        .nonce = publisher->nonce,
                                        .on_ack = on_ack,
                                        .arg = publisher});
    parcels_init(&publisher->parcels, !publisher->awaits_journal);
    mailbox_init(&publisher->box, "stream-publish", most + 1, BOX_BYTES, NULL,
                 NULL);
    return publisher;
}

void publisher_start(struct publisher *publisher)
{
    publisher->is_started = true;
    CHECK(uv_thread_create(&publisher->thread, run, publisher) == 0);
}

static void wake(struct publisher *publisher)
{
    tell(publisher, note_create(NOTE_ACKED, 0)); /* of no event */
}

void publisher_stop(struct publisher *publisher)
{
    if (!publisher->is_started)
        return;
    atomic_store(&publisher->is_stopping, true);
    wake(publisher);
    CHECK(uv_thread_join(&publisher->thread) == 0);
    publisher->is_started = false;
    mailbox_close(&publisher->box);
    handle(publisher, mailbox_take(&publisher->box)); /* the thread's no more */
}

void publisher_destroy(struct publisher **publisher)
{
    struct publisher *mine = *publisher;

    *publisher = NULL;
    if (mine == NULL)
        return;
    CHECK(!mine->is_started);
    mailbox_fini(&mine->box);
    parcels_fini(&mine->parcels);
    stream_sender_destroy(&mine->sender);
    free(mine);
}
