/* assets.c -- the pages and scripts that are part of the program.
 *
 * `/demo/` is `/demo/index.html`, `/demo` leads there, `/` is `/index.html`.
 * What is not in the table of web_assets.h is not found: no file is ever
 * opened.
 *
 * The pages show what strangers publish. They put it in as text; should one
 * forget, the policy that goes with each file lets no script and no style run
 * that is not a file of this server.
 */
#include "routes.h"

#include "../web/web_assets.h"

#include <tidings/check.h>
#include <tidings/gzip.h>

#include <stdlib.h>
#include <string.h>

/* clang-format off */
/*     ending    type                                   */
#define CONTENT_TYPES(T)                                 \
    T(".html", "text/html; charset=utf-8")               \
    T(".js",   "text/javascript; charset=utf-8")         \
    T(".css",  "text/css; charset=utf-8")                \
    T(".svg",  "image/svg+xml")                          \
    T(".ts",   "text/plain; charset=utf-8")              \
    T(".ico",  "image/x-icon")
/* clang-format on */

#define CONTENT_POLICY                                                         \
    "script-src 'self'; style-src 'self'; object-src 'none'; "                 \
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

static const char *type_of(struct text path)
{
#define T(ending, type)                                                        \
    if (path.length > strlen(ending) &&                                        \
        memcmp(path.bytes + path.length - strlen(ending), ending,              \
               strlen(ending)) == 0)                                           \
        return type;
    CONTENT_TYPES(T)
#undef T
    return "application/octet-stream";
}

static const struct web_asset *find(struct text path)
{
    struct text index = text_of("index.html");

    for (const struct web_asset *asset = web_assets; asset->path; asset++) {
        struct text own = text_of(asset->path);

        if (text_equals(own, path))
            return asset;
        if (path.bytes[path.length - 1] == '/' &&
            own.length == path.length + index.length &&
            memcmp(own.bytes, path.bytes, path.length) == 0 &&
            memcmp(own.bytes + path.length, index.bytes, index.length) == 0)
            return asset;
    }
    return NULL;
}

/* A folder without its slash: relative links would go wrong. */
static bool is_folder(struct text path)
{
    for (const struct web_asset *asset = web_assets; asset->path; asset++)
        if (strncmp(asset->path, path.bytes, path.length) == 0 &&
            asset->path[path.length] == '/')
            return true;
    return false;
}

static size_t asset_count(void)
{
    size_t count = 0;

    while (web_assets[count].path != NULL)
        count++;
    return count;
}

struct buffer *assets_pack(void)
{
    struct buffer *packed = must_calloc(asset_count(), sizeof *packed);

    for (size_t i = 0; i < asset_count(); i++) {
        buffer_init(&packed[i]);
        gzip_append_all(&packed[i], (struct text){web_assets[i].bytes,
                                                  web_assets[i].length});
        if (packed[i].length >= web_assets[i].length)
            buffer_fini(&packed[i]);
    }
    gzip_thread_end();
    return packed;
}

void assets_free_packed(struct buffer **packed)
{
    for (size_t i = 0; i < asset_count(); i++)
        buffer_fini(&(*packed)[i]);
    free(*packed);
    *packed = NULL;
}

/* Has the client this asset, in whichever coding? */
static bool is_known(const struct handoff_request *request, const char *tag)
{
    struct text known = request_header(request, "If-None-Match");

    if (known.length > 2 && memcmp(known.bytes, "W/", 2) == 0) {
        known.bytes += 2;
        known.length -= 2;
    }
    return text_is(known, tag);
}

static bool is_page(const struct web_asset *asset)
{
    return strncmp(type_of(text_of(asset->path)), "text/html", 9) == 0;
}

/* Over TLS the length of a page shall not depend on what is in it (BREACH).
 * There is no secret in ours, but who scans a server cannot know that. */
static bool goes_packed(const struct http_context *context,
                        const struct connection *connection,
                        const struct handoff_request *request,
                        const struct web_asset *asset)
{
    return context->config->gzip &&
           context->packed_assets[asset - web_assets].length > 0 &&
           request_takes_coding(request, "gzip") &&
           !(connection_is_tls(connection) && is_page(asset));
}

static void answer_asset(const struct http_context *context,
                         struct connection *connection,
                         const struct handoff_request *request,
                         const struct web_asset *asset)
{
    const struct buffer *packed = &context->packed_assets[asset - web_assets];
    bool is_packed = goes_packed(context, connection, request, asset);
    struct answer answer = {
        .status = 200,
        .type = type_of(text_of(asset->path)),
        .body = is_packed ? buffer_text(packed)
                          : (struct text){asset->bytes, asset->length}};
    struct buffer headers;

    buffer_init(&headers);
    buffer_printf(&headers,
                  "ETag: %s%s\r\nCache-Control: no-cache\r\n"
                  "Vary: Accept-Encoding\r\n"
                  "X-Content-Type-Options: nosniff\r\n"
                  "Referrer-Policy: no-referrer\r\n"
                  "Content-Security-Policy: " CONTENT_POLICY "\r\n",
                  is_packed ? "W/" : "", asset->tag);
    if (is_known(request, asset->tag)) {
        answer.status = 304;
        answer.type = NULL;
        answer.body = text_of("");
    } else if (is_packed) {
        buffer_append_string(&headers, "Content-Encoding: gzip\r\n");
    }
    answer.headers = buffer_text(&headers);
    connection_answer(connection, &answer);
    buffer_fini(&headers);
}

void assets_handle(const struct http_context *context,
                   struct connection *connection,
                   const struct handoff_request *request)
{
    struct text path = text_of(request->raw_path);
    const struct web_asset *asset = find(path);
    struct buffer headers;

    if (subscribe_at_root(context, connection, request))
        return;
    if (asset != NULL) {
        answer_asset(context, connection, request, asset);
        return;
    }
    if (!is_folder(path)) {
        connection_refuse(connection, 404, "not_found", "there is nothing here",
                          text_of(""));
        return;
    }
    buffer_init(&headers);
    buffer_printf(&headers, "Location: %s/\r\n", request->raw_path);
    connection_answer(connection, &(struct answer){
                                      .status = 308,
                                      .headers = buffer_text(&headers),
                                  });
    buffer_fini(&headers);
}
