/* stream_probe.c -- is there somebody who answers for the stream, now?
 *
 * A stream of several copies has no leader for seconds after the old one died, and
 * a request that was sent then is answered by nobody, ever. Who waits two seconds
 * for each answer, and sends nothing meanwhile, can miss the short while in which
 * there is a leader, again and again: under servers that fall one after the other
 * a follower stood still for most of a minute while the stream went on.
 *
 * So a question is sent every PROBE_EVERY_MS, and any answer to any of them
 * counts; what it says does not matter, since the real request follows. Whoever
 * reads need not wait for it at all. Each round of questions has a token of its
 * own, so that a late answer to an earlier one is none.
 */
#include "follower_inside.h"
#include "nats_subscription.h"

#include <tidings/clock.h>

#include <stdio.h>
#include <stdlib.h>

#define PROBE_EVERY_MS 200

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&system_clock);
}

bool follower_probe_open(struct follower *follower, natsConnection *connection)
{
    struct probe *probe = &follower->probe;
    natsInbox *inbox = NULL;
    char subject[PROBE_SUBJECT_MAX];

    *probe =
        (struct probe){.connection = connection, .asked_ms = probe->asked_ms};
    if (natsInbox_Create(&inbox) != NATS_OK)
        return false;
    (void)snprintf(probe->inbox, sizeof probe->inbox, "%s", inbox);
    natsInbox_Destroy(inbox);
    (void)snprintf(subject, sizeof subject, "%s.*", probe->inbox);
    return natsConnection_SubscribeSync(&probe->answers, connection, subject) ==
           NATS_OK;
}

void follower_probe_close(struct follower *follower)
{
    nats_unsubscribe(follower->probe.connection, &follower->probe.answers);
}

static void ask(struct follower *follower)
{
    struct probe *probe = &follower->probe;
    char subject[PROBE_SUBJECT_MAX], reply[PROBE_SUBJECT_MAX];

    (void)snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s",
                   follower->name);
    (void)snprintf(reply, sizeof reply, "%s.%u", probe->inbox, probe->round);
    (void)natsConnection_PublishRequestString(probe->connection, subject, reply,
                                              "");
    probe->due_ms = now_ms() + PROBE_EVERY_MS;
    if (probe->asked_ms == 0)
        probe->asked_ms = now_ms();
}

static bool is_of_this_round(const struct probe *probe, natsMsg *msg)
{
    const char *token = strrchr(natsMsg_GetSubject(msg), '.');

    return token != NULL && strtoul(token + 1, NULL, 10) == probe->round;
}

bool follower_probe(struct follower *follower, int64_t wait_ms)
{
    struct probe *probe = &follower->probe;
    natsMsg *msg = NULL;
    bool is_answered = false;

    if (now_ms() >= probe->due_ms)
        ask(follower);
    while (!is_answered &&
           natsSubscription_NextMsg(&msg, probe->answers, wait_ms) == NATS_OK) {
        is_answered = is_of_this_round(probe, msg);
        natsMsg_Destroy(msg);
    }
    if (is_answered) {
        probe->round++;
        probe->asked_ms = probe->due_ms = 0;
    }
    return is_answered;
}

int64_t follower_unanswered_ms(const struct follower *follower)
{
    const int64_t since_ms = follower->probe.asked_ms;

    return since_ms != 0 ? now_ms() - since_ms : 0;
}

bool follower_await_answer(struct follower *follower, int64_t most_ms)
{
    const int64_t until_ms = now_ms() + most_ms;

    while (!follower_probe(follower, PROBE_EVERY_MS))
        if (now_ms() >= until_ms || follower_is_disturbed(follower))
            return false;
    return true;
}
