/* quota.c -- events, bytes, new channels, new sessions and streams of one client.
 *
 * A token's subject is one client wherever it comes from. Who has none, or needs
 * no token, is counted by address. What a trusted proxy sends in its own name is
 * counted for nobody.
 *
 * A batch counts its lines, and all of it passes or nothing does. One that is
 * larger than a second's worth passes when nothing is owed, and the next has to
 * wait for as long as it was worth. A new channel counts once, however many
 * events name it before it is stored (newcomers.c).
 */
#include "quota.h"

#include "access.h"

#include "base/seeded_bug.h"
#include "per_thread.h"

#include <tidings/accounts.h>
#include <tidings/admission.h>
#include <tidings/auth.h>
#include <tidings/crew.h>
#include <tidings/registry.h>

static struct accounts *accounts_of(struct connection *connection)
{
    return crew_accounts(connection_crew(connection));
}

static int64_t spend(struct connection *connection,
                     const struct charge *charges, unsigned count,
                     enum account_rate *over_out)
{
    struct accounts *accounts = accounts_of(connection);
    const struct text subject = access_subject(connection);
    const int64_t now_us = crew_now_ms(connection_crew(connection)) * 1000;
    account_id account = ACCOUNT_NONE;
    int64_t wait_ms;

    if (subject.length == 0 || seeded_bug("limits-by-address-only"))
        return accounts_spend(accounts, connection_account(connection), charges,
                              count, now_us, over_out);
    account = accounts_ref_subject(accounts, subject);
    wait_ms =
        accounts_spend(accounts, account, charges, count, now_us, over_out);
    accounts_unref(accounts, &account);
    return wait_ms;
}

/* ---- publishing ------------------------------------------------------------- */

static uint64_t count_new_channels(struct connection *connection,
                                   const struct publish *publish)
{
    struct crew *crew = connection_crew(connection);

    return newcomers_count(newcomers_of(crew),
                           journal_registry(crew_journal(crew)), publish,
                           crew_now_ms(crew));
}

static uint64_t count_bytes(const struct publish *publish)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < publish->count; i++)
        bytes += event_data(publish->events[i]).length;
    return bytes;
}

enum limit quota_publish(struct connection *connection,
                         const struct publish *publish, int64_t *wait_ms_out)
{
    const struct config *config = crew_config(connection_crew(connection));
    const struct charge charges[] = {
        {RATE_EVENTS, seeded_bug("limits-batch-is-one") ? 1 : publish->count,
         (uint64_t)config->publish_events_per_second},
        {RATE_BYTES, count_bytes(publish),
         (uint64_t)config->publish_bytes_per_second},
        {RATE_CHANNELS, count_new_channels(connection, publish),
         (uint64_t)config->publish_channels_per_second}};
    enum account_rate over = RATE_EVENTS;

    *wait_ms_out = spend(connection, charges, 3, &over);
    if (*wait_ms_out == 0)
        return LIMIT_NONE;
    newcomers_take_back(newcomers_of(connection_crew(connection)), publish);
    return over == RATE_EVENTS  ? LIMIT_EVENTS_PER_SECOND
           : over == RATE_BYTES ? LIMIT_BYTES_PER_SECOND
                                : LIMIT_CHANNELS_PER_SECOND;
}

/* ---- subscribing ------------------------------------------------------------ */

enum limit quota_session(struct connection *connection, int64_t *wait_ms_out)
{
    const struct config *config = crew_config(connection_crew(connection));
    const struct charge charge = {RATE_SESSIONS, 1,
                                  (uint64_t)config->sessions_new_per_second};
    enum account_rate over;

    *wait_ms_out = spend(connection, &charge, 1, &over);
    return *wait_ms_out == 0 ? LIMIT_NONE : LIMIT_SESSIONS_PER_SECOND;
}

enum limit quota_stream(struct connection *connection)
{
    const struct config *config = crew_config(connection_crew(connection));
    struct text subject = access_subject(connection);

    if (subject.length == 0 ||
        connection_hold_stream(connection, subject,
                               (uint64_t)config->streams_per_subject))
        return LIMIT_NONE;
    return LIMIT_STREAMS;
}
