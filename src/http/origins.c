/* origins.c -- lines for listed origins, made once at start.
 *
 * A browser shows a page of another origin only answers that name that origin;
 * with cookies or HTTP authentication it takes no `*`. So each listed origin
 * has its lines, and a connection whose request came from it points to them
 * until the next request. An origin that is not listed gets none: the browser
 * keeps the answer to itself.
 *
 * A page of the server's own origin needs no lines. It gets them if it is
 * listed all the same: http and https of one host are two origins to a browser,
 * and which of them a proxy speaks is not known here.
 */
#include "origins.h"

#include <tidings/check.h>
#include <tidings/origin.h>

#include <stdlib.h>

/* protocol.md 4 and 8; pages read these besides the body. */
#define EXPOSED                                                                \
    "Last-Event-ID, x-ps-reconnect-in, x-shortpoll-info, x-tidings-keepalive"

/* Two hours is the most that Chromium remembers. */
const char origins_preflight_lines[] =
    "Access-Control-Allow-Headers: Last-Event-ID, Authorization, "
    "Content-Type, Event-Type, Idempotency-Key, Event-Time, flavor, "
    "Cache-Control, X-Requested-With, Accept, Origin\r\n"
    "Access-Control-Max-Age: 7200\r\n";

struct origins {
    struct text list; /* the setting */
    unsigned count;
    char **lines; /* in its order */
};

static char *lines_for(struct text origin)
{
    struct buffer lines;

    buffer_init(&lines);
    buffer_append_string(&lines, "Access-Control-Allow-Origin: ");
    origin_append(&lines, origin);
    buffer_append_string(&lines,
                         "\r\nAccess-Control-Allow-Credentials: true"
                         "\r\nAccess-Control-Expose-Headers: " EXPOSED "\r\n");
    buffer_append_char(&lines, '\0');
    return buffer_detach(&lines);
}

struct origins *origins_create(const struct config *config)
{
    struct origins *origins = must_calloc(1, sizeof *origins);
    struct text origin;
    size_t cursor = 0;

    origins->list = text_of(config->origins);
    while (origin_list_next(origins->list, &cursor, &origin)) {
        origins->lines = must_realloc(
            origins->lines, (origins->count + 1) * sizeof origins->lines[0]);
        origins->lines[origins->count++] = lines_for(origin);
    }
    return origins;
}

void origins_destroy(struct origins **origins)
{
    struct origins *mine = *origins;

    *origins = NULL;
    if (mine == NULL)
        return;
    for (unsigned i = 0; i < mine->count; i++)
        free(mine->lines[i]);
    free(mine->lines);
    free(mine);
}

bool origins_allow(const struct config *config, struct text origin,
                   struct text host)
{
    return origin.bytes == NULL || origin_is_of_host(origin, host) ||
           origin_list_find(text_of(config->origins), origin) != 0;
}

bool origins_allow_request(const struct config *config,
                           const struct handoff_request *request)
{
    struct text host = request_header(request, "Host");

    if (host.bytes == NULL)
        host = text_of(""); /* HTTP/1.0 */
    return origins_allow(config, request_header(request, "Origin"), host);
}

const char *origins_lines(const struct origins *origins,
                          const struct handoff_request *request)
{
    struct text origin = request_header(request, "Origin");
    unsigned place = 0;

    if (origins->count > 0 && origin.bytes != NULL)
        place = origin_list_find(origins->list, origin);
    return place == 0 ? NULL : origins->lines[place - 1];
}

bool origins_is_preflight(const struct origins *origins,
                          const struct handoff_request *request)
{
    return request_header(request, "Access-Control-Request-Method").bytes !=
               NULL &&
           origins_lines(origins, request) != NULL;
}
