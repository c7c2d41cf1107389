/* nats_core.c -- messages come in from NATS.
 *
 *   message --check--> event --post--> journal --answer--> debt --> nats-reply
 *      |                                                     ^
 *      +-- refused: counted, logged ------------------------+
 *
 * The library calls on_message on one thread of its own, one message after the
 * other, in the order of the server. So the order of each publisher is kept,
 * and there is nothing to lock.
 *
 * When the journal's mailbox has no room, that thread waits, at most WAIT_MS
 * per message: the library gathers what comes meanwhile. A message for which
 * there was still no room is refused as overloaded, so that who asked for an
 * answer hears it in time.
 *
 * The journal's thread answers by on_written or on_written_asked, which free,
 * or fill a debt that was made before the post and pass it on. A plain message
 * that is stored costs two allocations, event and publish, and no more.
 *
 * Order of the end: quiesce (no more messages, those here are posted), the
 * journal stops (all is committed and answered into the mailbox), stop (the
 * answers are published, then the link closes).
 */
#include <tidings/intake.h>

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/logger.h>
#include <tidings/platform.h>

#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "nats_presence.h"
#include "nats_reply.h"
#include "nats_stream.h"
#include "stream_publish.h"
#include "stream_sessions.h"
#include "subject.h"

#define WAIT_MS 2000

struct intake {
    const struct config *config;    /* fixed at start */
    struct journal *journal;        /* fixed at start */
    struct message_rules rules;     /* fixed at start */
    char *prefix;                   /* fixed at start */
    struct replies *replies;        /* fixed at start */
    struct nats_link *link;         /* fixed at start */
    struct follower *stream;        /* fixed at start; NULL: core NATS */
    struct publisher *publisher;    /* with the stream */
    struct sharing *sharing;        /* likewise */
    struct presence_teller *teller; /* main; NULL: nobody is told */

    /* Of the library's delivering thread. */
    bool is_named;
    struct log_limit refusals;
};

/* ---- the journal's answers, on its thread -------------------------------- */

static enum refusal outcome(const struct publish *publish)
{
    return refusal_of_result(publish->result);
}

/* The event that the journal did not take goes with the debt. */
static void hand_over_event(struct owed *owed, struct publish *publish)
{
    owed->event = publish->events[0];
    publish->events[0] = NULL;
    nats_count(METRIC_nats_rejected, 1);
}

static void on_written(struct publish *publish)
{
    struct replies *replies = publish->asker;
    struct owed *owed;

    if (outcome(publish) != REFUSAL_NONE) {
        owed = owed_create(replies, NULL);
        owed->refusal = outcome(publish);
        hand_over_event(owed, publish);
        replies_owe(replies, &owed);
    }
    publish_destroy(&publish);
}

static void note_outcome(struct owed *owed, const struct event *event)
{
    owed->id = event->id;
    owed->is_duplicate = event->is_duplicate != 0;
    if (event->amends == NULL)
        return;
    owed->amends = amendment_member(event->amends->kind);
    owed->amended_id = event->amends->id;
}

static void on_written_asked(struct publish *publish)
{
    struct owed *owed = publish->asker;

    owed->refusal = outcome(publish);
    if (owed->refusal == REFUSAL_NONE) {
        note_outcome(owed, publish->events[0]);
    } else {
        hand_over_event(owed, publish);
    }
    publish_destroy(&publish);
    replies_owe(owed->replies, &owed);
}

/* ---- a message, on the library's thread ---------------------------------- */

/* Takes the message. */
static void refuse(struct intake *intake, natsMsg **msg, enum refusal refusal)
{
    replies_refuse(intake->replies, msg, natsMsg_GetReply(*msg), refusal,
                   &intake->refusals);
}

static struct publish *make_publish(struct intake *intake, struct event *event,
                                    const char *reply)
{
    struct publish *publish = publish_create(1);

    publish->events[0] = event;
    if (reply == NULL) {
        publish->answer = on_written;
        publish->asker = intake->replies;
    } else {
        publish->answer = on_written_asked;
        publish->asker = owed_create(intake->replies, reply);
    }
    return publish;
}

/* Moves the event into the journal; a message for which it has no room is
 * refused. Takes both. */
static void post(struct intake *intake, struct event *event, natsMsg **msg)
{
    const char *reply = natsMsg_GetReply(*msg);
    struct publish *publish = make_publish(intake, event, reply);
    const enum status st =
        journal_post_before(intake->journal, &publish, WAIT_MS);

    if (st == ST_OK) {
        natsMsg_Destroy(*msg);
        *msg = NULL;
        return;
    }
    if (reply != NULL) {
        struct owed *owed = publish->asker;
        owed_destroy(&owed);
    }
    publish_destroy(&publish);
    refuse(intake, msg, refusal_of_post(st));
}

static void on_message(natsConnection *connection,
                       natsSubscription *subscription, natsMsg *msg, void *arg)
{
    struct intake *intake = arg;
    struct event *event;
    enum refusal refusal;

    (void)connection;
    (void)subscription;
    if (!intake->is_named) {
        platform_name_thread("nats");
        intake->is_named = true;
    }
    if (subject_is_inner(intake->rules.prefix,
                         text_of(natsMsg_GetSubject(msg)))) {
        natsMsg_Destroy(msg); /* of others, which follow a stream */
        return;
    }
    nats_count(METRIC_nats_received, 1);
    refusal = message_to_event(&intake->rules, msg, &event);
    if (refusal == REFUSAL_NONE)
        post(intake, event, &msg);
    else
        refuse(intake, &msg, refusal);
}

