/* session_affair.c -- what is done about one session, step by step.
 *
 *     READING   the stream's leader says what the newest message is
 *     ASKING    another process wrote it: what has it not told yet?
 *     TELLING   our state goes into the stream, if nothing came behind what we
 *               know (expected sequence); else read again
 *
 * A session is written to by whoever serves its client, and a client may go from
 * one instance to another with each request. So each state is written on top of
 * the one before it, or not at all: nothing that was ever in the stream can be
 * overwritten by somebody who did not know it.
 *
 * `by` in the newest message is who may know more: answers that were written whole
 * a moment ago, and are not told yet. It is asked before anything is given to the
 * client. When it is gone, the server says so at once; what it had not told is
 * given again, at most the last answer, as none is begun before the stream knows
 * of the one before.
 *
 * An answer that is just being written is waited for a little: it may be the one
 * whose last bytes made the client ask again.
 */
#include "session_affair.h"

#include "base/seeded_bug.h"
#include "message.h"
#include "nats_metrics.h"
#include "nats_stream.h"
#include "session_message.h"

#include <tidings/check.h>
#include <tidings/clock.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_MS   1000
#define ASK_MS    500
#define TELL_MS   2000
#define PAUSE_MS  5
#define LINGER_MS 20 /* a look is often followed by something to tell */
#define VAIN_MS   20 /* before the stream is read again; doubled each time */
#define VAIN_MOST 5

#define BIT(stage) (1u << (stage))

static const unsigned moves[] = {
#define S(name, moves, meaning) (moves),
    AFFAIR_STAGES(S)
#undef S
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&system_clock);
}

static void become(struct affair *affair, enum affair_stage stage,
                   int64_t for_ms)
{
    CHECK(moves[affair->stage] & BIT(stage));
    affair->stage = stage;
    affair->due_ms = now_ms() + for_ms;
    affair->serial += affair->serial == UINT32_MAX ? 2 : 1; /* never 0 */
}

static struct text name_of(const struct affair *affair)
{
    return session_name_text(&affair->name);
}

/* ---- calls --------------------------------------------------------------- */

void affair_add_call(struct affair *affair, struct sharing *sharing,
                     struct publish *publish, int64_t deadline_ms)
{
    struct waiting *waiting = must_calloc(1, sizeof *waiting);

    waiting->publish = publish;
    waiting->affair = affair;
    waiting->deadline_ms = deadline_ms;
    list_append(&affair->calls, &waiting->node);
    list_append(&sharing->calls, &waiting->age);
}

static struct waiting *waiting_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct waiting, node);
}

static bool wants(const struct affair *affair, enum session_op op)
{
    const struct list_node *node = affair->calls.next;

    for (; node != &affair->calls; node = node->next)
        if (CONTAINER_OF(node, struct waiting, node)->publish->session->op ==
            op)
            return true;
    return false;
}

/* A change is in the journal too before it is answered. */
void waiting_answer(struct sharing *sharing, struct waiting *waiting,
                    enum status result)
{
    struct publish *publish = waiting->publish;
    const bool is_change = publish->session->op == SESSION_TELL ||
                           publish->session->op == SESSION_REMOVE;
    enum status st;

    list_remove(&waiting->node);
    list_remove(&waiting->age);
    free(waiting);
    (void)atomic_fetch_sub(&sharing->call_count, 1);
    publish->session->result = result;
    publish->result = ST_OK;
    if (is_change) {
        st = journal_post(sharing->options.journal, &publish);
        if (publish == NULL)
            return;
        publish->result = st;
    }
    publish->answer(publish);
}

static void answer_all(struct sharing *sharing, struct affair *affair,
                       enum status result)
{
    while (!list_is_empty(&affair->calls))
        waiting_answer(sharing, waiting_of(affair->calls.next), result);
}

void affair_give_up(struct sharing *sharing, struct affair *affair,
                    enum status why)
{
    struct session_offer offer;

    if (affair->stage != AFFAIR_OPEN)
        become(affair, AFFAIR_OPEN, 0);
    answer_all(sharing, affair, why);
    if (sessions_offer(sharing->sessions, name_of(affair), &offer) == ST_OK &&
        offer.is_owed)
        sessions_owe(sharing->sessions, name_of(affair));
    sharing->is_in_vain = true;
    affair_end(sharing, affair);
}

void affair_reset(struct affair *affair)
{
    struct list_node *node = affair->calls.next;

    if (affair->stage != AFFAIR_OPEN)
        become(affair, AFFAIR_OPEN, 0);
    affair->knows_sequence = false;
    for (; node != &affair->calls; node = node->next)
        waiting_of(node)->has_looked = false;
}

/* ---- reading ------------------------------------------------------------- */

