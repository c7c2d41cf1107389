/* client.c -- the client's address out of what trusted proxies say.
 *
 * Of the two headers only the one that the setting forwarded_header names is
 * read: a proxy that writes one passes the other on as the client invented it.
 */
#include "client.h"

#include <tidings/admission.h>
#include <tidings/forwarded.h>

#include <string.h>
#include <strings.h>

void client_find(const struct http_context *context,
                 struct connection *connection,
                 const struct handoff_request *request)
{
    const char *name = context->config->forwarded_header;
    const bool is_rfc = strcmp(name, "forwarded") == 0;
    struct forwarded forwarded = {.count = 0};
    struct address client;

    if (!connection_is_proxied(connection))
        return;
    for (unsigned i = 0; i < request->header_count; i++) {
        const struct text value = text_of(request->headers[i].value);

        if (strcasecmp(request->headers[i].name, name) != 0)
            continue;
        if (is_rfc)
            forwarded_add_rfc(&forwarded, value);
        else
            forwarded_add_x(&forwarded, value);
    }
    client = forwarded_client(&forwarded, &context->admissions->proxies,
                              connection_peer(connection));
    connection_set_client(connection, &client);
}
