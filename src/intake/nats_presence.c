/* nats_presence.c -- the thread that tells, and the callbacks that hear.
 *
 *     crew threads --add--> table --take--> this thread --publish--> NATS
 *                           table <--remote-- callbacks <--subscribe-- NATS
 *
 * A message about a channel:
 *
 *     {"channel":"a.b","instance":"eu-1","boot":"5f..","subscribers":3,
 *      "total":7,"change":"first"}
 *
 * `change` is there only when the channel was empty before ("first") or is now
 * ("last"). A sign of life comes every presence_heartbeat_ms; whoever is silent
 * for SILENT_BEATS of them is forgotten with its counts. An instance that has just
 * come, or come back, asks for everything ("asks":true); whoever hears a new name
 * tells everything too. Core NATS keeps nothing, so both are needed.
 *
 * The thread sleeps until something changed, something told lately may be told
 * again, or the next sign of life is due. The connection is borrowed from the
 * link; when it was closed for good, the two subscriptions are made anew on the
 * next one.
 */
#include "nats_presence.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/logger.h>
#include <tidings/platform.h>
#include <tidings/wire.h>

#include <nats/nats.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "message.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "nats_subscription.h"
#include "wire/json_object.h"

enum {
    NEWS_AT_ONCE = 256,
    SILENT_BEATS = 3,
    NO_CONNECTION_MS = 250,
    FLUSH_MS = 1000
};

struct presence_teller {
    struct presence *presence; /* fixed at start */
    struct nats_link *link;    /* fixed at start */
    const char *prefix;        /* fixed at start: the setting */
    int64_t beat_ms;           /* fixed at start */
    uint64_t boot;             /* fixed at start */
    uv_thread_t thread;        /* fixed at start */
    atomic_bool is_stopping;
    atomic_bool somebody_asks; /* the callbacks: tell everything */

    struct log_limit twins; /* the callbacks' */

    /* Of the thread. */
    natsConnection *connection; /* borrowed; NULL: none now */
    struct nats_subscription counts, signs_of_life;
    unsigned greeted; /* the generation in which we asked for everything */
    int64_t beat_at_ms;
    struct buffer subject, text;
    struct presence_news news[NEWS_AT_ONCE];
};

/* ---- hearing: on the library's threads ---------------------------------------- */

/* What a message says; empty or 0 where it says nothing. */
struct heard {
    struct text instance, channel;
    uint64_t boot;
    uint64_t subscribers;
    bool asks, leaves;
};

static uint64_t number_of(struct text text, unsigned base)
{
    uint64_t number = 0;

    if (text.length > 16)
        return 0;
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.bytes[i];
        const unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                               : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                      : 16;

        if (digit >= base)
            return 0;
        number = number * base + digit;
    }
    return number;
}

static void hear_member(struct heard *heard, const struct json_member *member)
{
    struct text inside = {NULL, 0};
    const bool is_string = json_string_inside(member->value, &inside);

    if (text_is(member->name, "instance") && is_string)
        heard->instance = inside;
    else if (text_is(member->name, "channel") && is_string)
        heard->channel = inside;
    else if (text_is(member->name, "boot") && is_string)
        heard->boot = number_of(inside, 16);
    else if (text_is(member->name, "subscribers"))
        heard->subscribers = number_of(member->value, 10);
    else if (text_is(member->name, "asks"))
        heard->asks = text_is(member->value, "true");
    else if (text_is(member->name, "leaves"))
        heard->leaves = text_is(member->value, "true");
}

static bool is_instance_name(struct text name)
{
    return name.bytes != NULL && name.length <= INSTANCE_NAME_MAX_BYTES &&
           channel_name_is_valid(name) &&
           memchr(name.bytes, '.', name.length) == NULL;
}

/* False: nothing that an instance would say. */
static bool read_message(const natsMsg *msg, struct heard *heard_out)
{
    const struct text text = message_data(msg);
    struct heard heard = {.boot = 0};
    struct json_member member;
    size_t cursor = 0;

    if (text.length > 4096 || !json_is_valid(text) || !json_is_object(text))
        return false;
    while (json_next_member(text, &cursor, &member))
        hear_member(&heard, &member);
    if (!is_instance_name(heard.instance) || heard.subscribers > UINT32_MAX)
        return false;
    *heard_out = heard;
    return true;
}