static void read_state(struct sharing *sharing, struct affair *affair)
{
    struct buffer *question = &sharing->question;
    struct list_node *node = affair->calls.next;
    const char *stream = sharing->options.config->stream;
    char subject[256];

    for (; node != &affair->calls; node = node->next)
        waiting_of(node)->is_looking = true;
    question->length = 0;
    buffer_append_string(question, "{\"last_by_subj\":\"");
    session_subject_append(text_of(sharing->options.prefix), name_of(affair),
                           question);
    buffer_append_string(question, "\"}");
    (void)snprintf(subject, sizeof subject, "$JS.API.STREAM.MSG.GET.%s",
                   stream);
    become(affair, AFFAIR_READING, READ_MS);
    if (!sharing_send(sharing, affair, subject, buffer_text(question), 0,
                      false))
        affair_reset(affair);
}

static void end_look(struct sharing *sharing, struct affair *affair)
{
    struct list_node *node = affair->calls.next;

    for (; node != &affair->calls; node = node->next) {
        struct waiting *waiting = waiting_of(node);

        waiting->has_looked = waiting->has_looked || waiting->is_looking;
        waiting->is_looking = false;
    }
    become(affair, AFFAIR_OPEN, 0);
    affair_go_on(sharing, affair);
}

/* The answer is the form of a message; a process that does not know the session
 * any more says nothing. */
static void ask_owner(struct sharing *sharing, struct affair *affair)
{
    char subject[320];

    (void)snprintf(subject, sizeof subject, "%s_sessions.%016" PRIx64,
                   sharing->options.prefix, affair->owner);
    become(affair, AFFAIR_ASKING, ASK_MS);
    if (!sharing_send(sharing, affair, subject, name_of(affair), 0, false))
        end_look(sharing, affair);
}

/* Of a rewound stream that has got nothing since: what stands there is older than
 * what is known here, or from somebody who is as far. Told on top of that, what is
 * known here is the message that the ids begin with. */
static bool learn_rewound(struct sharing *sharing, struct affair *affair,
                          struct text data)
{
    struct session_message message;
    struct session_offer offer;

    if (!follower_awaits_epoch(sharing->options.follower) ||
        session_message_parse(data, &message) != ST_OK ||
        message.state.is_removed ||
        sessions_offer(sharing->sessions, name_of(affair), &offer) != ST_OK ||
        offer.state.born != message.state.born)
        return false;
    affair->owner = message.by;
    sessions_hear(sharing->sessions, name_of(affair), &message.state);
    sessions_owe(sharing->sessions, name_of(affair));
    return true;
}

/* What stands in the stream. False: it cannot be said yet which id it has. */
static bool learn(struct sharing *sharing, struct affair *affair,
                  struct text data)
{
    struct session_message message;
    struct session_news news;

    affair->version =
        follower_acked_id(sharing->options.follower, affair->sequence);
    if (affair->version == 0)
        return learn_rewound(sharing, affair, data);
    affair->owner = 0;
    affair->is_left_out = false;
    if (session_message_parse(data, &message) != ST_OK ||
        !text_equals(session_name_text(&message.name), name_of(affair)) ||
        !session_message_is_plausible(&message, affair->version,
                                      clock_wall_ms(&system_clock))) {
        nats_count(METRIC_sessions_malformed, 1);
        sessions_owe(sharing->sessions, name_of(affair));
        return true; /* as if it were not there; it is written over */
    }
    news = (struct session_news){.name = affair->name,
                                 .state = message.state,
                                 .version = affair->version,
                                 .sequence = affair->sequence};
    if (!message.state.is_removed)
        affair->owner = message.by;
    affair->is_left_out = sessions_learn(sharing->sessions, &news, 0) != ST_OK;
    if (affair->is_left_out)
        affair->owner = 0; /* who wants it is told */
    return true;
}

/* Nobody who asks would find what is here. */
static void be_first(struct sharing *sharing, struct affair *affair)
{
    affair->sequence = affair->owner = 0;
    affair->is_overtaken = false;
    affair->knows_sequence = true;
    affair->is_left_out = false;
    sessions_owe(sharing->sessions, name_of(affair));
}

/* The stream is there, or this process has not waited for it yet. */
static bool may_say_more(const struct sharing *sharing)
{
    return !atomic_load(&sharing->has_begun) ||
           follower_takes_sessions(sharing->options.follower) != TAKING_UNKNOWN;
}

/* It refuses, or it is not known what its sequences stand for: who waits may
 * learn more in a moment. */
static void read_in_vain(struct sharing *sharing, struct affair *affair)
{
    if (list_is_empty(&affair->calls) || !may_say_more(sharing)) {
        affair_give_up(sharing, affair, ST_BUSY);
        return;
    }
    become(affair, AFFAIR_OPEN, (int64_t)VAIN_MS << affair->vain);
    if (affair->vain < VAIN_MOST)
        affair->vain++;
}

