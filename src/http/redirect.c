/* redirect.c -- a request that came without TLS is sent to HTTPS.
 *
 * 308: the method and the body are to be sent again as they were. The host is
 * the one that the client asked for, with the port of HTTPS in place of its
 * own; a Host that could be anything but a host is not repeated.
 */
#include "routes.h"

#include <tidings/config.h>
#include <tidings/crew.h>

#include <string.h>

enum { HTTPS_PORT = 443 };

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* The host without its port, in brackets if it is an address of IPv6. Empty:
 * it is none. */
static struct text host_of(struct text field)
{
    const struct text none = {"", 0};
    size_t length = 0;

    if (field.bytes == NULL)
        return none;
    if (field.length > 0 && field.bytes[0] == '[') {
        for (length = 1; length < field.length; length++)
            if (strchr("0123456789abcdefABCDEF:.", field.bytes[length]) == NULL)
                break;
        if (length == field.length || field.bytes[length] != ']')
            return none;
        length++;
    } else {
        while (length < field.length && is_host_byte(field.bytes[length]))
            length++;
    }
    if (length < field.length && field.bytes[length] != ':')
        return none;
    return (struct text){field.bytes, length};
}

bool redirect_is_due(const struct http_context *context,
                     const struct connection *connection)
{
    return context->config->tls_redirect && !connection_is_tls(connection);
}

void redirect_answer(const struct http_context *context,
                     struct connection *connection,
                     const struct handoff_request *request)
{
    struct text host = host_of(request_header(request, "Host"));
    struct buffer headers;

    if (host.length == 0) {
        connection_refuse(connection, 400, "tls_only",
                          "this server speaks HTTPS: ask again with https://",
                          text_of(""));
        return;
    }
    buffer_init(&headers);
    buffer_append_string(&headers, "Location: https://");
    buffer_append_text(&headers, host);
    if (context->tls_port != HTTPS_PORT)
        buffer_printf(&headers, ":%u", context->tls_port);
    if (request->raw_path[0] == '/') /* not `OPTIONS *` */
        buffer_append_string(&headers, request->raw_path);
    if (request->query[0] != '\0')
        buffer_printf(&headers, "?%s", request->query);
    buffer_append_string(&headers, "\r\n");
    connection_answer(
        connection,
        &(struct answer){.status = 308, .headers = buffer_text(&headers)});
    buffer_fini(&headers);
}