/* ---- start and stop ------------------------------------------------------ */

static enum envelope_mode envelope_mode(const char *choice)
{
    if (strcmp(choice, "always") == 0)
        return ENVELOPE_ALWAYS;
    return strcmp(choice, "never") == 0 ? ENVELOPE_NEVER : ENVELOPE_AUTO;
}

static enum status open_link(struct intake *intake, const struct config *config,
                             char *why, size_t why_bytes)
{
    char subject[EVENT_CHANNEL_MAX_BYTES + 3];
    struct nats_link_options options = {nats_login_of(config), subject,
                                        on_message, intake};

    (void)snprintf(subject, sizeof subject, "%s.>", intake->prefix);
    if (intake->config->stream[0] != '\0')
        options.subject = NULL; /* the stream has it all */
    return nats_link_open(&options, &intake->link, why, why_bytes);
}

static void on_stored(void *arg, const struct awaited *awaited, unsigned count,
                      struct event *const *events)
{
    struct intake *intake = arg;

    publisher_stored(intake->publisher, awaited, count, events);
}

static enum status open_stream(struct intake *intake, char *why,
                               size_t why_bytes)
{
    const struct follower_options options = {.config = intake->config,
                                             .journal = intake->journal,
                                             .link = intake->link,
                                             .replies = intake->replies,
                                             .rules = intake->rules,
                                             .on_stored = on_stored,
                                             .arg = intake};

    enum status st;

    if (intake->config->stream[0] == '\0')
        return ST_OK;
    st = follower_create(&options, &intake->stream, why, why_bytes);
    if (st == ST_OK)
        intake->publisher = publisher_create(&(struct publisher_options){
            intake->config, intake->journal, intake->link, intake->stream,
            intake->prefix});
    if (st == ST_OK)
        intake->sharing = sharing_create(&(struct sharing_options){
            intake->config, intake->journal, intake->link, intake->stream,
            intake->prefix});
    return st;
}

static void destroy(struct intake **intake)
{
    struct intake *mine = *intake;

    *intake = NULL;
    sharing_destroy(&mine->sharing);
    follower_destroy(&mine->stream);
    nats_link_close(&mine->link);
    publisher_destroy(&mine->publisher);
    replies_destroy(&mine->replies);
    free(mine->prefix);
    free(mine);
}

enum status intake_start(const struct config *config, struct journal *journal,
                         struct intake **intake_out, char *why,
                         size_t why_bytes)
{
    struct intake *intake;
    enum status st;

    if (!subject_prefix_is_valid(text_of(config->nats_prefix))) {
        (void)snprintf(why, why_bytes,
                       "nats_prefix must be tokens of A-Z a-z 0-9 _ - joined "
                       "by dots");
        return ST_BAD_INPUT;
    }
    intake = must_calloc(1, sizeof *intake);
    intake->config = config;
    intake->journal = journal;
    intake->prefix = must_strdup(config->nats_prefix);
    intake->rules.prefix = text_of(intake->prefix);
    intake->rules.max_bytes = (size_t)config->event_max_bytes;
    intake->rules.envelope = envelope_mode(config->envelope);
    intake->replies = replies_create(intake->prefix, config->nats_rejected);
    st = open_link(intake, config, why, why_bytes);
    if (st == ST_OK)
        st = open_stream(intake, why, why_bytes);
    if (st != ST_OK) {
        destroy(&intake);
        return st;
    }
    replies_start(intake->replies, intake->link);
    if (intake->stream != NULL) {
        follower_start(intake->stream);
        publisher_start(intake->publisher);
        sharing_start(intake->sharing);
    }
    *intake_out = intake;
    return ST_OK;
}

void intake_tell_presence(struct intake *intake, struct presence *presence)
{
    CHECK(intake->teller == NULL);
    intake->teller =
        presence_teller_start(intake->config, intake->link, presence);
}

void intake_quiesce(struct intake *intake)
{
    if (intake->stream != NULL) {
        publisher_stop(intake->publisher);
        sharing_stop(intake->sharing);
        follower_stop(intake->stream);
    }
    presence_teller_stop(&intake->teller);
    nats_link_unsubscribe(intake->link);
}

void intake_stop(struct intake **intake)
{
    struct intake *mine = *intake;

    *intake = NULL;
    if (mine == NULL)
        return;
    if (mine->stream != NULL) {
        publisher_stop(mine->publisher);
        sharing_stop(mine->sharing);
        follower_stop(mine->stream);
    }
    presence_teller_stop(&mine->teller);
    nats_link_unsubscribe(mine->link);
    replies_stop(mine->replies);
    destroy(&mine);
}

bool intake_is_ready(const struct intake *intake)
{
    return nats_link_is_ready(intake->link) &&
           (intake->stream == NULL || follower_is_ready(intake->stream));
}

enum status intake_publish(struct intake *intake, struct publish **publish)
{
    return publisher_post(intake->publisher, publish);
}

const char *intake_stream_state(const struct intake *intake)
{
    return intake->stream != NULL ? follower_state_text(intake->stream) : NULL;
}

const char *intake_stream_alarm(const struct intake *intake)
{
    return intake->stream != NULL ? follower_alarm(intake->stream) : NULL;
}
