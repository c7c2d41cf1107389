/* nats_stream.c -- the thread that reads the stream.
 *
 *   link up -> look at the stream (stream_watch.c) -> push consumer from the
 *   stored sequence + 1 -> messages -> events with their ids -> one publish per
 *   handful, with the position behind it -> journal
 *
 * The thread asks the library for one message after the other and takes what is
 * there: under load a publish carries hundreds of events, alone it carries one.
 * There is no callback that would have to know when to stop gathering.
 *
 * Whatever goes wrong has one remedy: leave the consumer, wait until the journal
 * has answered all that was posted, and begin anew from what is stored. So it
 * goes when the connection was lost, when a message is not the next one of the
 * consumer that was made here, when heartbeats of that were missed, and when the
 * journal refuses a step for want of room. A message that comes again is left out:
 * its sequence is not behind the position.
 *
 * The consumer is what the library calls ordered, but not by its option: on a gap or
 * a missed heartbeat that makes another one, on a thread of its own, without looking
 * whether it is still the same stream; and nats.c 3.4 then frees the name by which we
 * delete the consumer meanwhile.
 *
 * stream_read.c makes events of messages, stream_post.c gives them to the journal.
 */
#include "nats_stream.h"

#include "base/seeded_bug.h"
#include "follower_inside.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "nats_reply.h"
#include "nats_subscription.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/platform.h>

#include <stdio.h>
#include <stdlib.h>

#define LINK_LOOK_MS 50
#define RETRY_MS     500
#define SUSPENDED_MS 50
#define REQUEST_MS   2000
#define CONSUMER_MS  500
#define NS_PER_S     INT64_C(1000000000)
#define HEARTBEAT_NS INT64_C(1000000000)

#define PENDING_MESSAGES (1 << 20)
#define PENDING_BYTES    (256 << 20)

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&system_clock);
}

/* ---- waiting ------------------------------------------------------------- */

bool follower_is_over(const struct follower *follower)
{
    return atomic_load(&follower->is_stopping);
}

enum status follower_refusal(const struct follower *follower)
{
    return (enum status)atomic_load(&follower->refused);
}

/* Until the time is over or there is news; the stop is news. */
static void pause_for(struct follower *follower, unsigned wait_ms)
{
    uv_mutex_lock(&follower->mutex);
    if (!follower_is_over(follower))
        (void)uv_cond_timedwait(&follower->news, &follower->mutex,
                                (uint64_t)wait_ms * 1000000);
    uv_mutex_unlock(&follower->mutex);
}

/* Until fewer steps than `most` are with the journal, which answers them all. */
void follower_await_answers(struct follower *follower, unsigned most)
{
    uv_mutex_lock(&follower->mutex);
    while (atomic_load(&follower->in_flight) > most)
        uv_cond_wait(&follower->news, &follower->mutex);
    uv_mutex_unlock(&follower->mutex);
}

bool follower_is_disturbed(const struct follower *follower)
{
    const struct nats_link *link = follower->options.link;

    return follower_is_over(follower) || follower_refusal(follower) != ST_OK ||
           nats_link_generation(link) != follower->looked_at;
}

/* The consumer's server is gone, or has forgotten it. */
static bool is_abandoned(const struct follower *follower)
{
    return nats_link_missed(follower->options.link) != follower->missed;
}

static bool take_turn(struct follower *follower, struct handful *handful)
{
    if (!follower->is_suspended)
        return follower_read_some(follower, handful);
    pause_for(follower, SUSPENDED_MS);
    return true;
}

static void read_until_disturbed(struct follower *follower)
{
    struct handful *handful = must_calloc(1, sizeof *handful);

    buffer_init(&handful->marks);
    handful->news = must_calloc(BATCH_MESSAGES, sizeof handful->news[0]);
    while (!follower_is_disturbed(follower) && !is_abandoned(follower) &&
           take_turn(follower, handful) && follower_glance(follower)) {
    }
    spent_give(&handful->spent);
    buffer_fini(&handful->marks);
    free(handful->news);
    free(handful);
}

/* ---- the consumer -------------------------------------------------------- */

static bool note_consumer(struct follower *follower)
{
    jsConsumerInfo *info = NULL;
    bool is_known = false;

    if (natsSubscription_GetConsumerInfo(&info, follower->subscription, NULL,
                                         NULL) != NATS_OK)
        return false;
    if (strlen(info->Name) < sizeof follower->consumer) {
        memcpy(follower->consumer, info->Name, strlen(info->Name) + 1);
        is_known = true;
    }
    jsConsumerInfo_Destroy(info);
    return is_known;
}

