/* nats_reply.c -- the thread that answers.
 *
 * It takes all debts at once, pays them in their order, and looks after the
 * link in between: a link that is connected but not confirmed is asked, drops
 * are counted. It is the only thread that writes to NATS, and the only one that
 * waits when NATS does not take what it writes.
 *
 * An event that the journal refused after it was accepted (no space, too many
 * channels) is known to nobody when its publisher did not ask for an answer.
 * Such events come here too, are counted as rejected and logged, and sent on
 * like every other refused message.
 *
 * Every log line here may be a million: each kind is limited to one per second.
 */
#include "nats_reply.h"

#include <tidings/buffer.h>
#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/list.h>
#include <tidings/logger.h>
#include <tidings/platform.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "message.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "subject.h"

#define BOX_COUNT    131072
#define BOX_BYTES    (64u << 20)
#define SETTLED_MS   500 /* between looks at a link that is ready */
#define UNSETTLED_MS 50

struct replies {
    const char *prefix;          /* fixed at create */
    bool sends_refused;          /* fixed at create */
    struct nats_link *nats_link; /* fixed at start; NULL: never started */
    uv_thread_t thread;          /* fixed at start */
    struct mailbox box;
    atomic_bool is_stopping;

    /* Of the thread. */
    uint64_t dropped_before;
    struct log_limit drops, refusals, failures;
    struct buffer text, subject;
};

/* ---- debts --------------------------------------------------------------- */

struct owed *owed_create(struct replies *replies, const char *subject)
{
    const bool is_asked =
        subject != NULL && subject_is_publishable(text_of(subject));
    const char *where = is_asked ? subject : "";
    const size_t bytes = strlen(where) + 1;
    struct owed *owed = must_malloc(sizeof *owed + bytes);

    owed->link.next = NULL;
    owed->link.bytes = (uint32_t)(sizeof *owed + bytes);
    owed->replies = replies;
    owed->refusal = REFUSAL_NONE;
    owed->id = 0;
    owed->is_duplicate = false;
    owed->amends = NULL;
    owed->amended_id = 0;
    owed->message = NULL;
    owed->event = NULL;
    memcpy(owed->subject, where, bytes);
    return owed;
}

void owed_destroy(struct owed **owed)
{
    struct owed *mine = *owed;

    *owed = NULL;
    if (mine == NULL)
        return;
    natsMsg_Destroy(mine->message);
    event_unref(&mine->event);
    free(mine);
}

static size_t carried_bytes(const struct owed *owed)
{
    size_t bytes = 0;

    if (owed->message != NULL)
        bytes += message_data(owed->message).length;
    if (owed->event != NULL)
        bytes += owed->event->data_bytes;
    return bytes;
}

void replies_owe(struct replies *replies, struct owed **owed)
{
    struct msg *msg = &(*owed)->link;

    msg->bytes += (uint32_t)carried_bytes(*owed);
    if (mailbox_post(&replies->box, &msg) == ST_OK)
        *owed = NULL;
    else
        owed_destroy(owed); /* the box has counted it */
}

static void log_refusal(const natsMsg *msg, enum refusal refusal,
                        struct log_limit *limit)
{
    uint64_t suppressed;

    if (logger_may(limit, clock_monotonic_ms(&system_clock), &suppressed))
        LOG_LINE(LOG_WARN, "nats", "message refused",
                 LOG_STR("reason", refusal_code(refusal)),
                 LOG_STR("subject", natsMsg_GetSubject(msg)),
                 LOG_NUM("suppressed", suppressed));
}

void replies_refuse(struct replies *replies, natsMsg **msg, const char *subject,
                    enum refusal refusal, struct log_limit *limit)
{
    struct owed *owed = owed_create(replies, subject);

    nats_count(METRIC_nats_rejected, 1);
    log_refusal(*msg, refusal, limit);
    owed->refusal = refusal;
    owed->message = *msg;
    *msg = NULL;
    replies_owe(replies, &owed);
}

/* ---- paying -------------------------------------------------------------- */

static void publish(struct replies *replies, const char *subject,
                    struct text data)
{
    uint64_t suppressed;

