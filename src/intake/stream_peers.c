/* stream_peers.c -- what instances of one stream tell each other.
 *
 * Who has read the tail that a stream has lost knows that it was rewound; who has
 * not cannot see it, and would give the ids of the lost events to the next ones.
 * So each instance says how far the stream was read, by itself or by anybody that
 * it heard: on tidings.position.<stream>, core NATS, once a second, and whenever
 * one asks. Who gets a new connection asks, and does not look at the stream before
 *
 *   all that it knew before have answered, or
 *   one has that follows the stream now, if it knew nobody,
 *
 * but waits stream_peers_ms at most: those who do not come in that time may be gone
 * for good. An instance that has listened for ALONE_MS and heard nobody is alone and
 * waits for nobody. On a connection on which it has waited before it has heard what was
 * said since, and waits AGAIN_MS at most.
 *
 * All is done by the thread that reads the stream, on the connection that it has
 * borrowed: no callback, no lock. Words that nobody takes are few and are dropped by
 * the library, the oldest stay: PENDING of them, of PENDING_BYTES in all.
 *
 * There may be others of that name, in another domain of the account: their words
 * are of a stream that was made at another time. Such a word is kept for the case
 * that it is looked at next, and counts for nothing else.
 */
#include "follower_inside.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "nats_subscription.h"

#include <tidings/check.h>
#include <tidings/clock.h>

#include <stdio.h>
#include <stdlib.h>

#define PENDING       4096
#define PENDING_BYTES (1 << 20)
#define TELL_MS       1000
#define FORGET_MS     5000
#define ALONE_MS      5000
#define ABSENT_MS     4000 /* did not listen for so long: knows nothing */
#define AGAIN_MS      500 /* is waited on a connection on which it has waited */
#define LISTEN_MS     20
#define AT_ONCE_MAX   1024 /* words, before it goes on reading the stream */

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&system_clock);
}

void peers_init(struct peers *peers, const char *stream)
{
    const size_t bytes = sizeof "tidings.position." + strlen(stream);

    peers->subject = must_malloc(bytes);
    (void)snprintf(peers->subject, bytes, "tidings.position.%s", stream);
    CHECK(uv_random(NULL, NULL, &peers->boot, sizeof peers->boot, 0, NULL) ==
          0);
}

void peers_fini(struct peers *peers)
{
    CHECK(peers->subscription == NULL);
    free(peers->subject);
}

/* ---- telling ------------------------------------------------------------- */

static void tell(struct follower *follower, struct stream_word word)
{
    struct peers *peers = &follower->peers;
    const struct stream_position *furthest =
        peers_furthest(peers, follower->at.created_ns);
    char text[STREAM_TEXT_MAX];
    unsigned length;

    word.boot = peers->boot;
    word.position = follower->at;
    if (furthest->created_ns == follower->at.created_ns &&
        stream_is_further(furthest, &follower->at))
        word.position = *furthest;
    length = stream_word_print(&word, text, sizeof text);
    if (length > 0 && peers->subscription != NULL)
        (void)natsConnection_Publish(follower->connection, peers->subject, text,
                                     (int)length);
}

/* The library brings the subscription to a new connection by itself: what comes
 * by that is heard before the stream was looked at again. */
static bool is_settled(const struct follower *follower)
{
    return follower->subscription != NULL && !follower_is_disturbed(follower);
}

void peers_tell(struct follower *follower)
{
    /* Passed over something, and would not know it again? Waiting goes on. */
    const bool is_blind =
        follower->at.message_ns == 0 && follower->at.sequence > 0;

    tell(follower,
         (struct stream_word){.is_settled = is_settled(follower) && !is_blind});
}

/* ---- hearing ------------------------------------------------------------- */

static void note_peer(struct peers *peers, const struct stream_word *word)
{
    unsigned i = 0;

    while (i < peers->count && peers->peer[i].boot != word->boot)
        i++;
    if (word->leaves) {
        if (i < peers->count)
            peers->peer[i] = peers->peer[--peers->count];
        return;
    }
    if (i == PEERS_MAX)
        return; /* is heard all the same, but never waited for */
    peers->peer[i] = (struct peer){word->boot, now_ms()};
    if (i == peers->count)
        peers->count++;
}

/* Of the stream that is followed; and of a newer one, which may be next. */
static void note_position(struct follower *follower,
                          const struct stream_position *position)
{
    struct peers *peers = &follower->peers;
    struct stream_position *known =
        position->created_ns == follower->at.created_ns ? &peers->furthest
                                                        : &peers->next;

    if (position->created_ns == 0 || position->message_ns == 0)
        return; /* has never looked at it, or read nothing */
    if (known == &peers->furthest
            ? position->created_ns != known->created_ns ||
                  stream_is_further(position, known)
            : position->created_ns > known->created_ns ||
                  (position->created_ns == known->created_ns &&
                   stream_is_further(position, known)))
        *known = *position;
}

