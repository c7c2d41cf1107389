/* access.c -- from the bytes of a request to what it may do.
 *
 *     identify   the first token of: Authorization: Bearer, the cookie
 *                tidings_token, `token` in the query, in a form
 *     may        a right of the token's, or of everybody's, covers the selector
 *     refuse     one answer for each of: no token that holds; no right
 *
 * A place that has a token wins over those after it, whether its token holds or
 * not: who would mend a bad one by adding another would not learn that it is
 * bad. Two in one place are refused, since nobody can say which is meant; a page
 * on a neighbouring host can put a second cookie beside ours.
 *
 * Cookies come along by themselves, so they count only where nothing is changed,
 * and not when a foreign page made the browser ask: its Origin says so, or
 * without one Sec-Fetch-Site. Then they are passed over, and if nothing else is
 * there the request is refused.
 */
#include "access.h"

#include "origins.h"
#include "per_thread.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/crew.h>
#include <tidings/logger.h>
#include <tidings/origin.h>

#include <string.h>
#include <strings.h>

#define COOKIE "tidings_token"

enum { ENDING_PART = 8, ENDING_MOST_MS = 30000 };

/* ---- where tokens are ------------------------------------------------------ */

/* What one place has. */
struct found {
    struct text token;
    unsigned count;
};

static void note(struct found *found, struct text token)
{
    found->token = token;
    found->count++;
}

/* Other schemes are somebody else's, a proxy's perhaps. */
static struct found in_header(const struct handoff_request *request)
{
    static const char scheme[] = "Bearer";
    const size_t length = sizeof scheme - 1;
    struct found found = {{NULL, 0}, 0};

    for (unsigned i = 0; i < request->header_count; i++) {
        struct text value = text_of(request->headers[i].value);

        if (strcasecmp(request->headers[i].name, "Authorization") != 0 ||
            value.length < length ||
            strncasecmp(value.bytes, scheme, length) != 0 ||
            (value.length > length && value.bytes[length] != ' '))
            continue;
        value.bytes += length;
        value.length -= length;
        note(&found, text_trimmed(value));
    }
    return found;
}

/* One of the pairs of a Cookie line. */
static void note_cookie(struct found *found, struct text pair)
{
    const size_t length = sizeof COOKIE - 1;
    struct text value = text_trimmed(pair);

    if (value.length <= length ||
        memcmp(value.bytes, COOKIE "=", length + 1) != 0)
        return;
    value.bytes += length + 1;
    value.length -= length + 1;
    if (value.length > 1 && value.bytes[0] == '"' &&
        value.bytes[value.length - 1] == '"') {
        value.bytes++;
        value.length -= 2;
    }
    if (value.length > 0) /* a page that cleared it has none */
        note(found, value);
}

static struct found in_cookie(const struct handoff_request *request)
{
    struct found found = {{NULL, 0}, 0};

    for (unsigned i = 0; i < request->header_count; i++) {
        struct text rest = text_of(request->headers[i].value);

        if (strcasecmp(request->headers[i].name, "Cookie") != 0)
            continue;
        while (rest.length > 0) {
            const char *end = memchr(rest.bytes, ';', rest.length);
            struct text pair = rest;

            if (end != NULL)
                pair.length = (size_t)(end - rest.bytes);
            note_cookie(&found, pair);
            rest.bytes += pair.length + (end != NULL);
            rest.length -= pair.length + (end != NULL);
        }
    }
    return found;
}

/* `value` keeps the decoded bytes of the first; an empty one is none, since a
 * page may have `token=` with nothing behind it. */
static struct found in_form(struct text form, struct buffer *value)
{
    struct found found = {{NULL, 0}, 0};
    size_t cursor = 0;
    bool is_bad = false;
    struct buffer next;

    buffer_init(&next);
    while (form_find(form, "token", &cursor, &next, &is_bad)) {
        if (next.length > 0 || is_bad)
            found.count++;
        if (found.count == 1 && value->length == 0)
            buffer_append_text(value, buffer_text(&next));
        next.length = 0;
        is_bad = false;
    }
    buffer_fini(&next);
    found.token = buffer_text(value);
    return found;
}

/* ---- checking -------------------------------------------------------------- */

static void count_refused(struct metrics *metrics, enum status st)
{
    metrics_add(metrics, METRIC_tokens_refused, 1);
    if (st == ST_BAD_INPUT)
        metrics_add(metrics, METRIC_tokens_malformed, 1);
    else if (st == ST_NOT_FOUND)
        metrics_add(metrics, METRIC_tokens_unsigned, 1);
    else if (st == ST_TIMEOUT)
        metrics_add(metrics, METRIC_tokens_expired, 1);
}

