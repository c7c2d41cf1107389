/* nats_link.c -- the connection to NATS and the one subscription.
 *
 * The library connects, and after a loss connects again, on threads of its own;
 * left alone it gives up after 60 tries, and it gives up at once when the first
 * try fails. Both are turned off: an operator who starts the parts of a system
 * in any order gets a running system.
 *
 * What it tells us comes in callbacks, all on one thread of the library:
 *
 *   connected, reconnected   generation becomes odd
 *   disconnected, closed     generation becomes even
 *   error                    logged; a heartbeat missed, a slow consumer ...
 *
 * A connected link is not ready before the server has seen the subscription.
 * tick() asks it (a flush is a round trip) and remembers for which generation
 * the answer came, so that a loss in between leaves nothing stale:
 * ready = generation is odd and confirmed.
 *
 * The library holds what the callback has not taken yet, up to PENDING_*; what
 * comes beyond that is lost, which is what core NATS promises. It is counted.
 *
 * The end: a drain sends UNSUB and lets the callback have what is there. The
 * library says by on_complete when its thread has left the callback for good,
 * and by on_closed that no other callback of this connection will follow. Both
 * are waited for, because they come with pointers of ours.
 */
#include "nats_link.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/logger.h>
#include <tidings/metrics.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "nats_metrics.h"

#define PENDING_MESSAGES  (1 << 20)
#define PENDING_BYTES     (256 << 20)
#define RECONNECT_WAIT_MS 250
#define JITTER_MS         250
#define PING_EVERY_MS     20000
#define WRITE_MS          5000 /* a write that takes longer is a lost link */
#define FLUSH_MS          2000
#define DRAIN_MS          5000

struct nats_link {
    natsConnection *connection;     /* fixed at open */
    natsSubscription *subscription; /* fixed at open */

    atomic_uint generation; /* written by the library's callback thread */
    atomic_uint confirmed;  /* written by tick */
    atomic_bool is_closing; /* written by main: a loss is no news then */

    bool is_subscribed;      /* main */
    int64_t dropped_before;  /* tick */
    struct log_limit drops;  /* tick */
    struct log_limit errors; /* the library's callback thread */
    uv_sem_t completed;      /* posted once: no message callback any more */
    uv_sem_t closed;         /* posted once: no callback any more */
};

/* ---- what the library tells ---------------------------------------------- */

static bool is_up(unsigned generation)
{
    return generation % 2 == 1;
}

/* Says whether that is news. */
static bool become(struct nats_link *link, bool up)
{
    unsigned generation = atomic_load(&link->generation);

    do {
        if (is_up(generation) == up)
            return false;
    } while (!atomic_compare_exchange_weak(&link->generation, &generation,
                                           generation + 1));
    nats_count(METRIC_nats_connected, up ? 1 : -1);
    return true;
}

static void on_connected(natsConnection *connection, void *arg)
{
    (void)connection;
    if (become(arg, true))
        logger_write(LOG_INFO, "nats", "connected", 0, NULL);
}

static void on_reconnected(natsConnection *connection, void *arg)
{
    (void)connection;
    nats_count(METRIC_nats_reconnects, 1);
    if (become(arg, true))
        logger_write(LOG_INFO, "nats", "connected again", 0, NULL);
}

static void on_disconnected(natsConnection *connection, void *arg)
{
    struct nats_link *link = arg;

    (void)connection;
    if (become(link, false))
        logger_write(atomic_load(&link->is_closing) ? LOG_INFO : LOG_WARN,
                     "nats", "disconnected", 0, NULL);
}

static void on_closed(natsConnection *connection, void *arg)
{
    struct nats_link *link = arg;
    const char *why = NULL;

    (void)become(link, false);
    if (!atomic_load(&link->is_closing) &&
        natsConnection_GetLastError(connection, &why) != NATS_OK)
        LOG_LINE(LOG_ERROR, "nats", "closed for good",
                 LOG_STR("why", why != NULL ? why : ""));
    uv_sem_post(&link->closed);
}