static void on_read(struct sharing *sharing, struct affair *affair,
                    struct text reply)
{
    const enum status st =
        session_stored_parse(reply, &affair->sequence, &sharing->reply);

    if (st == ST_NOT_FOUND) {
        be_first(sharing, affair);
        end_look(sharing, affair);
        return;
    }
    if (st != ST_OK || !learn(sharing, affair, buffer_text(&sharing->reply))) {
        read_in_vain(sharing, affair);
        return;
    }
    affair->vain = 0;
    affair->is_overtaken = false;
    affair->knows_sequence = true;
    if (affair->owner != 0 && affair->owner != sharing->self &&
        !seeded_bug("session-owner-unasked"))
        ask_owner(sharing, affair);
    else
        end_look(sharing, affair);
}

static void on_asked(struct sharing *sharing, struct affair *affair,
                     struct text reply)
{
    struct session_message message;

    if (session_message_parse(reply, &message) == ST_OK &&
        text_equals(session_name_text(&message.name), name_of(affair)))
        sessions_hear(sharing->sessions, name_of(affair), &message.state);
    end_look(sharing, affair);
}

/* ---- telling ------------------------------------------------------------- */

static void tell(struct sharing *sharing, struct affair *affair)
{
    struct session_message message = {.name = affair->name,
                                      .state = affair->offer.state,
                                      .by = sharing->self};
    struct list_node *node = affair->calls.next;

    for (; node != &affair->calls; node = node->next)
        waiting_of(node)->is_telling = true;
    message.state.is_removed = affair->is_removal;
    sharing->question.length = sharing->subject.length = 0;
    session_message_print(&message, &sharing->question);
    session_subject_append(text_of(sharing->options.prefix), name_of(affair),
                           &sharing->subject);
    become(affair, AFFAIR_TELLING, TELL_MS);
    if (!sharing_send(sharing, affair, sharing->subject.bytes,
                      buffer_text(&sharing->question), affair->sequence, true))
        affair_reset(affair);
}

static void note_removed(struct sharing *sharing, struct affair *affair)
{
    struct session_news news = {.name = affair->name,
                                .state = affair->offer.state,
                                .version = affair->version,
                                .sequence = affair->sequence};

    news.state.is_removed = true;
    affair->owner = 0;
    CHECK(sessions_learn(sharing->sessions, &news, 0) ==
          ST_OK); /* needs no room */
    if (affair->version == 0 &&
        sessions_remove(sharing->sessions, name_of(affair)) != ST_OK)
        return; /* it has gone by itself */
}

/* Calls for which this message was enough. */
static void answer_told(struct sharing *sharing, struct affair *affair)
{
    struct list_node *node = affair->calls.next, *next;

    for (; node != &affair->calls; node = next) {
        struct waiting *waiting = waiting_of(node);
        const enum session_op op = waiting->publish->session->op;

        next = node->next;
        if (waiting->is_telling &&
            op == (affair->is_removal ? SESSION_REMOVE : SESSION_TELL))
            waiting_answer(sharing, waiting, ST_OK);
        else
            waiting->is_telling = false;
    }
}

static void on_told(struct sharing *sharing, struct affair *affair,
                    struct text reply)
{
    uint64_t sequence = 0;
    const enum status st = session_ack_parse(reply, &sequence);

    if (st == ST_BUSY) {
        affair_give_up(sharing, affair, ST_BUSY);
        return;
    }
    become(affair, AFFAIR_OPEN, 0);
    affair->knows_sequence = st == ST_OK;
    affair->is_overtaken = st != ST_OK;
    if (st == ST_OK) {
        sharing->is_in_vain = false;
        nats_count(METRIC_sessions_told, 1);
        affair->sequence = sequence;
        affair->version =
            follower_acked_id(sharing->options.follower, sequence);
        affair->owner = sharing->self;
        if (affair->is_removal)
            note_removed(sharing, affair);
        else
            sessions_told(sharing->sessions, name_of(affair), &affair->offer,
                          affair->version, sequence);
        answer_told(sharing, affair);
    }
    affair_go_on(sharing, affair);
}

/* ---- what comes next ----------------------------------------------------- */

static bool has_to_look(const struct waiting *waiting)
{
    const enum session_op op = waiting->publish->session->op;

    return !waiting->has_looked && op != SESSION_TELL && op != SESSION_CLAIM;
}

/* Nobody is further: who has looked goes on first, however many come after. */
static bool is_look_due(const struct affair *affair)
{
    const struct list_node *node = affair->calls.next;

    for (; node != &affair->calls; node = node->next)
        if (!has_to_look(CONTAINER_OF(node, struct waiting, node)))
            return false;
    return !list_is_empty(&affair->calls);
}

static void answer_ready(struct sharing *sharing, struct affair *affair,
                         enum status result)
{
    struct list_node *node = affair->calls.next, *next;

