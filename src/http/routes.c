/* routes.c -- the table of paths, walked from the top.
 *
 * A route is its path, or with `below` everything under it too. The wrong
 * method on a right path is 405 with the methods that would be right; a path
 * that nobody knows ends at the last row, which answers 404 itself.
 *
 * Any page can make a browser send a POST here, whether or not it may see the
 * answer: what changes something is refused to pages of unknown origins.
 */
#include "routes.h"

#include "access.h"
#include "client.h"
#include "origins.h"
#include "over_limit.h"

#include <tidings/crew.h>

#include <string.h>

typedef void handler_fn(const struct http_context *context,
                        struct connection *connection,
                        const struct handoff_request *request);

static const struct route {
    const char *path;
    bool has_below;
    unsigned methods;
    handler_fn *handler;
    enum route_needs needs;
} routes[] = {
#define ROUTE(path, below, methods, handler, needs, what)                      \
    {path, below, methods, handler, NEEDS_##needs},
    ROUTES(ROUTE)
#undef ROUTE
};

/* What an OPTIONS of `*` asks about. */
static const struct route whole_server = {"*", false, (1u << METHOD_OTHER) - 1,
                                          NULL, NEEDS_ALL};

static const char *const method_names[] = {
#define M(name) [METHOD_##name] = #name,
    METHODS(M)
#undef M
};

static enum method method_of(const char *name)
{
    for (unsigned i = 0; i < METHOD_OTHER; i++)
        if (strcmp(method_names[i], name) == 0)
            return (enum method)i;
    return METHOD_OTHER;
}

static bool is_route_of(const struct route *route, const char *path)
{
    size_t length = strlen(route->path);

    if (strcmp(path, route->path) == 0)
        return true;
    if (!route->has_below || strncmp(path, route->path, length) != 0)
        return false;
    return path[length] == '/' || route->path[length - 1] == '/';
}

static void append_methods(const char *header, unsigned methods,
                           struct buffer *out)
{
    const char *comma = ": ";

    buffer_append_string(out, header);

    for (unsigned i = 0; i < METHOD_OTHER; i++) {
        if ((methods & 1u << i) == 0 && i != METHOD_OPTIONS)
            continue;
        buffer_append_string(out, comma);
        buffer_append_string(out, method_names[i]);
        comma = ", ";
    }
    buffer_append_string(out, "\r\n");
}

static void answer_options(const struct http_context *context,
                           struct connection *connection,
                           const struct route *route,
                           const struct handoff_request *request)
{
    struct buffer headers;

    buffer_init(&headers);
    append_methods("Allow", route->methods, &headers);
    if (origins_is_preflight(context->origins, request)) {
        append_methods("Access-Control-Allow-Methods", route->methods,
                       &headers);
        buffer_append_string(&headers, origins_preflight_lines);
    }
    connection_answer(
        connection,
        &(struct answer){.status = 200, .headers = buffer_text(&headers)});
    buffer_fini(&headers);
}

static void refuse_method(struct connection *connection,
                          const struct route *route)
{
    struct buffer allowed;

    buffer_init(&allowed);
    append_methods("Allow", route->methods, &allowed);
    connection_refuse(connection, 405, "method_not_allowed",
                      "this path does not take that method",
                      buffer_text(&allowed));
    buffer_fini(&allowed);
}

/* A subscribe by POST changes nothing. */
static bool is_change(const struct route *route, enum method method)
{
    return method != METHOD_GET && method != METHOD_HEAD &&
           route->handler != subscribe_handle;
}

/* What may be done on a connection that is over a limit. A subscribe finds out
 * by itself what it is answered. */
static bool is_for_reserve(const struct route *route)
{
    return route->handler == publish_handle || route->handler == admin_health ||
           route->handler == admin_ready || route->handler == admin_metrics ||
           route->handler == admin_shutdown ||
           route->handler == subscribe_handle;
}

/* Who asks is known; a subscribe may say so in its form, which is not there yet.
 * False: it was refused. */
static bool identify(struct connection *connection, const struct route *route,
                     const struct handoff_request *request, bool is_a_change)
{
    if (route->needs == NEEDS_ALL)
        return true;
    return access_identify(connection, request,
                           !is_a_change && route->handler != admin_shutdown) &&
           (route->handler == subscribe_handle ||
            !access_refuse_foreign(connection));
}

static void route_to(const struct http_context *context,
                     struct connection *connection, const struct route *route,
                     const struct handoff_request *request)
{
    enum method method = method_of(request->method);

    if (method == METHOD_OPTIONS)
        answer_options(context, connection, route, request);
    else if (method == METHOD_OTHER || (route->methods & 1u << method) == 0)
        refuse_method(connection, route);
    else if (connection_limit(connection) != LIMIT_NONE &&
             !is_for_reserve(route))
        over_limit_refuse(connection, connection_limit(connection), 0);
    else if (is_change(route, method) &&
             !origins_allow_request(context->config, request))
        connection_refuse(connection, 403, "foreign_origin",
                          "pages of that origin may not do this; the setting "
                          "origins lists those that may",
                          text_of(""));
    else if (identify(connection, route, request, is_change(route, method)))
        route->handler(context, connection, request);
}

void routes_handle(void *arg, struct connection *connection,
                   const struct handoff_request *request,
                   const struct http_head *head)
{
    const struct http_context *context = arg;

    (void)head;
    client_find(context, connection, request);
    connection_set_lines(connection, origins_lines(context->origins, request));
    if (crew_is_draining(connection_crew(connection))) {
        connection_refuse(connection, 503, "stopping",
                          "the server is stopping; come back in a moment",
                          text_of("Retry-After: 2\r\n"));
        return;
    }
    if (redirect_is_due(context, connection)) {
        redirect_answer(context, connection, request);
        return;
    }
    if (strcmp(request->raw_path, "*") == 0) {
        answer_options(context, connection, &whole_server, request);
        return;
    }
    for (unsigned i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!is_route_of(&routes[i], request->raw_path))
            continue;
        route_to(context, connection, &routes[i], request);
        return;
    }
    connection_refuse(connection, 404, "not_found", "there is nothing here",
                      text_of(""));
}
