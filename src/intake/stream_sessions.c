/* stream_sessions.c -- the thread that shares sessions.
 *
 *     crew threads --call--> [box] --> affair --question--> NATS
 *                    owed --^   ^                             |
 *     table of sessions --------+ <------- reply, question of others
 *
 * One inbox takes all replies; its last token names the affair and the serial of
 * the question, so one that comes late finds nobody. Others ask us at
 * <prefix>_sessions.<this process>, which ends with it: who asks for a process
 * that is gone hears so from the server at once.
 *
 * Nothing waits here but for the box. What is under way is looked at every
 * LOOK_MS, and each call is answered by its deadline, whatever became of it.
 *
 * Without a connection calls are refused at once, so that sessions are used as
 * they are known here. Only a process that has just started, and may know nothing
 * of any, lets them wait until it has seen the stream, or for that long.
 */
#include "stream_sessions.h"

#include "message.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "nats_stream.h"
#include "session_affair.h"
#include "session_message.h"
#include "stream_ids.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/platform.h>

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#define BOX_BYTES    (64u << 20)
#define CALLS_MAX    8192
#define ASKED_MAX    4096
#define OWED_AT_ONCE 64
#define BUSY_MAX     256 /* affairs that nobody waits for */
#define LOOK_MS      5
#define RETRY_MS     500
#define IDLE_MS      200
#define STOP_MS      2000
#define LOST_MS      200 /* between two looks at part of the table */

struct note {
    struct msg link; /* first */
    enum { NOTE_CALL, NOTE_REPLY, NOTE_ASKED, NOTE_WAKE } tag;
    uint32_t number, serial; /* REPLY */
    natsMsg *msg;            /* REPLY, ASKED */
    struct publish *publish; /* CALL */
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&system_clock);
}

static struct note *note_create(void)
{
    struct note *note = must_calloc(1, sizeof *note);

    note->link.bytes = sizeof *note;
    return note;
}

static void note_destroy(struct note *note)
{
    natsMsg_Destroy(note->msg);
    free(note);
}

static void tell(struct sharing *sharing, struct note *note)
{
    struct msg *msg = &note->link;

    if (mailbox_answer(&sharing->box, &msg) != ST_OK)
        note_destroy(note);
}

/* ---- from others --------------------------------------------------------- */

static bool is_up(const struct sharing *sharing)
{
    return nats_link_generation(sharing->options.link) % 2 == 1;
}

static enum status post(void *arg, struct publish **publish)
{
    struct sharing *sharing = arg;
    struct note *note;
    struct msg *msg;
    enum status st;

    if (atomic_load(&sharing->is_stopping))
        return ST_CLOSED;
    if (!is_up(sharing) && atomic_load(&sharing->has_begun))
        return ST_BUSY;
    if (atomic_fetch_add(&sharing->call_count, 1) >= CALLS_MAX) {
        (void)atomic_fetch_sub(&sharing->call_count, 1);
        return ST_FULL;
    }
    note = note_create();
    note->tag = NOTE_CALL;
    note->publish = *publish;
    msg = &note->link;
    st = mailbox_post(&sharing->box, &msg);
    if (st == ST_OK) {
        *publish = NULL;
        return ST_OK;
    }
    (void)atomic_fetch_sub(&sharing->call_count, 1);
    free(note);
    return st;
}

/* As long as the stream was not seen, perhaps. */
static bool takes(const void *arg)
{
    const struct sharing *sharing = arg;

    return follower_takes_sessions(sharing->options.follower) != TAKING_NONE;
}

static void wake(void *arg)
{
    struct note *note = note_create();

    note->tag = NOTE_WAKE;
    tell(arg, note);
}

/* "<inbox>.<number>.<serial>". */
static bool read_token(const char *subject, uint32_t *number_out,
                       uint32_t *serial_out)
{
    const char *serial = strrchr(subject, '.');
    const char *number = serial;
    uint64_t numbers[2];

    if (serial == NULL)
        return false;
    while (number > subject && number[-1] != '.')
        number--;
    if (!stream_number_parse((struct text){number, (size_t)(serial - number)},
                             UINT32_MAX, &numbers[0]) ||
        !stream_number_parse(text_of(serial + 1), UINT32_MAX, &numbers[1]))
        return false;
    *number_out = (uint32_t)numbers[0];
    *serial_out = (uint32_t)numbers[1];
    return true;
}