    for (; node != &affair->calls; node = next) {
        next = node->next;
        if (!has_to_look(waiting_of(node)))
            waiting_answer(sharing, waiting_of(node), result);
    }
}

static void pause_for(struct affair *affair, int64_t wait_ms)
{
    affair->due_ms = now_ms() + wait_ms;
}

/* An answer that is being written: its end is news. */
static bool must_be_patient(const struct affair *affair,
                            const struct session_offer *offer)
{
    return offer->is_answered && !list_is_empty(&affair->calls) &&
           now_ms() < affair->patient_ms;
}

static bool may_tell(struct sharing *sharing, struct affair *affair)
{
    const struct config *config = sharing->options.config;
    const int64_t at_ms = now_ms();

    if (sharing->told_s != at_ms / 1000)
        sharing->told = 0;
    sharing->told_s = at_ms / 1000;
    if (sharing->told >= config->session_messages_in_all ||
        !sessions_may_tell(sharing->sessions, name_of(affair), at_ms,
                           (unsigned)config->session_messages_per_second))
        return false;
    sharing->told++;
    return true;
}

/* Something of it is to be told: read first what it is told on top of. */
static void begin_telling(struct sharing *sharing, struct affair *affair,
                          const struct session_offer *offer)
{
    if (!affair->knows_sequence && !affair->is_overtaken &&
        offer->sequence != 0 && list_is_empty(&affair->calls)) {
        affair->sequence = offer->sequence;
        affair->knows_sequence = true;
    }
    if (!affair->knows_sequence) {
        read_state(sharing, affair);
        return;
    }
    if (!may_tell(sharing, affair)) {
        pause_for(affair, PAUSE_MS);
        return;
    }
    affair->offer = *offer;
    if (!offer->is_told)
        affair->offer.state.is_anew = affair->sequence != 0;
    affair->is_removal = wants(affair, SESSION_REMOVE);
    tell(sharing, affair);
}

static bool is_to_be_told(const struct sharing *sharing,
                          const struct affair *affair,
                          const struct session_offer *offer)
{
    if (seeded_bug("session-untold") && !wants(affair, SESSION_REMOVE))
        return false;
    return offer->is_owed || wants(affair, SESSION_REMOVE) ||
           (affair->owner != sharing->self &&
            (wants(affair, SESSION_CLAIM) ||
             (wants(affair, SESSION_USE) &&
              offer->state.sent > offer->state.acked)));
}

void affair_go_on(struct sharing *sharing, struct affair *affair)
{
    struct session_offer offer;
    bool is_here;

    if (affair->stage != AFFAIR_OPEN)
        return;
    if (is_look_due(affair)) {
        read_state(sharing, affair);
        return;
    }
    is_here =
        sessions_offer(sharing->sessions, name_of(affair), &offer) == ST_OK;
    if (is_here) {
        if (must_be_patient(affair, &offer)) {
            pause_for(affair, PAUSE_MS);
            return;
        }
        if (is_to_be_told(sharing, affair, &offer)) {
            begin_telling(sharing, affair, &offer);
            return;
        }
    }
    if (list_is_empty(&affair->calls)) {
        affair_end(sharing, affair);
        return;
    }
    answer_ready(sharing, affair,
                 affair->is_left_out && !is_here &&
                         !seeded_bug("session-roomless")
                     ? ST_FULL
                     : ST_OK);
    if (is_look_due(affair))
        read_state(sharing, affair);
    else
        pause_for(affair, LINGER_MS);
}

void affair_replied(struct sharing *sharing, struct affair *affair,
                    natsMsg *msg)
{
    const struct text reply = message_data(msg);
    const bool is_nobody = natsMsg_IsNoResponders(msg);

    switch (affair->stage) {
    case AFFAIR_OPEN:
        break;
    case AFFAIR_READING:
        if (is_nobody)
            affair_give_up(sharing, affair, ST_BUSY);
        else
            on_read(sharing, affair, reply);
        break;
    case AFFAIR_ASKING:
        on_asked(sharing, affair, is_nobody ? text_of("") : reply);
        break;
    case AFFAIR_TELLING:
        if (is_nobody)
            affair_give_up(sharing, affair, ST_BUSY);
        else
            on_told(sharing, affair, reply);
        break;
    }
}

void affair_look(struct sharing *sharing, struct affair *affair, int64_t at_ms)
{
    if (at_ms < affair->due_ms)
        return;
    switch (affair->stage) {
    case AFFAIR_OPEN:
        affair_go_on(sharing, affair);
        break;
    case AFFAIR_ASKING:
        end_look(sharing, affair); /* it is gone, or frozen */
        break;
    case AFFAIR_READING:
    case AFFAIR_TELLING:
        affair_give_up(sharing, affair, ST_TIMEOUT);
        break;
    }
}
