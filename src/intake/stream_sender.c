/* stream_sender.c -- messages to the stream, and its acknowledgements.
 *
 * A message asks for its acknowledgement in its reply subject: <inbox>.<ticket>.
 * One subscription on <inbox>.> hears them all, and the ticket says whose each
 * is. The library has calls for the same (js_PublishMsgAsync), but keeps a copy of
 * each message, a timer and a row in a table for what our slots know already: a
 * third of what a publish costs here (docs/benchmarks.md).
 *
 * Under load several wait in the library, and are told together: whoever waits
 * for them is woken once.
 *
 * The subscription belongs to one generation of the link. After a loss of the
 * connection another is made; acknowledgements of before are lost with the old
 * one.
 */
#include "stream_sender.h"

#include "message.h"
#include "nats_link.h"
#include "nats_subscription.h"
#include "spent.h"
#include "stream_message.h"

#include <tidings/check.h>

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define SUBJECT_ROOM 128
#define ACKED_MAX    64

struct stream_sender {
    struct stream_sender_options options; /* fixed at create */
    natsInbox *inbox;                     /* fixed at create */
    size_t inbox_bytes;                   /* fixed at create */
    unsigned generation;        /* of the link, when it was borrowed */
    natsConnection *connection; /* borrowed */
    struct nats_subscription answers;
    struct spent sent;

    /* The library's thread's, as long as there are answers. */
    struct spent heard;
    struct stream_acked acked[ACKED_MAX]; /* to be told */
    unsigned acked_count;
};

/* ---- acknowledgements, on a thread of the library ------------------------- */

static void tell(struct stream_sender *sender)
{
    if (sender->acked_count > 0)
        sender->options.on_ack(sender->options.arg, sender->acked,
                               sender->acked_count);
    sender->acked_count = 0;
}

/* The library has counted out the message that it calls us with. */
static bool is_last(natsSubscription *subscription)
{
    int messages = 0;

    return natsSubscription_GetPending(subscription, &messages, NULL) !=
               NATS_OK ||
           messages == 0;
}

static void on_answer(natsConnection *connection,
                      natsSubscription *subscription, natsMsg *msg, void *arg)
{
    struct stream_sender *sender = arg;
    const struct text subject = text_of(natsMsg_GetSubject(msg));
    const size_t skipped = sender->inbox_bytes + 1;
    struct stream_acked *acked = &sender->acked[sender->acked_count];

    (void)connection;
    acked->ack = (struct stream_ack){.st = ST_BUSY};
    if (subject.length > skipped &&
        stream_ticket_parse(
            (struct text){subject.bytes + skipped, subject.length - skipped},
            &acked->ticket)) {
        if (!natsMsg_IsNoResponders(msg))
            stream_ack_parse(message_data(msg), &acked->ack);
        sender->acked_count++;
    }
    if (sender->acked_count == ACKED_MAX || is_last(subscription))
        tell(sender);
    spent_add(&sender->heard, &msg); /* the last ones stay until others come */
}

/* ---- the connection ------------------------------------------------------ */

/* As many acknowledgements may wait as messages are on their way. */
static bool subscribe(struct stream_sender *sender)
{
    char subject[SUBJECT_ROOM];

    (void)snprintf(subject, sizeof subject, "%s.>", sender->inbox);
    return nats_subscription_open(&sender->answers, sender->connection, subject,
                                  on_answer, sender) &&
           natsSubscription_SetPendingLimits(sender->answers.handle, -1, -1) ==
               NATS_OK;
}

void stream_sender_let_go(struct stream_sender *sender)
{
    spent_give(&sender->sent);
    nats_subscription_close(&sender->answers);
    tell(sender); /* nobody else does any more */
    spent_give(&sender->heard);
    if (sender->connection != NULL)
        nats_link_give_back(sender->options.link);
    sender->connection = NULL;
}

void stream_sender_take_hold(struct stream_sender *sender)
{
    const unsigned generation = nats_link_generation(sender->options.link);

    if (generation == sender->generation)
        return;
    stream_sender_let_go(sender);
    sender->generation = 0; /* tried again, unless it is held */
    if (generation % 2 == 0)
        return;
    sender->connection = nats_link_borrow(sender->options.link);
    if (sender->connection != NULL && !subscribe(sender))
        stream_sender_let_go(sender);
    if (sender->connection != NULL)
        sender->generation = generation;
}

/* ---- sending ------------------------------------------------------------- */

static enum status from_nats(natsStatus status)
{
    if (status == NATS_OK)
        return ST_OK;
    if (status == NATS_MAX_PAYLOAD)
        return ST_TOO_BIG;
    /* Nothing was written; or some of it, and then the link is lost. */
    return status == NATS_TIMEOUT || status == NATS_IO_ERROR ? ST_TIMEOUT
                                                             : ST_BUSY;
}

enum status stream_sender_send(struct stream_sender *sender,
                               const struct event *event, struct ticket ticket)
{
    const struct stream_message message = {
        .stream = sender->options.stream,
        .prefix = sender->options.prefix,
        .inbox = {sender->inbox, sender->inbox_bytes},
        .nonce = sender->options.nonce,
        .ticket = ticket};
    natsMsg *msg = NULL;
    natsStatus status;

    if (sender->connection == NULL)
        return ST_BUSY;
    status = stream_message_make(&message, event, &msg);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(sender->connection, msg);
    spent_add(&sender->sent, &msg);
    return from_nats(status);
}

void stream_sender_rest(struct stream_sender *sender)
{
    spent_give(&sender->sent);
}

/* ---- create and destroy -------------------------------------------------- */

struct stream_sender *
stream_sender_create(const struct stream_sender_options *options)
{
    struct stream_sender *sender = must_calloc(1, sizeof *sender);

    sender->options = *options;
    CHECK(natsInbox_Create(&sender->inbox) == NATS_OK);
    sender->inbox_bytes = strlen(sender->inbox);
    return sender;
}

void stream_sender_destroy(struct stream_sender **sender)
{
    struct stream_sender *mine = *sender;

    *sender = NULL;
    if (mine == NULL)
        return;
    CHECK(mine->connection == NULL);
    natsInbox_Destroy(mine->inbox);
    free(mine);
}