/* On a thread of the library, as on_question. */
static void on_reply(natsConnection *connection, natsSubscription *subscription,
                     natsMsg *msg, void *arg)
{
    struct note *note = note_create();

    (void)connection;
    (void)subscription;
    note->tag = NOTE_REPLY;
    note->msg = msg;
    if (read_token(natsMsg_GetSubject(msg), &note->number, &note->serial))
        tell(arg, note);
    else
        note_destroy(note);
}

static void on_question(natsConnection *connection,
                        natsSubscription *subscription, natsMsg *msg, void *arg)
{
    struct sharing *sharing = arg;
    struct note *note = note_create();

    (void)connection;
    (void)subscription;
    note->tag = NOTE_ASKED;
    note->msg = msg;
    if (natsMsg_GetReply(msg) != NULL) {
        if (atomic_fetch_add(&sharing->asked_waiting, 1) < ASKED_MAX) {
            tell(sharing, note);
            return;
        }
        (void)atomic_fetch_sub(&sharing->asked_waiting, 1);
    }
    note_destroy(note); /* who asks goes on without us */
}

/* ---- the connection ------------------------------------------------------ */

static void let_go(struct sharing *sharing)
{
    if (sharing->connection == NULL)
        return;
    nats_subscription_close(&sharing->replies);
    nats_subscription_close(&sharing->questions);
    sharing->connection = NULL;
    natsInbox_Destroy(sharing->inbox);
    sharing->inbox = NULL;
    nats_link_give_back(sharing->options.link);
}

static bool subscribe_all(struct sharing *sharing)
{
    char subject[320];

    if (natsInbox_Create(&sharing->inbox) != NATS_OK)
        return false;
    (void)snprintf(subject, sizeof subject, "%s.>", sharing->inbox);
    if (!nats_subscription_open(&sharing->replies, sharing->connection, subject,
                                on_reply, sharing))
        return false;
    (void)snprintf(subject, sizeof subject, "%s_sessions.%016" PRIx64,
                   sharing->options.prefix, sharing->self);
    return nats_subscription_open(&sharing->questions, sharing->connection,
                                  subject, on_question, sharing);
}

/* The subscriptions live as long as the connection, through losses of it. */
static bool is_connected(struct sharing *sharing)
{
    if (sharing->connection != NULL &&
        natsConnection_IsClosed(sharing->connection))
        let_go(sharing);
    if (sharing->connection == NULL) {
        sharing->connection = nats_link_borrow(sharing->options.link);
        if (sharing->connection == NULL)
            return false;
        if (!subscribe_all(sharing))
            let_go(sharing);
    }
    return sharing->connection != NULL && is_up(sharing);
}

static natsStatus make_message(struct sharing *sharing, const char *subject,
                               const char *reply, struct text data,
                               const uint64_t *expected, natsMsg **msg_out)
{
    char number[24];
    natsMsg *msg = NULL;
    natsStatus status =
        natsMsg_Create(&msg, subject, reply, data.bytes, (int)data.length);

    if (status == NATS_OK && expected != NULL) {
        (void)snprintf(number, sizeof number, "%" PRIu64, *expected);
        status = natsMsgHeader_Set(msg, "Nats-Expected-Stream",
                                   sharing->options.config->stream);
        if (status == NATS_OK)
            status = natsMsgHeader_Set(
                msg, "Nats-Expected-Last-Subject-Sequence", number);
    }
    if (status != NATS_OK) {
        natsMsg_Destroy(msg);
        return status;
    }
    *msg_out = msg;
    return NATS_OK;
}

bool sharing_send(struct sharing *sharing, struct affair *affair,
                  const char *subject, struct text data, uint64_t expected,
                  bool is_message)
{
    char reply[128];
    natsMsg *msg = NULL;
    natsStatus status = NATS_CONNECTION_CLOSED;
    uint64_t suppressed;

    if (!is_up(sharing))
        return false; /* the library would keep it for later */
    if (sharing->connection != NULL) {
        (void)snprintf(reply, sizeof reply, "%s.%" PRIu32 ".%" PRIu32,
                       sharing->inbox, affair->number, affair->serial);
        status = make_message(sharing, subject, reply, data,
                              is_message ? &expected : NULL, &msg);
    }
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(sharing->connection, msg);
    natsMsg_Destroy(msg);
    if (status == NATS_OK)
        return true;
    if (logger_may(&sharing->troubles, now_ms(), &suppressed))
        LOG_LINE(LOG_WARN, "nats", "cannot ask the stream about sessions",
                 LOG_STR("why", natsStatus_GetText(status)));
    return false;
}