static void check(struct connection *connection, struct text token,
                  enum credential credential)
{
    struct crew *crew = connection_crew(connection);
    struct metrics *metrics = crew_metrics(crew);
    struct grant *grant = NULL;
    const char *why = "";
    enum status st =
        token_cache_check(token_cache_of(crew), crew_keyring(crew), token,
                          clock_wall_ms(&system_clock), metrics, &grant, &why);

    if (seeded_bug("token-logged"))
        LOG_LINE(LOG_DEBUG, "http", "a token", LOG_TXT("token", token));
    if (st != ST_OK) {
        count_refused(metrics, st);
        LOG_LINE(LOG_DEBUG, "http", "a token does not hold",
                 LOG_STR("why", why));
    }
    connection_set_grant(connection, &grant, credential);
}

static void set_credential(struct connection *connection,
                           enum credential credential)
{
    struct grant *none = NULL;

    connection_set_grant(connection, &none, credential);
}

/* False: refused. */
static bool take(struct connection *connection, const struct found *found,
                 enum credential credential)
{
    if (found->count == 1) {
        check(connection, found->token, credential);
        return true;
    }
    connection_refuse(connection, 400, "bad_request",
                      "the token is given more than once",
                      text_of("Cache-Control: no-store\r\n"));
    return false;
}

/* Did a page that is not ours, and not listed, make the browser ask? */
static bool is_foreign(const struct config *config,
                       const struct handoff_request *request)
{
    const struct text site = request_header(request, "Sec-Fetch-Site");
    const struct text origin = request_header(request, "Origin");

    if (seeded_bug("cookie-foreign-origin"))
        return false;
    if (!origins_allow_request(config, request))
        return true;
    if (site.bytes == NULL || text_is(site, "same-origin") ||
        text_is(site, "none"))
        return false;
    return origin.bytes == NULL ||
           origin_list_find(text_of(config->origins), origin) == 0;
}

bool access_identify(struct connection *connection,
                     const struct handoff_request *request, bool may_be_cookie)
{
    struct crew *crew = connection_crew(connection);
    struct found found = in_header(request);
    struct buffer value;
    bool is_there = true;

    if (!crew_needs_tokens(crew))
        return true;
    if (found.count > 0)
        return take(connection, &found, CREDENTIAL_HEADER);
    found = in_cookie(request);
    if (found.count > 0 && (may_be_cookie || seeded_bug("cookie-writes"))) {
        if (!is_foreign(crew_config(crew), request))
            return take(connection, &found, CREDENTIAL_COOKIE);
        set_credential(connection, CREDENTIAL_FOREIGN);
    }
    buffer_init(&value);
    found = in_form(text_of(request->query), &value);
    if (found.count > 0)
        is_there = take(connection, &found, CREDENTIAL_QUERY);
    buffer_fini(&value);
    return is_there;
}

bool access_identify_form(struct connection *connection, struct text form)
{
    const enum credential credential = connection_credential(connection);
    struct found found;
    struct buffer value;
    bool is_there = true;

    if (!crew_needs_tokens(connection_crew(connection)) ||
        (credential != CREDENTIAL_NONE && credential != CREDENTIAL_FOREIGN))
        return true;
    buffer_init(&value);
    found = in_form(form, &value);
    if (found.count > 0)
        is_there = take(connection, &found, CREDENTIAL_FORM);
    buffer_fini(&value);
    return is_there;
}

bool access_refuse_foreign(struct connection *connection)
{
    if (connection_credential(connection) != CREDENTIAL_FOREIGN)
        return false;
    connection_refuse(connection, 403, "foreign_origin",
                      "a cookie says nothing on pages of that origin; the "
                      "setting origins lists those where it does",
                      text_of("Cache-Control: no-store\r\n"));
    return true;
}

/* ---- rights ---------------------------------------------------------------- */

static bool may_everybody(const struct config *config, struct text selector)
{
    const struct text list = text_of(config->anonymous_subscribe);
    struct text right;
    size_t cursor = 0;

    while (list_next(list, &cursor, &right))
        if (right.length > 0 && selector_covers(right, selector))
            return true;
    return false;
}

bool access_may(struct connection *connection, enum right right,
                struct text selector)
{
    struct crew *crew = connection_crew(connection);
    const struct grant *grant = connection_grant(connection);