static void on_complete(void *arg)
{
    struct nats_link *link = arg;

    uv_sem_post(&link->completed);
}

static void on_error(natsConnection *connection, natsSubscription *subscription,
                     natsStatus status, void *arg)
{
    struct nats_link *link = arg;
    uint64_t suppressed;

    (void)connection;
    (void)subscription;
    if (logger_may(&link->errors, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "nats", "the library reports an error",
                 LOG_STR("error", natsStatus_GetText(status)),
                 LOG_NUM("suppressed", suppressed));
}

/* ---- open ---------------------------------------------------------------- */

/* "a, b" is two servers. Strangers have no say here; the list is cut in place,
 * in a copy. */
static natsStatus set_servers(natsOptions *options, const char *servers)
{
    char *copy = must_strdup(servers), *rest = NULL;
    const char *list[16];
    int count = 0;
    natsStatus status;

    for (char *url = strtok_r(copy, ", ", &rest); url != NULL;
         url = strtok_r(NULL, ", ", &rest)) {
        if (count == (int)(sizeof list / sizeof list[0])) {
            free(copy);
            return NATS_INVALID_ARG;
        }
        list[count++] = url;
    }
    status = count > 0 ? natsOptions_SetServers(options, list, count)
                       : NATS_INVALID_ARG;
    free(copy);
    return status;
}

static natsStatus set_callbacks(natsOptions *options, struct nats_link *link)
{
    natsStatus status = natsOptions_SetErrorHandler(options, on_error, link);

    if (status == NATS_OK)
        status = natsOptions_SetDisconnectedCB(options, on_disconnected, link);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectedCB(options, on_reconnected, link);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(options, on_closed, link);
    if (status == NATS_OK)
        status = natsOptions_SetRetryOnFailedConnect(options, true,
                                                     on_connected, link);
    return status;
}

/* SendAsap: an answer is written at once; the library's own thread would gather
 * for a millisecond, which is longer than our commit. */
static natsStatus set_habits(natsOptions *options)
{
    natsStatus status = natsOptions_SetName(options, "tidings");

    if (status == NATS_OK)
        status = natsOptions_SetMaxReconnect(options, -1);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectWait(options, RECONNECT_WAIT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectJitter(options, JITTER_MS, JITTER_MS);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, PING_EVERY_MS);
    if (status == NATS_OK)
        status = natsOptions_SetWriteDeadline(options, WRITE_MS);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, true);
    return status;
}

static natsStatus connect_with(natsOptions *options, struct nats_link *link,
                               const char *servers)
{
    natsStatus status = set_servers(options, servers);

    if (status == NATS_OK)
        status = set_callbacks(options, link);
    if (status == NATS_OK)
        status = set_habits(options);
    if (status != NATS_OK)
        return status;
    status = natsConnection_Connect(&link->connection, options);
    if (status == NATS_OK)
        on_connected(link->connection, link);
    else if (status == NATS_NOT_YET_CONNECTED)
        logger_write(LOG_WARN, "nats", "no server yet, trying on", 0, NULL);
    return status == NATS_NOT_YET_CONNECTED ? NATS_OK : status;
}

static natsStatus subscribe(struct nats_link *link,
                            const struct nats_link_options *options)
{
    natsStatus status = natsConnection_Subscribe(
        &link->subscription, link->connection, options->subject,
        options->on_message, options->arg);

    if (status != NATS_OK)
        return status;
    status =
        natsSubscription_SetOnCompleteCB(link->subscription, on_complete, link);
    if (status != NATS_OK)
        return status;
    link->is_subscribed = true;
    return natsSubscription_SetPendingLimits(link->subscription,
                                             PENDING_MESSAGES, PENDING_BYTES);
}

