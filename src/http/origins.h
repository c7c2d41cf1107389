/* origins.h -- what pages of other origins may do (CORS, protocol.md 8).
 *
 * Threads   create, destroy: main. The rest: any; nothing here changes.
 * Memory    struct origins owns the lines that connections point to: it lives
 *           until the crews are gone.
 * Units     None.
 * Errors    None.
 */
#ifndef HTTP_ORIGINS_H
#define HTTP_ORIGINS_H

#include "request.h"

#include <tidings/config.h>

struct origins;

struct origins *origins_create(const struct config *config);
void origins_destroy(struct origins **origins);

/* May a page of this origin use what browsers protect by the origin alone (a
 * WebSocket, publishing)? Yes if it is listed or the server's own; `origin`
 * with NULL bytes (no browser's page): yes. */
bool origins_allow(const struct config *config, struct text origin,
                   struct text host);

/* The same of a request's own headers. */
bool origins_allow_request(const struct config *config,
                           const struct handoff_request *request);

/* The lines that every answer to this request has; NULL: none. */
const char *origins_lines(const struct origins *origins,
                          const struct handoff_request *request);

/* A preflight of a listed origin? Then what its answer has besides. */
bool origins_is_preflight(const struct origins *origins,
                          const struct handoff_request *request);
extern const char origins_preflight_lines[];

#endif