    if (!crew_needs_tokens(crew))
        return true;
    if (grant != NULL && grant_allows(grant, right, selector))
        return true;
    return right == RIGHT_SUBSCRIBE &&
           may_everybody(crew_config(crew), selector);
}

bool access_may_ask(struct connection *connection)
{
    struct crew *crew = connection_crew(connection);

    return !crew_needs_tokens(crew) || connection_grant(connection) != NULL ||
           crew_config(crew)->anonymous_subscribe[0] != '\0';
}

struct text access_subject(const struct connection *connection)
{
    const struct grant *grant = connection_grant(connection);

    return grant != NULL ? grant_subject(grant) : text_of("");
}

bool access_is_local(const struct connection *connection,
                     const struct handoff_request *request)
{
    static const char *const names[] = {"Forwarded", "Via", "X-Forwarded-For",
                                        "X-Forwarded-Host", "X-Real-IP"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (request_header(request, names[i]).bytes != NULL)
            return false;
    return connection_is_local(connection);
}

bool access_is_operator(struct connection *connection,
                        const struct handoff_request *request)
{
    return !crew_needs_tokens(connection_crew(connection)) ||
           access_is_admin(connection) ||
           access_is_local(connection, request) || seeded_bug("figures-open");
}

bool access_is_admin(const struct connection *connection)
{
    const struct grant *grant = connection_grant(connection);

    return grant != NULL && grant_is_admin(grant);
}

/* A token is taken a little longer than it says, as clocks differ. */
static int64_t last_ms(const struct grant *grant)
{
    return grant_expires_ms(grant) + TOKEN_LEEWAY_MS;
}

bool access_holds(struct connection *connection)
{
    struct crew *crew = connection_crew(connection);
    const struct grant *grant = connection_grant(connection);

    if (grant == NULL || (keyring_holds(crew_keyring(crew), grant) &&
                          last_ms(grant) > crew_wall_ms(crew)))
        return true;
    set_credential(connection, connection_credential(connection));
    return false;
}

/* ---- refusing -------------------------------------------------------------- */

/* Somebody might keep a 404 (RFC 9111 4.2.2). */
#define NOT_KEPT "Cache-Control: no-store\r\n"

static const char no_token[] =
    "this needs a token that holds, as Authorization: Bearer";
static const char no_right[] = "no such channel, or no right to it";

const char *access_why_not(const struct connection *connection)
{
    return connection_grant(connection) == NULL ? no_token : no_right;
}

static void refuse_for_token(struct connection *connection)
{
    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_access_unauthorized, 1);
    connection_refuse(connection, 401, "unauthorized", no_token,
                      text_of(NOT_KEPT "WWW-Authenticate: Bearer\r\n"));
}

void access_refuse(struct connection *connection)
{
    if (crew_needs_tokens(connection_crew(connection)) &&
        connection_grant(connection) == NULL) {
        refuse_for_token(connection);
        return;
    }
    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_access_refused, 1);
    connection_refuse(connection, 404, "not_found", no_right,
                      text_of(NOT_KEPT));
}

void access_refuse_operator(struct connection *connection)
{
    if (connection_grant(connection) == NULL) {
        refuse_for_token(connection);
        return;
    }
    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_access_refused, 1);
    connection_refuse(connection, 403, "forbidden",
                      "this needs a token with the claim admin",
                      text_of(NOT_KEPT));
}

/* ---- ending ---------------------------------------------------------------- */

uint32_t access_ends_s(struct connection *connection)
{
    struct crew *crew = connection_crew(connection);
    const struct grant *grant = connection_grant(connection);
    const int64_t now_ms = crew_wall_ms(crew);
    int64_t end_ms, most_ms, early_ms, ends_s;

    if (grant == NULL || seeded_bug("expiry-ignored"))
        return 0;
    end_ms = grant_expires_ms(grant);
    if (end_ms <= now_ms)
        end_ms = last_ms(grant); /* taken all the same: then until that ends */
    most_ms = (end_ms - now_ms) / ENDING_PART;
    if (most_ms < 0)
        most_ms = 0;
    if (most_ms > ENDING_MOST_MS)
        most_ms = ENDING_MOST_MS;
    early_ms = most_ms / 4 + crew_random(crew) % (most_ms * 3 / 4 + 1);
    ends_s = (end_ms - early_ms) / 1000;
    if (ends_s >= UINT32_MAX)
        return 0; /* in the next century */
    return ends_s < 1 ? 1 : (uint32_t)ends_s;
}