/* ---- the thread ---------------------------------------------------------- */

static void take_call(struct sharing *sharing, struct publish *publish)
{
    const struct text name = session_name_text(&publish->session->name);
    struct affair *affair = affair_of(sharing, name);

    affair_add_call(affair, sharing, publish,
                    now_ms() + sharing->options.config->session_wait_ms);
    affair_go_on(sharing, affair);
}

static void take_reply(struct sharing *sharing, const struct note *note)
{
    struct affair *affair = affair_find(sharing, note->number, note->serial);

    if (affair != NULL)
        affair_replied(sharing, affair, note->msg);
}

static void handle(struct sharing *sharing, struct msg *msg)
{
    while (msg != NULL) {
        struct note *note = CONTAINER_OF(msg, struct note, link);

        msg = msg->next;
        if (note->tag == NOTE_CALL)
            take_call(sharing, note->publish);
        else if (note->tag == NOTE_REPLY)
            take_reply(sharing, note);
        else if (note->tag == NOTE_ASKED)
            questions_hear(sharing, &note->msg);
        note_destroy(note);
    }
}

/* While the stream takes nothing, one is enough to find out when it does. */
static unsigned room_for_owed(const struct sharing *sharing)
{
    if (sharing->is_in_vain)
        return 1;
    return sharing->busy_count < BUSY_MAX ? OWED_AT_ONCE : 0;
}

static void take_owed(struct sharing *sharing)
{
    struct session_name names[OWED_AT_ONCE];
    unsigned room, count;

    if (follower_takes_sessions(sharing->options.follower) != TAKING_ALL ||
        now_ms() < sharing->retry_ms)
        return;
    do {
        room = room_for_owed(sharing);
        count = sessions_take_owed(sharing->sessions, names, room);
        for (unsigned i = 0; i < count; i++)
            affair_go_on(sharing,
                         affair_of(sharing, session_name_text(&names[i])));
    } while (count == OWED_AT_ONCE);
    if (sharing->is_in_vain)
        sharing->retry_ms = now_ms() + RETRY_MS;
}

/* Trimmed, or gone with a rewind. Without an epoch one is told, which begins it. */
static void owe_lost(struct sharing *sharing)
{
    struct session_versions kept[STREAM_EPOCHS_MAX];
    struct follower *follower = sharing->options.follower;
    unsigned count;

    if (now_ms() < sharing->lost_ms || seeded_bug("session-lost"))
        return;
    sharing->lost_ms = now_ms() + LOST_MS;
    count = follower_kept_ids(follower, kept);
    if (count > 0 || follower_awaits_epoch(follower))
        sessions_owe_lost(sharing->sessions, kept, count,
                          count > 0 ? OWED_AT_ONCE : 1, &sharing->lost_at);
}

static void each_affair(struct sharing *sharing,
                        void (*act)(struct sharing *sharing,
                                    struct affair *affair, int64_t now_ms))
{
    struct list_node *node = sharing->busy.next, *next;

    for (; node != &sharing->busy; node = next) {
        next = node->next; /* only the affair itself may end */
        act(sharing, CONTAINER_OF(node, struct affair, node), now_ms());
    }
}

static void reset(struct sharing *sharing, struct affair *affair, int64_t at_ms)
{
    (void)sharing;
    (void)at_ms;
    affair_reset(affair);
}

static void give_up(struct sharing *sharing, struct affair *affair,
                    int64_t at_ms)
{
    (void)at_ms;
    affair_give_up(sharing, affair, ST_BUSY);
}

/* After a loss, what was under way is begun anew, or nobody waits for it. */
static void watch_connection(struct sharing *sharing)
{
    const bool is_there = is_connected(sharing);
    const unsigned generation = nats_link_generation(sharing->options.link);

    if (now_ms() >= sharing->begins_ms ||
        (is_there &&
         follower_takes_sessions(sharing->options.follower) != TAKING_UNKNOWN))
        atomic_store(&sharing->has_begun, true);
    if (generation != sharing->generation) {
        sharing->generation = generation;
        each_affair(sharing, reset);
    }
    if (!is_there && atomic_load(&sharing->has_begun))
        each_affair(sharing, give_up);
}

