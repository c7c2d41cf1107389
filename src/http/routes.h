/* routes.h -- which request goes where.
 *
 * Threads   The crew thread that routes the request.
 * Memory    None.
 * Units     None.
 * Errors    None: every request is answered or taken on.
 */
#ifndef HTTP_ROUTES_H
#define HTTP_ROUTES_H

#include "request.h"

#include <tidings/connection.h>
#include <tidings/http.h>

struct admissions;
struct shutdown;

/* What handlers need besides the connection; fixed at start. */
struct http_context {
    const struct config *config;
    struct journal *journal;
    struct presence *presence; /* NULL: subscribers are not told to others */
    struct intake_check intake;
    struct admissions *admissions;
    struct crew **crews;
    unsigned crew_count;
    struct origins *origins;
    unsigned tls_port;            /* where browsers find HTTPS; 0: nowhere */
    struct shutdown *shutdown;    /* set before the crews start */
    struct buffer *packed_assets; /* assets.c */
};

/* clang-format off */
#define METHODS(M) M(GET) M(HEAD) M(POST) M(PUT) M(DELETE) M(OPTIONS)

/* Who may, with keys configured; the handlers see to it:
 *   ALL       everybody: no token is looked at
 *   RIGHTS    who has the right to the channel, or the session
 *   OPERATOR  who has the claim admin, or is on this machine (admin.c) */
#define ROUTE_NEEDS(N) N(ALL) N(RIGHTS) N(OPERATOR)

/*        path            below  methods                       handler         needs     what it is */
#define ROUTES(ROUTE)                                                                                       \
    ROUTE("/events",      true,  BIT_GET | BIT_HEAD | BIT_POST, subscribe_handle, RIGHTS, "subscribe")      \
    ROUTE("/publish",     true,  BIT_POST | BIT_PUT | BIT_DELETE, publish_handle, RIGHTS, "publish, correct, withdraw") \
    ROUTE("/sessions",    true,  BIT_GET | BIT_HEAD | BIT_POST | BIT_DELETE, session_handle, RIGHTS, "positions that the server keeps") \
    ROUTE("/channels",    true,  BIT_GET | BIT_HEAD,            admin_channels,   RIGHTS, "what the journal keeps") \
    ROUTE("/healthz",     false, BIT_GET | BIT_HEAD,            admin_health,     ALL,    "the process lives") \
    ROUTE("/readyz",      false, BIT_GET | BIT_HEAD,            admin_ready,      OPERATOR, "it can take events; to all others without the reasons") \
    ROUTE("/metrics",     false, BIT_GET | BIT_HEAD,            admin_metrics,    OPERATOR, "Prometheus text") \
    ROUTE("/admin/shutdown", false, BIT_GET | BIT_HEAD | BIT_POST | BIT_DELETE, admin_shutdown, OPERATOR, "the scheduled shutdown") \
    ROUTE("/",            true,  BIT_GET | BIT_HEAD,            assets_handle,    ALL,    "pages and scripts")
/* clang-format on */

enum route_needs {
#define N(name) NEEDS_##name,
    ROUTE_NEEDS(N)
#undef N
};

enum method {
#define M(name) METHOD_##name,
    METHODS(M)
#undef M
        METHOD_OTHER
};

enum {
#define M(name) BIT_##name = 1 << METHOD_##name,
    METHODS(M)
#undef M
};

/* A handler decides what the connection does next (connection.h). */
#define ROUTE(path, below, methods, handler, needs, what)                      \
    void handler(const struct http_context *context,                           \
                 struct connection *connection,                                \
                 const struct handoff_request *request);
ROUTES(ROUTE)
#undef ROUTE

/* subscribe.c: an upgrade at `/` that the setting websocket_root wants; false:
 * it is none. */
bool subscribe_at_root(const struct http_context *context,
                       struct connection *connection,
                       const struct handoff_request *request);

/* redirect.c: must this request be made again over HTTPS? Then tell it. */
bool redirect_is_due(const struct http_context *context,
                     const struct connection *connection);
void redirect_answer(const struct http_context *context,
                     struct connection *connection,
                     const struct handoff_request *request);

/* What assets_handle gives to clients that take gzip, made by main at start:
 * one buffer per asset, empty where compressing does not pay. */
struct buffer *assets_pack(void);
void assets_free_packed(struct buffer **packed);

/* crew_handler_fn. */
void routes_handle(void *context, struct connection *connection,
                   const struct handoff_request *request,
                   const struct http_head *head);

#endif
