/* client.h -- whom a request is from, if a trusted proxy passed it on.
 *
 * Threads   The crew thread that routes the request.
 * Memory    None.
 * Units     None.
 * Errors    None: what is malformed is the proxy's own request.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "routes.h"

/* From here to its end the request counts for its client. */
void client_find(const struct http_context *context,
                 struct connection *connection,
                 const struct handoff_request *request);

#endif
