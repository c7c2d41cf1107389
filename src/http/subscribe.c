/* subscribe.c -- a subscribe request, with or without a form in its body.
 *
 * The head is civetweb's and gone when the handler returns; the form of a POST
 * may come later. So a POST keeps copies of what order_read looks at.
 */
#include "access.h"
#include "over_limit.h"
#include "quota.h"
#include "routes.h"
#include "session_owner.h"
#include "session_subscribe.h"
#include "stream.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>

enum { FORM_MAX = 65536, KEPT_HEADERS = 7 };

/* All of it, or nothing. Without channels, on a WebSocket that will name them,
 * who could not ask for any is told now. */
static bool is_allowed(struct connection *connection, const struct order *order)
{
    for (unsigned i = 0; i < order->selector_count; i++)
        if (!access_may(connection, RIGHT_SUBSCRIBE, order->selectors[i]) &&
            !(seeded_bug("live-unchecked") &&
              order->position_text.length == 0) &&
            !(seeded_bug("replay-unchecked") &&
              order->position_text.length > 0))
            return false;
    return order->selector_count > 0 || access_may_ask(connection);
}

static void subscribe(struct connection *connection,
                      const struct handoff_request *request, struct text form,
                      const struct config *config)
{
    struct order *order = NULL;
    enum limit limit;
    const char *why = "";

    if (!access_identify_form(connection, form) ||
        access_refuse_foreign(connection))
        return;
    if (order_read(request, form, config, &order, &why) != ST_OK) {
        if (why == order_has_too_many)
            metrics_add(crew_metrics(connection_crew(connection)),
                        METRIC_over_selectors_max, 1);
        connection_refuse(connection, 400, "bad_request", why, text_of(""));
        return;
    }
    if (connection_limit(connection) != LIMIT_NONE) {
        over_limit_turn_away(connection, &order, connection_limit(connection),
                             0);
        return;
    }
    if (!is_allowed(connection, order)) {
        access_refuse(connection);
        order_destroy(&order);
        return;
    }
    if ((order->flavor == FLAVOR_WEBSOCKET &&
         !websocket_is_right(connection, request, config, order)) ||
        (order->session.length > 0 && !session_own_order(connection, order))) {
        order_destroy(&order);
        return;
    }
    limit = quota_stream(connection);
    if (limit != LIMIT_NONE)
        over_limit_turn_away(connection, &order, limit, 0);
    else if (order->session.length > 0)
        session_open(connection, &order);
    else
        stream_open(connection, &order);
}

/* ---- POST: the request is kept until its form is there
 * ------------------------- */

static const char *const kept_names[KEPT_HEADERS] = {
    "Last-Event-ID", "flavor",          "Accept",    "Upgrade",
    "Content-Type",  "Accept-Encoding", "User-Agent"};

struct form_request {
    const struct config *config;
    char *raw_path, *query;
    struct handoff_header headers[KEPT_HEADERS];
    unsigned header_count;
    char *values[KEPT_HEADERS];
};

static void free_form(struct form_request *kept)
{
    for (unsigned i = 0; i < kept->header_count; i++)
        free(kept->values[i]);
    free(kept->raw_path);
    free(kept->query);
    free(kept);
}

static void destroy_form(struct connection *connection)
{
    free_form(connection_role(connection));
}

static void on_form(struct connection *connection, struct text body)
{
    struct form_request *kept = connection_take_role(connection);
    struct handoff_request request = {
        .method = "POST",
        .path = kept->raw_path,
        .raw_path = kept->raw_path,
        .query = kept->query,
        .http_version = "1.1",
        .headers = kept->headers,
        .header_count = kept->header_count,
    };

    if (access_holds(connection))
        subscribe(connection, &request, body, kept->config);
    else
        access_refuse(connection); /* the form came late */
    free_form(kept);
}

static const struct role_calls form_calls = {
    .name = "form",
    .body = on_form,
    .destroy = destroy_form,
};

static void keep_header(struct form_request *kept,
                        const struct handoff_request *request, const char *name)
{
    struct text value = request_header(request, name);
    unsigned i = kept->header_count;

    if (value.bytes == NULL)
        return;
    kept->values[i] = must_strdup(value.bytes);
    kept->headers[i] = (struct handoff_header){name, kept->values[i]};
    kept->header_count++;
}

static void wait_for_form(struct connection *connection,
                          const struct handoff_request *request,
                          const struct config *config)
{
    struct form_request *kept = must_calloc(1, sizeof *kept);

    kept->config = config;
    kept->raw_path = must_strdup(request->raw_path);
    kept->query = must_strdup(request->query);
    for (unsigned i = 0; i < KEPT_HEADERS; i++)
        keep_header(kept, request, kept_names[i]);
    connection_set_role(connection, &form_calls, kept);
    connection_read_body(connection, FORM_MAX);
}

bool subscribe_at_root(const struct http_context *context,
                       struct connection *connection,
                       const struct handoff_request *request)
{
    const char *root = context->config->websocket_root;
    struct handoff_request meant = *request;
    struct buffer path, query;

    if (root[0] == '\0' || strcmp(request->raw_path, "/") != 0 ||
        !request_accepts(request, "Upgrade", "websocket"))
        return false;
    buffer_init(&path);
    buffer_init(&query);
    buffer_append_string(&path, "/events/");
    buffer_append(&path, root, strlen(root) + 1);
    buffer_append_string(&query, "format=envelope&");
    buffer_append(&query, request->query, strlen(request->query) + 1);
    meant.raw_path = path.bytes;
    meant.query = query.bytes;
    if (access_identify(connection, &meant, true))
        subscribe(connection, &meant, text_of(""), context->config);
    buffer_fini(&path);
    buffer_fini(&query);
    return true;
}

void subscribe_handle(const struct http_context *context,
                      struct connection *connection,
                      const struct handoff_request *request)
{
    if (strcmp(request->method, "POST") != 0)
        subscribe(connection, request, text_of(""), context->config);
    else if (request_header(request, "Content-Type").bytes != NULL &&
             !request_accepts(request, "Content-Type",
                              "application/x-www-form-urlencoded"))
        connection_refuse(connection, 415, "unsupported_media_type",
                          "a subscribe by POST takes "
                          "application/x-www-form-urlencoded",
                          text_of(""));
    else
        wait_for_form(connection, request, context->config);
}