const struct stream_position *peers_furthest(const struct peers *peers,
                                             int64_t created_ns)
{
    return peers->next.created_ns == created_ns &&
                   (peers->furthest.created_ns != created_ns ||
                    stream_is_further(&peers->next, &peers->furthest))
               ? &peers->next
               : &peers->furthest;
}

/* Who has never looked cannot tell. */
static bool is_of_ours(const struct follower *follower, int64_t created_ns)
{
    return created_ns == follower->at.created_ns || created_ns == 0 ||
           follower->at.created_ns == 0;
}

static void hear(struct follower *follower, const natsMsg *msg)
{
    struct peers *peers = &follower->peers;
    struct stream_word word;
    bool is_ours;

    if (stream_word_parse(message_data(msg), &word) != ST_OK ||
        word.boot == peers->boot ||
        !stream_word_is_plausible(&word, follower_now_ns(follower)))
        return;
    is_ours = is_of_ours(follower, word.position.created_ns);
    if (is_ours || word.leaves)
        note_peer(peers, &word);
    note_position(follower, &word.position);
    peers->has_asked |= word.asks;
    if (!is_ours)
        return;
    peers->quiet_since_ms = now_ms();
    peers->has_heard_settled |= word.is_settled;
    if (is_settled(follower) &&
        word.position.created_ns == follower->at.created_ns)
        follower_adopt(follower, &word.position);
}

/* Waits for the first only. */
static void hear_all(struct follower *follower, int64_t wait_ms)
{
    struct peers *peers = &follower->peers;
    natsMsg *msg = NULL;

    for (unsigned i = 0; i < AT_ONCE_MAX && peers->subscription != NULL; i++) {
        if (natsSubscription_NextMsg(&msg, peers->subscription, wait_ms) !=
            NATS_OK)
            break;
        hear(follower, msg);
        natsMsg_Destroy(msg);
        wait_ms = 0;
    }
    if (peers->has_asked) {
        peers->has_asked = false;
        peers_tell(follower);
    }
    nats_set(METRIC_stream_peers, peers->count);
}

/* ---- joining ------------------------------------------------------------- */

static void forget_silent(struct peers *peers, int64_t before_ms)
{
    for (unsigned i = 0; i < peers->count; i++)
        if (peers->peer[i].heard_ms < before_ms)
            peers->peer[i--] = peers->peer[--peers->count];
}

static bool has_heard_enough(const struct peers *peers, bool knew_some)
{
    for (unsigned i = 0; i < peers->count; i++)
        if (peers->peer[i].heard_ms < peers->joined_ms)
            return false;
    return knew_some || peers->has_heard_settled;
}

/* It has listened long enough to know that there is nobody else. */
static bool is_alone(const struct peers *peers, int64_t at_ms)
{
    return peers->count == 0 && peers->quiet_since_ms != 0 &&
           at_ms - peers->glanced_ms < ABSENT_MS &&
           at_ms - peers->quiet_since_ms >= ALONE_MS;
}

static void await(struct follower *follower)
{
    struct peers *peers = &follower->peers;
    const int64_t most_ms = follower->options.config->stream_peers_ms;
    const bool is_again = peers->awaited_at == follower->looked_at;
    const int64_t until_ms =
        peers->joined_ms +
        (is_again && most_ms > AGAIN_MS ? AGAIN_MS : most_ms);
    const bool knew_some = peers->count > 0;

    while (!has_heard_enough(peers, knew_some) && now_ms() < until_ms &&
           !follower_is_disturbed(follower))
        hear_all(follower, LISTEN_MS);
    if (!follower_is_disturbed(follower))
        peers->awaited_at = follower->looked_at;
}

void peers_join(struct follower *follower)
{
    struct peers *peers = &follower->peers;

    if (natsConnection_SubscribeSync(&peers->subscription, follower->connection,
                                     peers->subject) != NATS_OK)
        return;
    (void)natsSubscription_SetPendingLimits(peers->subscription, PENDING,
                                            PENDING_BYTES);
    peers->joined_ms = now_ms();
    peers->has_heard_settled = false;
    tell(follower, (struct stream_word){.asks = true});
    if (!is_alone(peers, peers->joined_ms))
        await(follower);
}

void peers_part(struct follower *follower)
{
    struct peers *peers = &follower->peers;

    if (follower_is_over(follower))
        tell(follower, (struct stream_word){.leaves = true});
    nats_unsubscribe(follower->connection, &peers->subscription);
}

/* ---- while the stream is read -------------------------------------------- */

void peers_listen(struct follower *follower)
{
    struct peers *peers = &follower->peers;
    const int64_t at_ms = now_ms();

    hear_all(follower, 0);
    if (at_ms - peers->glanced_ms < TELL_MS)
        return;
    if (at_ms - peers->glanced_ms >= ABSENT_MS)
        peers->quiet_since_ms = at_ms;
    else
        forget_silent(peers, at_ms - FORGET_MS);
    peers->glanced_ms = at_ms;
    peers_tell(follower);
}