    if (nats_link_publish(replies->nats_link, subject, data) == ST_OK)
        return;
    if (logger_may(&replies->failures, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "nats", "cannot publish an answer",
                 LOG_NUM("suppressed", suppressed));
}

static void answer(struct replies *replies, const struct owed *owed)
{
    struct buffer *text = &replies->text;

    text->length = 0;
    if (owed->refusal == REFUSAL_NONE) {
        buffer_append_string(text, "{\"id\":");
        buffer_append_u64(text, owed->id);
        if (owed->amends != NULL) {
            buffer_printf(text, ",\"%s\":", owed->amends);
            buffer_append_u64(text, owed->amended_id);
        }
        if (owed->is_duplicate)
            buffer_append_string(text, ",\"duplicate\":true");
        buffer_append_char(text, '}');
    } else {
        buffer_printf(text, "{\"error\":\"%s\",\"message\":\"%s\"}",
                      refusal_code(owed->refusal),
                      refusal_sentence(owed->refusal));
    }
    publish(replies, owed->subject, buffer_text(text));
}

static void send_on(struct replies *replies, const struct owed *owed)
{
    struct buffer *subject = &replies->subject;
    const struct text data = owed->message != NULL ? message_data(owed->message)
                                                   : event_data(owed->event);

    subject->length = 0;
    buffer_printf(subject, "%s_rejected.%s", replies->prefix,
                  refusal_code(owed->refusal));
    buffer_append_char(subject, '\0');
    publish(replies, subject->bytes, data);
}

static void log_late_refusal(struct replies *replies, const struct owed *owed)
{
    uint64_t suppressed;

    if (logger_may(&replies->refusals, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_ERROR, "nats", "event refused by the journal",
                 LOG_STR("reason", refusal_code(owed->refusal)),
                 LOG_TXT("channel", event_channel(owed->event)),
                 LOG_NUM("suppressed", suppressed));
}

static void pay(struct replies *replies, struct owed *owed)
{
    if (owed->event != NULL)
        log_late_refusal(replies, owed);
    if (owed->subject[0] != '\0')
        answer(replies, owed);
    if (replies->sends_refused &&
        (owed->message != NULL || owed->event != NULL))
        send_on(replies, owed);
    owed_destroy(&owed);
}

static void pay_all(struct replies *replies, struct msg *oldest)
{
    while (oldest != NULL) {
        struct owed *owed = CONTAINER_OF(oldest, struct owed, link);

        oldest = oldest->next;
        pay(replies, owed);
    }
}

/* ---- the thread ---------------------------------------------------------- */

static void count_drops(struct replies *replies)
{
    const uint64_t dropped = mailbox_refused(&replies->box);
    const uint64_t news = dropped - replies->dropped_before;
    uint64_t suppressed;

    if (news == 0)
        return;
    replies->dropped_before = dropped;
    nats_count(METRIC_nats_answers_dropped, (int64_t)news);
    if (logger_may(&replies->drops, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "nats",
                 "answers were dropped: NATS takes them too slowly",
                 LOG_NUM("dropped", dropped));
}

static void run(void *arg)
{
    struct replies *replies = arg;
    bool is_last;

    platform_name_thread("nats-reply");
    do {
        is_last = atomic_load(&replies->is_stopping);
        pay_all(replies, mailbox_wait(&replies->box,
                                      nats_link_is_ready(replies->nats_link)
                                          ? SETTLED_MS
                                          : UNSETTLED_MS));
        count_drops(replies);
        nats_link_tick(replies->nats_link);
    } while (!is_last);
    nats_link_flush(replies->nats_link);
    nats_ReleaseThreadMemory();
}

struct replies *replies_create(const char *prefix, bool sends_refused)
{
    struct replies *replies = must_calloc(1, sizeof *replies);

    nats_metrics_register();
    replies->prefix = prefix;
    replies->sends_refused = sends_refused;
    mailbox_init(&replies->box, "nats-reply", BOX_COUNT, BOX_BYTES, NULL, NULL);
    buffer_init(&replies->text);
    buffer_init(&replies->subject);
    return replies;
}

void replies_start(struct replies *replies, struct nats_link *nats_link)
{
    CHECK(replies->nats_link == NULL);
    replies->nats_link = nats_link;
    CHECK(uv_thread_create(&replies->thread, run, replies) == 0);
}

void replies_stop(struct replies *replies)
{
    if (replies->nats_link == NULL)
        return;
    atomic_store(&replies->is_stopping, true);
    mailbox_close(&replies->box);
    CHECK(uv_thread_join(&replies->thread) == 0);
    replies->nats_link = NULL;
}

static void forgive_all(struct msg *oldest)
{
    while (oldest != NULL) {
        struct owed *owed = CONTAINER_OF(oldest, struct owed, link);

        oldest = oldest->next;
        owed_destroy(&owed);
    }
}

void replies_destroy(struct replies **replies)
{
    struct replies *mine = *replies;

    *replies = NULL;
    if (mine == NULL)
        return;
    CHECK(mine->nats_link == NULL);
    forgive_all(mailbox_take(&mine->box)); /* if it was never started */
    mailbox_fini(&mine->box);
    buffer_fini(&mine->text);
    buffer_fini(&mine->subject);
    free(mine);
}