/* Short at first: while the servers elect who makes consumers nobody answers, and
 * each try is a new chance. Longer when that was too short, and then from the
 * beginning: which of both it is cannot be known. */
static void note_wait(struct follower *follower, natsStatus status)
{
    uint64_t suppressed;

    if (status == NATS_OK) {
        follower->consumer_wait_ms = CONSUMER_MS;
        return;
    }
    follower->consumer_wait_ms = follower->consumer_wait_ms < REQUEST_MS
                                     ? follower->consumer_wait_ms * 2
                                     : CONSUMER_MS;
    if (logger_may(&follower->troubles, now_ms(), &suppressed))
        LOG_LINE(LOG_WARN, "nats", "no consumer of the stream can be made",
                 LOG_STR("stream", follower->name),
                 LOG_STR("why", natsStatus_GetText(status)));
}

/* nats.c (3.4) writes the nanoseconds of a second without leading zeros: 0.05 s
 * become 0.5 s. A time that needs them is put back to the whole second; what is too
 * old then comes too, and is left out (stream_read.c). */
static int64_t speakable(int64_t time_ns)
{
    const int64_t part_ns = time_ns % NS_PER_S;

    return part_ns < NS_PER_S / 10 && !seeded_bug("time-unspeakable")
               ? time_ns - part_ns
               : time_ns;
}

/* Without subjects of our own: all that the stream takes. */
static bool subscribe(struct follower *follower,
                      const struct follower_begin *begin)
{
    jsSubOptions options;
    jsOptions wait;
    natsStatus status;

    CHECK(jsOptions_Init(&wait) == NATS_OK);
    wait.Wait = follower->consumer_wait_ms;
    CHECK(jsSubOptions_Init(&options) == NATS_OK);
    options.Stream = follower->name;
    options.Config.AckPolicy = js_AckNone;
    options.Config.MaxDeliver = 1;
    options.Config.FlowControl = true;
    options.Config.Heartbeat = HEARTBEAT_NS;
    options.Config.Replicas = 1;
    options.Config.MemoryStorage = true;
    options.Config.DeliverPolicy = js_DeliverByStartSequence;
    options.Config.OptStartSeq = begin->sequence;
    if (begin->time_ns != 0) {
        options.Config.DeliverPolicy = js_DeliverByStartTime;
        options.Config.OptStartSeq = 0;
        options.Config.OptStartTime = speakable(begin->time_ns + 1);
    }
    follower->missed = nats_link_missed(follower->options.link);
    status = js_SubscribeSync(&follower->subscription, follower->js, ">", &wait,
                              &options, NULL);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(
            follower->subscription, PENDING_MESSAGES, PENDING_BYTES);
    follower->begins_after_ns = begin->time_ns;
    follower->consumer_sequence = 0;
    follower->is_suspended = false;
    follower->heard_ms = now_ms();
    note_wait(follower, status);
    return status == NATS_OK && note_consumer(follower);
}

/* What is acknowledged now may be of a stream that was rewound: until it was looked
 * at, nobody is told ids by their sequence. */
void follower_hide(struct follower *follower)
{
    if (!seeded_bug("acked-unlooked"))
        atomic_store(&follower->checked, 0);
}

static void leave(struct follower *follower)
{
    follower_hide(follower);
    nats_unsubscribe(follower->connection, &follower->subscription);
}

/* What comes next may be of an epoch that has no base yet: then nobody is told ids
 * by their sequence. */
void follower_show(struct follower *follower)
{
    uv_mutex_lock(&follower->mutex);
    follower->shared.shown = follower->at;
    uv_mutex_unlock(&follower->mutex);
    if (follower->epoch_after_ns == 0 || seeded_bug("acked-before-epoch"))
        atomic_store(&follower->checked, follower->looked_at);
    atomic_store(&follower->awaiting,
                 follower->epoch_after_ns != 0 ? follower->looked_at : 0);
}

/* ---- the thread ---------------------------------------------------------- */

/* All is answered: what is stored is where it goes on. */
static void go_back(struct follower *follower)
{
    follower_await_answers(follower, 0);
    uv_mutex_lock(&follower->mutex);
    follower->at = follower->shared.stored;
    follower->posted_upto = follower->shared.stored_upto;
    uv_mutex_unlock(&follower->mutex);
    follower->newest_id = journal_last_id(follower->options.journal);
    follower->missing_id = follower->rewound_after = follower->rewound_upto = 0;
    follower->epoch_after_ns = 0;
    follower->begins_anywhere = false;
    follower->doubted = 0;
}

