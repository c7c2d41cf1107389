/* standing.c -- one place that changes what a connection holds.
 *
 *     begin           as it was let in at accept
 *     introduce       a PROXY header said whose it is: as that one
 *     set_client      a trusted proxy's request: for its client, until
 *     end_request     it is answered
 *     hold_stream     it is one of its subject's streams, until end_request
 *     end             what is held goes back
 *
 * A connection holds one account at a time. The gauge of connections in the
 * reserve goes with the limit, so it moves with the connection between threads.
 */
#include "standing.h"

#include "inside.h"

#include <tidings/check.h>

#include "base/seeded_bug.h"

static struct admissions *admissions_of(const struct connection *connection)
{
    return connection->crew->options.admissions;
}

static void count_reserved(const struct connection *connection, int by)
{
    if (connection->standing.limit != LIMIT_NONE)
        metrics_add(&connection->crew->metrics, METRIC_connections_reserved,
                    by);
}

/* What it held before was given back, or there was nothing. */
static void take(struct connection *connection,
                 const struct admission *admission)
{
    CHECK(connection->standing.account == ACCOUNT_NONE);
    connection->standing.account = admission->account;
    connection->standing.limit = (uint8_t)admission->limit;
    connection->standing.is_proxied = admission->is_proxied;
}

static void give_back(struct connection *connection)
{
    struct admission admission = {.account = connection->standing.account,
                                  .limit =
                                      (enum limit)connection->standing.limit};

    admissions_give_back(admissions_of(connection), &admission);
    connection->standing.account = ACCOUNT_NONE;
}

void standing_begin(struct connection *connection, const struct address *peer,
                    const struct admission *admission)
{
    connection->standing.peer = connection->standing.client = *peer;
    take(connection, admission);
}

bool standing_introduce(struct connection *connection,
                        const struct address *source)
{
    struct crew *crew = connection->crew;
    struct admission admission;

    if (!admissions_admit_source(admissions_of(connection), source,
                                 (enum limit)connection->standing.limit,
                                 crew->now_ms * 1000, &crew->metrics,
                                 &admission))
        return false;
    count_reserved(connection, -1);
    give_back(connection);
    standing_begin(connection, source, &admission);
    count_reserved(connection, 1);
    return true;
}

void connection_set_client(struct connection *connection,
                           const struct address *client)
{
    struct crew *crew = connection->crew;
    struct admission admission;

    CHECK(connection->standing.is_proxied);
    admissions_admit_request(admissions_of(connection), client,
                             (enum limit)connection->standing.limit,
                             &crew->metrics, &admission);
    count_reserved(connection, -1);
    give_back(connection);
    connection->standing.client = *client;
    take(connection, &admission);
    count_reserved(connection, 1);
}

bool connection_hold_stream(struct connection *connection, struct text subject,
                            uint64_t most)
{
    struct accounts *accounts = admissions_of(connection)->accounts;
    account_id account = accounts_ref_subject(accounts, subject);

    CHECK(connection->standing.subject == ACCOUNT_NONE);
    if (!accounts_hold(accounts, account, HOLD_STREAMS, most)) {
        accounts_unref(accounts, &account);
        return false;
    }
    connection->standing.subject = account;
    return true;
}

static void end_stream(struct connection *connection)
{
    struct accounts *accounts = admissions_of(connection)->accounts;

    if (connection->standing.subject == ACCOUNT_NONE)
        return;
    accounts_give_back(accounts, connection->standing.subject, HOLD_STREAMS);
    accounts_unref(accounts, &connection->standing.subject);
}

void standing_end_request(struct connection *connection)
{
    end_stream(connection);
    if (!connection->standing.is_proxied)
        return;
    count_reserved(connection, -1);
    give_back(connection);
    connection->standing.limit = LIMIT_NONE;
    connection->standing.client = connection->standing.peer;
}

void standing_end(struct connection *connection)
{
    end_stream(connection);
    give_back(connection);
}

/* ---- questions -------------------------------------------------------------- */

int64_t standing_patience_ms(const struct connection *connection,
                             int64_t setting_ms)
{
    const int64_t reserve_ms = connection->crew->options.config->reserve_ms;

    return connection->standing.limit != LIMIT_NONE &&
                   reserve_ms < setting_ms &&
                   !seeded_bug("limits-reserve-forever")
               ? reserve_ms
               : setting_ms;
}

bool connection_is_proxied(const struct connection *connection)
{
    return connection->standing.is_proxied || seeded_bug("limits-believe-all");
}

const struct address *connection_peer(const struct connection *connection)
{
    return &connection->standing.peer;
}

const struct address *connection_client(const struct connection *connection)
{
    return &connection->standing.client;
}

account_id connection_account(const struct connection *connection)
{
    return connection->standing.account;
}

bool connection_is_local(const struct connection *connection)
{
    return address_is_loopback(&connection->standing.peer) &&
           address_is_loopback(&connection->standing.client);
}

enum limit connection_limit(const struct connection *connection)
{
    return (enum limit)connection->standing.limit;
}