static void expire_calls(struct sharing *sharing)
{
    while (!list_is_empty(&sharing->calls)) {
        struct waiting *waiting =
            CONTAINER_OF(sharing->calls.next, struct waiting, age);

        if (waiting->deadline_ms > now_ms())
            return;
        waiting_answer(sharing, waiting, ST_TIMEOUT);
    }
}

static void look(struct sharing *sharing)
{
    if (now_ms() < sharing->look_ms)
        return;
    sharing->look_ms = now_ms() + LOOK_MS;
    watch_connection(sharing);
    expire_calls(sharing);
    each_affair(sharing, affair_look);
    questions_look(sharing);
}

static bool is_idle(const struct sharing *sharing)
{
    return atomic_load(&sharing->has_begun) && list_is_empty(&sharing->busy) &&
           list_is_empty(&sharing->asked);
}

static void turn(struct sharing *sharing)
{
    handle(sharing,
           mailbox_wait(&sharing->box, is_idle(sharing) ? IDLE_MS : LOOK_MS));
    look(sharing);
    if (sharing->connection != NULL && is_up(sharing)) {
        owe_lost(sharing);
        take_owed(sharing);
    }
}

static bool has_work(struct sharing *sharing)
{
    return is_up(sharing) && sessions_count_owed(sharing->sessions) > 0 &&
           follower_takes_sessions(sharing->options.follower) == TAKING_ALL;
}

static void run(void *arg)
{
    struct sharing *sharing = arg;
    int64_t until_ms;

    platform_name_thread("stream-sessions");
    sharing->begins_ms = now_ms() + sharing->options.config->session_wait_ms;
    while (!atomic_load(&sharing->is_stopping))
        turn(sharing);
    until_ms = now_ms() + STOP_MS;
    while (has_work(sharing) && now_ms() < until_ms)
        turn(sharing);
    let_go(sharing);
    nats_ReleaseThreadMemory();
}

/* ---- start and stop ------------------------------------------------------ */

struct sharing *sharing_create(const struct sharing_options *options)
{
    struct sharing *sharing = must_calloc(1, sizeof *sharing);

    nats_metrics_register();
    sharing->options = *options;
    sharing->sessions = journal_sessions(options->journal);
    sharing->sharer = (struct session_sharer){post, wake, takes, sharing};
    CHECK(RAND_bytes((unsigned char *)&sharing->self, sizeof sharing->self) ==
          1);
    list_init(&sharing->busy);
    list_init(&sharing->calls);
    list_init(&sharing->asked);
    mailbox_init(&sharing->box, "stream-sessions", CALLS_MAX, BOX_BYTES, NULL,
                 NULL);
    return sharing;
}

void sharing_start(struct sharing *sharing)
{
    sharing->is_started = true;
    sessions_share(sharing->sessions, &sharing->sharer);
    CHECK(uv_thread_create(&sharing->thread, run, sharing) == 0);
}

/* What came too late; the thread has gone. */
static void refuse_rest(struct sharing *sharing)
{
    struct msg *msg = mailbox_take(&sharing->box);

    while (msg != NULL) {
        struct note *note = CONTAINER_OF(msg, struct note, link);

        msg = msg->next;
        if (note->tag == NOTE_CALL) {
            note->publish->session->result = ST_CLOSED;
            note->publish->answer(note->publish);
        }
        note_destroy(note);
    }
}

void sharing_stop(struct sharing *sharing)
{
    if (!sharing->is_started)
        return;
    atomic_store(&sharing->is_stopping, true);
    wake(sharing);
    CHECK(uv_thread_join(&sharing->thread) == 0);
    sharing->is_started = false;
    mailbox_close(&sharing->box);
    each_affair(sharing, give_up);
    questions_end(sharing);
    refuse_rest(sharing);
}

void sharing_destroy(struct sharing **sharing)
{
    struct sharing *mine = *sharing;

    *sharing = NULL;
    if (mine == NULL)
        return;
    CHECK(!mine->is_started);
    sessions_share(mine->sessions, NULL);
    affairs_fini(mine);
    mailbox_fini(&mine->box);
    buffer_fini(&mine->text);
    buffer_fini(&mine->subject);
    buffer_fini(&mine->question);
    buffer_fini(&mine->reply);
    free(mine);
}