static void note_refusal(struct follower *follower)
{
    const enum status st = follower_refusal(follower);
    uint64_t suppressed;

    if (st == ST_OK)
        return;
    atomic_store(&follower->refused, ST_OK);
    if (st == ST_CLOSED)
        return;
    follower_become(follower, FOLLOWER_NO_SPACE);
    if (logger_may(&follower->troubles, now_ms(), &suppressed))
        LOG_LINE(LOG_WARN, "nats",
                 "the journal does not take the stream's events; they are read "
                 "again later",
                 LOG_STR("why", status_text(st)),
                 LOG_NUM("sequence", follower->at.sequence));
    pause_for(follower, RETRY_MS);
}

/* At most one try in RETRY_MS; who has waited for an answer need not wait more. */
static void pause_since(struct follower *follower, int64_t begun_ms)
{
    const int64_t left_ms = begun_ms + RETRY_MS - now_ms();

    if (left_ms > 0)
        pause_for(follower, (unsigned)left_ms);
}

/* With a context on the connection as it is now. */
static void follow_on(struct follower *follower, natsConnection *connection)
{
    const int64_t begun_ms = now_ms();
    struct follower_begin begin;
    jsOptions options;

    CHECK(jsOptions_Init(&options) == NATS_OK);
    options.Wait = REQUEST_MS;
    if (natsConnection_JetStream(&follower->js, connection, &options) !=
        NATS_OK)
        return;
    follower->connection = connection;
    peers_join(follower);
    if (follower_probe_open(follower, connection) &&
        follower_look(follower, &begin) && subscribe(follower, &begin)) {
        follower_show(follower);
        nats_count(METRIC_stream_resets, 1);
        follower_post_position(follower);
        read_until_disturbed(follower);
        if (atomic_load(&follower->state) == FOLLOWER_FALLING)
            pause_since(follower, begun_ms);
    } else {
        pause_since(follower, begun_ms);
    }
    leave(follower);
    follower_probe_close(follower);
    peers_part(follower);
    jsCtx_Destroy(follower->js);
    follower->js = NULL;
}

static void follow(struct follower *follower)
{
    struct nats_link *link = follower->options.link;
    natsConnection *connection;

    go_back(follower);
    note_refusal(follower);
    follower->looked_at = nats_link_generation(link);
    connection = follower->looked_at % 2 == 1 ? nats_link_borrow(link) : NULL;
    if (connection == NULL) {
        follower_become(follower, FOLLOWER_AWAY);
        pause_for(follower, LINK_LOOK_MS);
        return;
    }
    follow_on(follower, connection);
    nats_link_give_back(link);
}

static void run(void *arg)
{
    struct follower *follower = arg;

    platform_name_thread("nats-stream");
    while (!follower_is_over(follower))
        follow(follower);
    nats_ReleaseThreadMemory();
}

/* ---- start and stop ------------------------------------------------------ */

static bool load_position(struct follower *follower, char *why,
                          size_t why_bytes)
{
    struct source_stored stored;

    if (!source_stored(follower->options.journal, &stored))
        return true;
    if (stream_position_decode(stored.row, stored.row_bytes,
                               &follower->shared.stored) != ST_OK) {
        (void)snprintf(why, why_bytes,
                       "the stored position in the stream %s cannot be "
                       "understood",
                       follower->name);
        return false;
    }
    follower->shared.stored_upto = stored.upto;
    follower->shared.shown = follower->shared.stored;
    return true;
}

static bool read_since(struct follower *follower, char *why, size_t why_bytes)
{
    const char *start = follower->options.config->stream_start;
    int64_t since_ms;

    if (strcmp(start, "all") == 0 || strcmp(start, "new") == 0)
        return true;
    if (strncmp(start, "since:", 6) == 0 &&
        time_parse(text_of(start + 6), &since_ms) && since_ms > 0) {
        follower->since_ns = since_ms * 1000000 - 1;
        return true;
    }
    (void)snprintf(why, why_bytes,
                   "stream_start is all, new, or since: and a time with its "
                   "offset, such as since:2026-01-31T12:00:00Z");
    return false;
}