enum status nats_link_open(const struct nats_link_options *options,
                           struct nats_link **link_out, char *why,
                           size_t why_bytes)
{
    struct nats_link *link = must_calloc(1, sizeof *link);
    natsOptions *settings = NULL;
    natsStatus status;

    nats_metrics_register();
    CHECK(uv_sem_init(&link->completed, 0) == 0);
    CHECK(uv_sem_init(&link->closed, 0) == 0);
    status = natsOptions_Create(&settings);
    if (status == NATS_OK)
        status = connect_with(settings, link, options->servers);
    natsOptions_Destroy(settings);
    if (status == NATS_OK)
        status = subscribe(link, options);
    if (status != NATS_OK) {
        (void)snprintf(why, why_bytes, "NATS: %s", natsStatus_GetText(status));
        nats_link_close(&link);
        return ST_BAD_INPUT;
    }
    *link_out = link;
    return ST_OK;
}

/* ---- while it runs ------------------------------------------------------- */

bool nats_link_is_ready(const struct nats_link *link)
{
    const unsigned generation = atomic_load(&link->generation);

    return is_up(generation) && atomic_load(&link->confirmed) == generation;
}

static void confirm(struct nats_link *link)
{
    const unsigned generation = atomic_load(&link->generation);

    if (!is_up(generation) || atomic_load(&link->confirmed) == generation)
        return;
    if (natsConnection_FlushTimeout(link->connection, FLUSH_MS) == NATS_OK)
        atomic_store(&link->confirmed, generation);
}

static void count_drops(struct nats_link *link)
{
    int64_t dropped = 0;
    uint64_t suppressed;

    if (natsSubscription_GetDropped(link->subscription, &dropped) != NATS_OK ||
        dropped == link->dropped_before)
        return;
    nats_count(METRIC_nats_dropped, dropped - link->dropped_before);
    link->dropped_before = dropped;
    if (logger_may(&link->drops, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_ERROR, "nats",
                 "messages were lost: they came faster than they were written",
                 LOG_NUM("dropped", dropped));
}

void nats_link_tick(struct nats_link *link)
{
    confirm(link);
    count_drops(link);
}

enum status nats_link_publish(struct nats_link *link, const char *subject,
                              struct text data)
{
    CHECK(data.length <= INT32_MAX);
    return natsConnection_Publish(link->connection, subject, data.bytes,
                                  (int)data.length) == NATS_OK
               ? ST_OK
               : ST_IO;
}

void nats_link_flush(struct nats_link *link)
{
    if (is_up(atomic_load(&link->generation)))
        (void)natsConnection_FlushTimeout(link->connection, FLUSH_MS);
}

/* ---- the end ------------------------------------------------------------- */

/* From the server, or already here. A drain without a server would only wait
 * for its time to pass. */
static bool has_more(const struct nats_link *link)
{
    int messages = 0;

    return is_up(atomic_load(&link->generation)) ||
           natsSubscription_GetPending(link->subscription, &messages, NULL) !=
               NATS_OK ||
           messages > 0;
}

void nats_link_unsubscribe(struct nats_link *link)
{
    if (!link->is_subscribed)
        return;
    link->is_subscribed = false;
    if (!has_more(link) ||
        natsSubscription_DrainTimeout(link->subscription, DRAIN_MS) != NATS_OK)
        (void)natsSubscription_Unsubscribe(link->subscription);
    uv_sem_wait(&link->completed);
}

void nats_link_close(struct nats_link **link)
{
    struct nats_link *mine = *link;

    *link = NULL;
    if (mine == NULL)
        return;
    if (mine->is_subscribed)
        nats_link_unsubscribe(mine);
    if (mine->connection != NULL) {
        atomic_store(&mine->is_closing, true);
        natsConnection_Close(mine->connection);
        uv_sem_wait(&mine->closed);
    }
    natsSubscription_Destroy(mine->subscription);
    natsConnection_Destroy(mine->connection);
    uv_sem_destroy(&mine->completed);
    uv_sem_destroy(&mine->closed);
    free(mine);
}
