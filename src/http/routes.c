/* routes.c -- the table of paths, walked from the top.
 *
 * A route is its path, or with `below` everything under it too. The wrong
 * method on a right path is 405 with the methods that would be right; a path
 * that nobody knows ends at the last row, which answers 404 itself.
 */
#include "routes.h"

#include <string.h>

typedef void handler_fn(const struct http_context *context,
                        struct connection *connection,
                        const struct handoff_request *request);

static const struct route {
    const char *path;
    bool has_below;
    unsigned methods;
    handler_fn *handler;
} routes[] = {
#define ROUTE(path, below, methods, handler, what)                             \
    {path, below, methods, handler},
    ROUTES(ROUTE)
#undef ROUTE
};

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

static void append_allowed(unsigned methods, struct buffer *out)
{
    const char *comma = "Allow: ";

    for (unsigned i = 0; i < METHOD_OTHER; i++) {
        if ((methods & 1u << i) == 0 && i != METHOD_OPTIONS)
            continue;
        buffer_append_string(out, comma);
        buffer_append_string(out, method_names[i]);
        comma = ", ";
    }
    buffer_append_string(out, "\r\n");
}

static void answer_by_method(struct connection *connection,
                             const struct route *route, enum method method)
{
    struct buffer allowed;

    buffer_init(&allowed);
    append_allowed(route->methods, &allowed);
    if (method == METHOD_OPTIONS)
        connection_answer(
            connection,
            &(struct answer){.status = 200, .headers = buffer_text(&allowed)});
    else
        connection_refuse(connection, 405, "method_not_allowed",
                          "this path does not take that method",
                          buffer_text(&allowed));
    buffer_fini(&allowed);
}

void routes_handle(void *context, struct connection *connection,
                   const struct handoff_request *request,
                   const struct http_head *head)
{
    enum method method = method_of(request->method);

    (void)head;
    for (unsigned i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!is_route_of(&routes[i], request->raw_path))
            continue;
        if (method == METHOD_OTHER || (routes[i].methods & 1u << method) == 0)
            answer_by_method(connection, &routes[i], method);
        else
            routes[i].handler(context, connection, request);
        return;
    }
    connection_refuse(connection, 404, "not_found", "there is nothing here",
                      text_of(""));
}
