/* nats_link.c -- the connection to NATS and the one subscription.
 *
 * The first connect is ours to repeat, every REVIVE_MS: the library could do it,
 * but would not say why it does not get in, and an operator wants to know. After
 * a loss the library connects again, on threads of its own; left alone it gives
 * up after 60 tries, which is turned off. So the parts of a system may be started
 * in any order.
 *
 * It still gives a connection up for good when a server refuses our login twice
 * (3.4 has no option against it). Then tick() makes another one in its place as
 * at the start, until the login holds: who mends the settings of the NATS server
 * needs no restart of ours. Whoever puts a connection in the place of another, or
 * ends it, has the baton; tick only tries to get it, and main, which ends things,
 * waits for it (one connect at most) and keeps it.
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
#define REVIVE_MS         500
#define COMPLAIN_MS       10000
#define ABSENCE_MS        1000 /* a loss shorter than this needs no words */

struct nats_link {
    struct nats_link_options options; /* fixed at open */
    char *subject;                    /* fixed at open: theirs, copied */

    _Atomic(natsConnection *) connection; /* written by who has the baton */
    atomic_uint borrowers;                /* of the connection that there is */
    natsSubscription *subscription;       /* the same */
    uv_sem_t baton;
    bool has_baton; /* main: it ends things */

    atomic_uint generation; /* written by the library's callback thread */
    atomic_uint missed;     /* the same */
    atomic_uint confirmed;  /* written by tick */
    atomic_bool is_closing; /* written by main: a loss is no news then */
    atomic_bool is_lost;    /* written by the callback thread and tick */