/* Another process that took our name would be taken for us. */
static bool is_us(struct presence_teller *teller, const struct heard *heard)
{
    uint64_t suppressed;

    if (!text_is(heard->instance, presence_instance(teller->presence)))
        return false;
    if (heard->boot != teller->boot &&
        logger_may(&teller->twins, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_ERROR, "presence",
                 "another instance has our name: set instance",
                 LOG_TXT("instance", heard->instance),
                 LOG_NUM("suppressed", suppressed));
    return true;
}

static void greet_back(struct presence_teller *teller, bool is_wanted)
{
    if (!is_wanted)
        return;
    atomic_store(&teller->somebody_asks, true);
    presence_wake(teller->presence);
}

static void on_count(natsConnection *connection, natsSubscription *subscription,
                     natsMsg *msg, void *arg)
{
    struct presence_teller *teller = arg;
    struct heard heard;

    (void)connection;
    (void)subscription;
    if (!read_message(msg, &heard) || !channel_name_is_valid(heard.channel))
        nats_count(METRIC_presence_malformed, 1);
    else if (!is_us(teller, &heard))
        greet_back(teller,
                   presence_remote(teller->presence, heard.instance, heard.boot,
                                   heard.channel, (uint32_t)heard.subscribers,
                                   clock_monotonic_ms(&system_clock)));
    natsMsg_Destroy(msg);
}

static void on_sign_of_life(natsConnection *connection,
                            natsSubscription *subscription, natsMsg *msg,
                            void *arg)
{
    struct presence_teller *teller = arg;
    struct heard heard;

    (void)connection;
    (void)subscription;
    if (!read_message(msg, &heard))
        nats_count(METRIC_presence_malformed, 1);
    else if (is_us(teller, &heard))
        ;
    else if (heard.leaves)
        presence_peer_left(teller->presence, heard.instance);
    else
        greet_back(teller, presence_peer_seen(
                               teller->presence, heard.instance, heard.boot,
                               clock_monotonic_ms(&system_clock)) ||
                               heard.asks);
    natsMsg_Destroy(msg);
}

/* ---- the connection -------------------------------------------------------------- */

static bool subscribe(struct presence_teller *teller,
                      struct nats_subscription *subscription,
                      const char *ending, natsMsgHandler handler)
{
    teller->subject.length = 0;
    buffer_printf(&teller->subject, "%s%s", teller->prefix, ending);
    buffer_append_char(&teller->subject, '\0');
    return nats_subscription_open(subscription, teller->connection,
                                  teller->subject.bytes, handler, teller);
}

static void let_go(struct presence_teller *teller)
{
    if (teller->connection == NULL)
        return;
    nats_subscription_close(&teller->counts);
    nats_subscription_close(&teller->signs_of_life);
    teller->connection = NULL;
    teller->greeted = 0;
    nats_link_give_back(teller->link);
}

/* Is there a connection with both subscriptions, that is up now? */
static bool is_connected(struct presence_teller *teller)
{
    if (teller->connection != NULL &&
        natsConnection_IsClosed(teller->connection))
        let_go(teller);
    if (teller->connection == NULL) {
        teller->connection = nats_link_borrow(teller->link);
        if (teller->connection == NULL)
            return false;
        if (!subscribe(teller, &teller->counts, ".>", on_count) ||
            !subscribe(teller, &teller->signs_of_life, "_instance.*",
                       on_sign_of_life))
            let_go(teller);
    }
    return teller->connection != NULL &&
           nats_link_generation(teller->link) % 2 == 1;
}

/* ---- telling ----------------------------------------------------------------------- */

static void publish(struct presence_teller *teller)
{
    buffer_append_char(&teller->subject, '\0');
    if (natsConnection_Publish(teller->connection, teller->subject.bytes,
                               teller->text.bytes,
                               (int)teller->text.length) == NATS_OK)
        nats_count(METRIC_presence_told, 1);
}

static void begin_text(struct presence_teller *teller)
{
    teller->subject.length = 0;
    teller->text.length = 0;
}

static void tell_life(struct presence_teller *teller, const char *more)
{
    const char *name = presence_instance(teller->presence);

    begin_text(teller);
    buffer_printf(&teller->subject, "%s_instance.%s", teller->prefix, name);
    buffer_printf(&teller->text,
                  "{\"instance\":\"%s\",\"boot\":\"%llx\",\"beat_ms\":%lld%s}",
                  name, (unsigned long long)teller->boot,
                  (long long)teller->beat_ms, more);
    publish(teller);
}

static void tell_channel(struct presence_teller *teller,
                         const struct presence_news *news)
{
    static const char *const changes[] = {
        [PRESENCE_SOME] = "",
        [PRESENCE_FIRST] = ",\"change\":\"first\"",
        [PRESENCE_LAST] = ",\"change\":\"last\"",
    };

    begin_text(teller);
    buffer_printf(&teller->subject, "%s.%s", teller->prefix, news->channel);
    buffer_printf(&teller->text,
                  "{\"channel\":\"%s\",\"instance\":\"%s\",\"boot\":\"%llx\","
                  "\"subscribers\":%lu,\"total\":%lu%s}",
                  news->channel, presence_instance(teller->presence),
                  (unsigned long long)teller->boot, (unsigned long)news->local,
                  (unsigned long)news->total, changes[news->change]);
    publish(teller);
}

/* After each connect the others are asked, and told everything. */
static void greet(struct presence_teller *teller)
{
    const unsigned generation = nats_link_generation(teller->link);

    if (teller->greeted == generation)
        return;
    teller->greeted = generation;
    tell_life(teller, ",\"asks\":true");
    presence_resend(teller->presence);
}

static void tell_what_changed(struct presence_teller *teller, int64_t now_ms,
                              int64_t *next_ms)
{
    const unsigned count = presence_take(teller->presence, now_ms, teller->news,
                                         NEWS_AT_ONCE, next_ms);

    for (unsigned i = 0; i < count; i++)
        tell_channel(teller, &teller->news[i]);
}

/* Answers to those who asked are gathered until the next sign of life: however
 * many ask, everything is told once in that time. */
static void beat(struct presence_teller *teller, int64_t now_ms)
{
    if (now_ms < teller->beat_at_ms)
        return;
    teller->beat_at_ms = now_ms + teller->beat_ms;
    tell_life(teller, "");
    if (atomic_exchange(&teller->somebody_asks, false))
        presence_resend(teller->presence);
}

static int64_t min_ms(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Gives the time of the next turn. */
static int64_t take_turn(struct presence_teller *teller, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;

    presence_expire(teller->presence,
                    now_ms - (SILENT_BEATS * teller->beat_ms));
    if (!is_connected(teller))
        return now_ms + NO_CONNECTION_MS;
    greet(teller);
    beat(teller, now_ms);
    tell_what_changed(teller, now_ms, &next_ms);
    return min_ms(next_ms, teller->beat_at_ms);
}

static void say_good_bye(struct presence_teller *teller)
{
    if (!is_connected(teller))
        return;
    tell_life(teller, ",\"leaves\":true");
    (void)natsConnection_FlushTimeout(teller->connection, FLUSH_MS);
}

/* A table of which something is ready would not let wait() wait; without a
 * connection the clock alone counts. */
static void wait_for_turn(struct presence_teller *teller, int64_t next_ms)
{
    const int64_t now_ms = clock_monotonic_ms(&system_clock);

    presence_wait(teller->presence, now_ms, next_ms,
                  teller->connection != NULL);
}

static void run(void *arg)
{
    struct presence_teller *teller = arg;

    platform_name_thread("nats-presence");
    while (!atomic_load(&teller->is_stopping)) {
        const int64_t next_ms =
            take_turn(teller, clock_monotonic_ms(&system_clock));

        wait_for_turn(teller, next_ms);
    }
    say_good_bye(teller);
    let_go(teller);
    nats_ReleaseThreadMemory();
}

/* ---- start and stop ----------------------------------------------------------------- */

struct presence_teller *presence_teller_start(const struct config *config,
                                              struct nats_link *link,
                                              struct presence *presence)
{
    struct presence_teller *teller = must_calloc(1, sizeof *teller);

    nats_metrics_register();
    teller->presence = presence;
    teller->link = link;
    teller->prefix = config->presence_prefix;
    teller->beat_ms = config->presence_heartbeat_ms;
    CHECK(uv_random(NULL, NULL, &teller->boot, sizeof teller->boot, 0, NULL) ==
          0);
    CHECK(uv_thread_create(&teller->thread, run, teller) == 0);
    return teller;
}

void presence_teller_stop(struct presence_teller **teller)
{
    struct presence_teller *mine = *teller;

    *teller = NULL;
    if (mine == NULL)
        return;
    atomic_store(&mine->is_stopping, true);
    presence_wake(mine->presence);
    CHECK(uv_thread_join(&mine->thread) == 0);
    buffer_fini(&mine->subject);
    buffer_fini(&mine->text);
    free(mine);
}