static char *make_note_subject(const struct follower_options *options)
{
    const struct text prefix = options->rules.prefix;
    const size_t bytes = prefix.length + sizeof ".$tidings.epochs";
    char *subject = must_malloc(bytes);

    (void)snprintf(subject, bytes, "%.*s.$tidings.epochs", TEXT_ARGS(prefix));
    return subject;
}

enum status follower_create(const struct follower_options *options,
                            struct follower **follower_out, char *why,
                            size_t why_bytes)
{
    struct follower *follower = must_calloc(1, sizeof *follower);

    follower->options = *options;
    follower->name = options->config->stream;
    follower->note_subject = make_note_subject(options);
    follower->consumer_wait_ms = CONSUMER_MS;
    peers_init(&follower->peers, follower->name);
    CHECK(uv_mutex_init(&follower->mutex) == 0);
    CHECK(uv_cond_init(&follower->news) == 0);
    if (!stream_name_is_valid(text_of(follower->name)))
        (void)snprintf(why, why_bytes,
                       "stream must be a name of A-Z a-z 0-9 _ -");
    else if (load_position(follower, why, why_bytes) &&
             read_since(follower, why, why_bytes)) {
        *follower_out = follower;
        return ST_OK;
    }
    follower_destroy(&follower);
    return ST_BAD_INPUT;
}

void follower_start(struct follower *follower)
{
    follower->is_started = true;
    CHECK(uv_thread_create(&follower->thread, run, follower) == 0);
}

void follower_stop(struct follower *follower)
{
    if (!follower->is_started)
        return;
    atomic_store(&follower->is_stopping, true);
    uv_mutex_lock(&follower->mutex);
    uv_cond_broadcast(&follower->news);
    uv_mutex_unlock(&follower->mutex);
    CHECK(uv_thread_join(&follower->thread) == 0);
    follower->is_started = false;
}

void follower_destroy(struct follower **follower)
{
    struct follower *mine = *follower;

    *follower = NULL;
    if (mine == NULL)
        return;
    CHECK(!mine->is_started && atomic_load(&mine->in_flight) == 0);
    uv_cond_destroy(&mine->news);
    uv_mutex_destroy(&mine->mutex);
    free(mine->note_subject);
    peers_fini(&mine->peers);
    free(mine);
}

/* ---- questions ----------------------------------------------------------- */

static const struct {
    const char *text;
    bool is_ready, is_alarm;
} row[] = {
#define S(name, text, is_ready, is_alarm) {text, is_ready, is_alarm},
    FOLLOWER_STATES(S)
#undef S
};

bool follower_is_ready(const struct follower *follower)
{
    return row[atomic_load(&follower->state)].is_ready;
}

const char *follower_state_text(const struct follower *follower)
{
    return row[atomic_load(&follower->state)].text;
}

const char *follower_alarm(const struct follower *follower)
{
    const int state = atomic_load(&follower->state);

    if (row[state].is_alarm)
        return row[state].text;
    return atomic_load(&follower->was_rewound) ? row[FOLLOWER_REWOUND].text
                                               : NULL;
}

uint64_t follower_acked_id(struct follower *follower, uint64_t sequence)
{
    const unsigned generation = nats_link_generation(follower->options.link);
    uint64_t id;

    if (generation % 2 == 0 || atomic_load(&follower->checked) != generation)
        return 0;
    uv_mutex_lock(&follower->mutex);
    id = stream_id(&follower->shared.shown, sequence);
    uv_mutex_unlock(&follower->mutex);
    return id;
}

bool follower_awaits_epoch(const struct follower *follower)
{
    const unsigned generation = nats_link_generation(follower->options.link);

    return generation % 2 == 1 &&
           atomic_load(&follower->awaiting) == generation;
}

unsigned follower_kept_ids(struct follower *follower,
                           struct session_versions *kept)
{
    const uint64_t first = atomic_load(&follower->first);
    unsigned count;

    if (first == 0 || follower_acked_id(follower, first) == 0)
        return 0;
    uv_mutex_lock(&follower->mutex);
    count = stream_kept(&follower->shared.shown, first, kept);
    uv_mutex_unlock(&follower->mutex);
    return count;
}

enum follower_taking follower_takes_sessions(const struct follower *follower)
{
    return (enum follower_taking)atomic_load(&follower->takes_sessions);
}

uint64_t follower_stored_upto(struct follower *follower)
{
    uint64_t upto;

    uv_mutex_lock(&follower->mutex);
    upto = follower->shared.stored_upto;
    uv_mutex_unlock(&follower->mutex);
    return upto;
}
