/* session_questions.c -- what another process wants to know of a session.
 *
 * It found in the stream that this one wrote the newest message, and asks for what
 * is not told yet. An answer that is just being written here is waited for a
 * little: its last bytes may be what made the client go there.
 */
#include "message.h"
#include "session_affair.h"
#include "session_message.h"

#include <tidings/check.h>
#include <tidings/clock.h>

#include <stdlib.h>

#define ASKED_MS 250

/* Another process wants to know. */
struct question {
    struct list_node node;
    natsMsg *msg;
    int64_t until_ms;
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&system_clock);
}

static void answer_question(struct sharing *sharing,
                            const struct question *question,
                            const struct session_offer *offer)
{
    struct session_message message = {.by = sharing->self};
    struct buffer *text = &sharing->text;

    text->length = 0;
    if (offer != NULL) {
        session_name_set(&message.name, message_data(question->msg));
        message.state = offer->state;
        session_message_print(&message, text);
    }
    if (sharing->connection != NULL)
        (void)natsConnection_Publish(
            sharing->connection, natsMsg_GetReply(question->msg),
            text->length > 0 ? text->bytes : "", (int)text->length);
}

/* False: later. */
static bool look_at_question(struct sharing *sharing,
                             const struct question *question)
{
    const struct text name = message_data(question->msg);
    struct session_offer offer;

    if (!session_name_is_valid(name) ||
        sessions_offer(sharing->sessions, name, &offer) != ST_OK) {
        answer_question(sharing, question, NULL);
        return true;
    }
    if (offer.is_answered && now_ms() < question->until_ms)
        return false;
    answer_question(sharing, question, &offer);
    return true;
}

static void end_question(struct sharing *sharing, struct question *question)
{
    list_remove(&question->node);
    natsMsg_Destroy(question->msg);
    free(question);
    (void)atomic_fetch_sub(&sharing->asked_waiting, 1);
}

void questions_look(struct sharing *sharing)
{
    struct list_node *node = sharing->asked.next, *next;

    for (; node != &sharing->asked; node = next) {
        struct question *question = CONTAINER_OF(node, struct question, node);

        next = node->next;
        if (look_at_question(sharing, question))
            end_question(sharing, question);
    }
}

void questions_hear(struct sharing *sharing, natsMsg **msg)
{
    struct question *question = must_calloc(1, sizeof *question);

    question->msg = *msg;
    *msg = NULL;
    question->until_ms = now_ms() + ASKED_MS;
    list_append(&sharing->asked, &question->node);
    if (look_at_question(sharing, question))
        end_question(sharing, question);
}

void questions_end(struct sharing *sharing)
{
    while (!list_is_empty(&sharing->asked))
        end_question(sharing,
                     CONTAINER_OF(sharing->asked.next, struct question, node));
}
