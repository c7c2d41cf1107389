/* accessors.c -- what roles may ask their crew thread and their connection.
 *
 * The http chapter sees neither struct; each of its questions is a line or two
 * here.
 */
#include <tidings/crew.h>

#include "inside.h"

#include <tidings/check.h>
#include <tidings/clock.h>

unsigned crew_load(const struct crew *crew)
{
    return atomic_load_explicit(&crew->load, memory_order_relaxed);
}

unsigned crew_undrained(const struct crew *crew)
{
    return atomic_load(&crew->undrained);
}

const struct config *crew_config(const struct crew *crew)
{
    return crew->options.config;
}

struct journal *crew_journal(const struct crew *crew)
{
    return crew->options.journal;
}

struct journal_reader *crew_reader(const struct crew *crew)
{
    return crew->reader;
}

struct accounts *crew_accounts(const struct crew *crew)
{
    return crew->options.admissions->accounts;
}

struct directory *crew_directory(const struct crew *crew)
{
    return crew->directory;
}

struct metrics *crew_metrics(struct crew *crew)
{
    return &crew->metrics;
}

struct replay_cache *crew_replay_cache(const struct crew *crew)
{
    return crew->replay_cache;
}

bool crew_is_draining(const struct crew *crew)
{
    return crew->is_draining;
}

bool crew_is_shut(const struct crew *crew)
{
    return crew->announced_until_ms != 0 &&
           crew->announced_until_ms > clock_wall_ms(&system_clock);
}

int64_t crew_shutdown_until(const struct crew *crew)
{
    return crew->announced_until_ms;
}

int64_t crew_wall_ms(const struct crew *crew)
{
    return crew->wall_ms;
}

struct keyring *crew_keyring(const struct crew *crew)
{
    return crew->keyring;
}

bool crew_needs_tokens(const struct crew *crew)
{
    CHECK(crew->keyring != NULL);
    return !keyring_is_empty(crew->keyring);
}

int64_t crew_now_ms(const struct crew *crew)
{
    return crew->now_ms;
}

/* xorshift64*, Vigna 2016: for jitter, not for secrets. */
uint32_t crew_random(struct crew *crew)
{
    uint64_t x = crew->random | 1;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    crew->random = x;
    return (uint32_t)((x * 0x2545f4914f6cdd1du) >> 32);
}

void *crew_http(const struct crew *crew)
{
    return crew->http;
}

void crew_set_http(struct crew *crew, void *http)
{
    crew->http = http;
}

struct buffer *crew_scratch(struct crew *crew)
{
    crew->scratch.length = 0;
    return &crew->scratch;
}

struct crew *crew_home(const struct crew *crew, struct text channel)
{
    return crew->peers[registry_hash(channel) % crew->options.count];
}

struct crew *crew_next(struct crew *crew)
{
    crew->next_peer = (crew->next_peer + 1) % crew->options.count;
    return crew->peers[crew->next_peer];
}

unsigned crew_number(const struct crew *crew)
{
    return crew->options.number;
}

struct crew *crew_numbered(const struct crew *crew, unsigned number)
{
    return crew->peers[number];
}

/* ---- of a connection
 * ------------------------------------------------------------------ */

struct crew *connection_crew(struct connection *connection)
{
    return connection->crew;
}

void *connection_role(struct connection *connection)
{
    return connection->role;
}

void connection_set_role(struct connection *connection,
                         const struct role_calls *calls, void *role)
{
    CHECK(connection->calls == NULL);
    connection->calls = calls;
    connection->role = role;
}

void *connection_take_role(struct connection *connection)
{
    void *role = connection->role;

    connection->calls = NULL;
    connection->role = NULL;
    return role;
}

void connection_set_lines(struct connection *connection, const char *lines)
{
    connection->lines = lines;
}

const char *connection_lines(const struct connection *connection)
{
    return connection->lines;
}

void connection_set_grant(struct connection *connection, struct grant **grant,
                          enum credential credential)
{
    if (connection->grant != NULL)
        grant_unref(&connection->grant);
    connection->grant = *grant;
    connection->credential = (uint8_t)credential;
    *grant = NULL;
}

const struct grant *connection_grant(const struct connection *connection)
{
    return connection->grant;
}

enum credential connection_credential(const struct connection *connection)
{
    return (enum credential)connection->credential;
}

bool connection_is_tls(const struct connection *connection)
{
    return connection->link.tls != NULL;
}

bool connection_is_http_10(const struct connection *connection)
{
    return connection->is_http_10;
}

bool connection_is_head(const struct connection *connection)
{
    return connection->is_head;
}

bool connection_has_ended(const struct connection *connection)
{
    return connection->peer_ended;
}

bool connection_keeps_alive(const struct connection *connection)
{
    return connection->keeps_alive && !connection->has_body_left;
}

enum connection_state connection_state(const struct connection *connection)
{
    return (enum connection_state)connection->state;
}