    bool is_subscribed;      /* of who has the baton */
    int64_t revive_at_ms;    /* tick */
    int64_t complain_at_ms;  /* tick */
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

static void on_connected(struct nats_link *link)
{
    if (become(link, true))
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

    (void)connection;
    (void)become(link, false);
    atomic_store(&link->is_lost, true);
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
    if (status == NATS_MISSED_HEARTBEAT)
        (void)atomic_fetch_add(&link->missed, 1);
    if (logger_may(&link->errors, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "nats", "the library reports an error",
                 LOG_STR("error", natsStatus_GetText(status)),
                 LOG_NUM("suppressed", suppressed));
}

/* ---- open ---------------------------------------------------------------- */

static natsStatus set_callbacks(natsOptions *options, struct nats_link *link)
{
    natsStatus status = natsOptions_SetErrorHandler(options, on_error, link);

    if (status == NATS_OK)
        status = natsOptions_SetDisconnectedCB(options, on_disconnected, link);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectedCB(options, on_reconnected, link);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(options, on_closed, link);
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

/* Now and then, why we are not in. Not connected is the news, so the first time
 * is at once. */
static void complain(struct nats_link *link, natsStatus status, const char *why)
{
    const int64_t now_ms = clock_monotonic_ms(&system_clock);

    if (now_ms < link->complain_at_ms)
        return;
    link->complain_at_ms = now_ms + COMPLAIN_MS;
    LOG_LINE(LOG_WARN, "nats", "not connected, trying on",
             LOG_STR("error", natsStatus_GetText(status)),
             LOG_STR("why", why != NULL ? why : ""),
             LOG_STR("login", nats_login_kind(&link->options.login)));
}

/* Nothing that time or the operator of NATS could mend. */
static bool is_our_mistake(natsStatus status)
{
    return status == NATS_INVALID_ARG || status == NATS_INVALID_SUBJECT;
}

static natsStatus subscribe(struct nats_link *link)
{
    natsStatus status;

    if (link->options.subject == NULL)
        return NATS_OK;
    status = natsConnection_Subscribe(
        &link->subscription, link->connection, link->options.subject,
        link->options.on_message, link->options.arg);

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

/* Who is not let in is lost, and tick tries on. */
static natsStatus try_to_connect(struct nats_link *link, natsOptions *settings)
{
    natsStatus status = set_callbacks(settings, link);
    natsConnection *connection = NULL;

    if (status == NATS_OK)
        status = set_habits(settings);
    CHECK(status == NATS_OK);
    status = natsConnection_Connect(&connection, settings);
    if (status == NATS_OK) {
        atomic_store(&link->connection, connection);
        on_connected(link);
        status = subscribe(link);
    }
    if (status == NATS_OK || is_our_mistake(status))
        return status;
    complain(link, status, nats_GetLastError(NULL));
    atomic_store(&link->is_lost, true);
    return NATS_OK;
}

static enum status connect_link(struct nats_link *link, char *why,
                                size_t why_bytes)
{
    natsOptions *settings = NULL;
    natsStatus status = natsOptions_Create(&settings);
    enum status st;

    CHECK(status == NATS_OK);
    st = nats_login_apply(&link->options.login, settings, why, why_bytes);
    if (st == ST_OK) {
        status = try_to_connect(link, settings);
        if (status != NATS_OK) {
            (void)snprintf(why, why_bytes, "NATS: %s",
                           natsStatus_GetText(status));
            st = ST_BAD_INPUT;
        }
    }
    natsOptions_Destroy(settings);
    return st;
}

enum status nats_link_open(const struct nats_link_options *options,
                           struct nats_link **link_out, char *why,
                           size_t why_bytes)
{
    struct nats_link *link;
    enum status st = nats_login_check(&options->login, why, why_bytes);

    if (st != ST_OK)
        return st;
    nats_metrics_register();
    link = must_calloc(1, sizeof *link);
    link->options = *options;
    if (options->subject != NULL)
        link->subject = must_strdup(options->subject);
    link->options.subject = link->subject;
    CHECK(uv_sem_init(&link->completed, 0) == 0);
    CHECK(uv_sem_init(&link->closed, 0) == 0);
    CHECK(uv_sem_init(&link->baton, 1) == 0);
    st = connect_link(link, why, why_bytes);
    if (st != ST_OK) {
        nats_link_close(&link);
        return st;
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

unsigned nats_link_generation(const struct nats_link *link)
{
    return atomic_load(&link->generation);
}

unsigned nats_link_missed(const struct nats_link *link)
{
    return atomic_load(&link->missed);
}

/* The count goes up before the look, and revive looks at the count after the
 * connection is known to be lost: one of the two sees the other. */
natsConnection *nats_link_borrow(struct nats_link *link)
{
    natsConnection *connection = NULL;

    atomic_fetch_add(&link->borrowers, 1);
    if (!atomic_load(&link->is_lost))
        connection = atomic_load(&link->connection);
    if (connection == NULL)
        atomic_fetch_sub(&link->borrowers, 1);
    return connection;
}

void nats_link_give_back(struct nats_link *link)
{
    CHECK(atomic_fetch_sub(&link->borrowers, 1) > 0);
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

    if (link->subscription == NULL ||
        natsSubscription_GetDropped(link->subscription, &dropped) != NATS_OK ||
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

/* What is left of a connection that the library has closed, or never got far
 * with. */
static void bury(struct nats_link *link)
{
    if (link->connection == NULL)
        return;
    natsConnection_Close(link->connection);
    uv_sem_wait(&link->closed);
    if (link->is_subscribed)
        uv_sem_wait(&link->completed);
    link->is_subscribed = false;
    count_drops(link);
    link->dropped_before = 0;
    natsSubscription_Destroy(link->subscription);
    natsConnection_Destroy(link->connection);
    link->subscription = NULL;
    atomic_store(&link->connection, NULL);
}

static void revive(struct nats_link *link)
{
    const int64_t now_ms = clock_monotonic_ms(&system_clock);
    char why[200];

    if (link->revive_at_ms == 0)
        link->revive_at_ms = now_ms + REVIVE_MS;
    if (now_ms < link->revive_at_ms || atomic_load(&link->borrowers) > 0 ||
        uv_sem_trywait(&link->baton) != 0)
        return;
    bury(link);
    link->revive_at_ms = 0;
    atomic_store(&link->is_lost, false);
    if (connect_link(link, why, sizeof why) != ST_OK) { /* a file is gone */
        complain(link, NATS_ERR, why);
        atomic_store(&link->is_lost, true);
    }
    uv_sem_post(&link->baton);
}

/* After a loss the library tries on in silence. */
static void complain_of_absence(struct nats_link *link)
{
    const int64_t now_ms = clock_monotonic_ms(&system_clock);
    const char *why = NULL;
    natsStatus status;

    if (is_up(atomic_load(&link->generation))) {
        link->complain_at_ms = now_ms + ABSENCE_MS;
        return;
    }
    status = natsConnection_GetLastError(link->connection, &why);
    complain(link, status == NATS_OK ? NATS_NO_SERVER : status, why);
}

void nats_link_tick(struct nats_link *link)
{
    if (atomic_load(&link->is_lost)) {
        revive(link);
        return;
    }
    confirm(link);
    count_drops(link);
    complain_of_absence(link);
}

enum status nats_link_publish(struct nats_link *link, const char *subject,
                              struct text data)
{
    CHECK(data.length <= INT32_MAX);
    if (link->connection == NULL)
        return ST_IO;
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

static void take_baton(struct nats_link *link)
{
    if (!link->has_baton)
        uv_sem_wait(&link->baton);
    link->has_baton = true;
}

void nats_link_unsubscribe(struct nats_link *link)
{
    take_baton(link);
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
    CHECK(atomic_load(&mine->borrowers) == 0);
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
    uv_sem_destroy(&mine->baton);
    free(mine->subject);
    free(mine);
}
