/* http_client.c -- requests out, answers in.
 *
 * What was received and not yet used lies in `received`. ask() reads until the
 * blank line, moves the head to `head` and learns from it how the body ends:
 * with so many bytes, with a last chunk, with the connection, or at once.
 * read() then turns `received` into body.
 *
 * After a body whose end was seen and whose server did not say "close", the
 * connection is kept. In all other cases ask() opens a new one.
 */
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <tidings/check.h>
#include <tidings/tls.h>
#include <tidings/wire.h>

#include "tcp_link.h"

#define CONNECT_MS     10000
#define SEND_MS        30000
#define HEAD_MS        60000 /* long-polls answer within 25 s, commits sooner */
#define HEAD_MAX_BYTES ((size_t)64 << 10)
#define BODY_MAX_BYTES ((size_t)16 << 20) /* for read_all */

enum body_end {
    BODY_OVER,         /* nothing (more) comes */
    BODY_AFTER_BYTES,  /* Content-Length */
    BODY_AFTER_CHUNKS, /* Transfer-Encoding: chunked */
    BODY_AT_CLOSE      /* neither */
};

struct http_client {
    struct tcp_link *link;
    char *host, *port, *path; /* out of the URL; path without a last slash */
    const char *token;        /* of the environment; NULL: none */
    struct tls_trust trust;   /* the same */
    bool is_tls;
    struct buffer received, head;
    enum body_end body;
    uint64_t bytes_left; /* BODY_AFTER_BYTES */
    struct chunked chunked;
    bool keeps_alive;
    char why[300];
};

/* ---- create ----------------------------------------------------------------
 */

static char *copy(const char *bytes, size_t length)
{
    char *string = must_malloc(length + 1);

    memcpy(string, bytes, length);
    string[length] = '\0';
    return string;
}

/* What stands behind http:// or https://; NULL: neither. */
static const char *after_scheme(const char *url, bool *is_tls_out)
{
    static const char plain[] = "http://", tls[] = "https://";

    *is_tls_out = strncmp(url, tls, sizeof tls - 1) == 0;
    if (*is_tls_out)
        return url + sizeof tls - 1;
    return strncmp(url, plain, sizeof plain - 1) == 0 ? url + sizeof plain - 1
                                                      : NULL;
}

/* host, host:port, [::1]:port, each perhaps with a /path behind. */
static bool parse_url(const char *url, struct http_client *client)
{
    const char *host, *port;
    size_t length, host_length;

    host = after_scheme(url, &client->is_tls);
    if (host == NULL)
        return false;
    if (strpbrk(host, " \t\r\n?#@") != NULL)
        return false;
    length = strcspn(host, "/");
    host_length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    if (host_length == 0 || host_length > length)
        return false;
    port = host + host_length;
    if (*port == ':' && port + 1 < host + length)
        client->port = copy(port + 1, length - host_length - 1);
    else if (port == host + length)
        client->port = must_strdup(client->is_tls ? "443" : "80");
    else
        return false;
    client->host = host[0] == '[' ? copy(host + 1, host_length - 2)
                                  : copy(host, host_length);
    client->path = must_strdup(host + length);
    length = strlen(client->path);
    if (length > 0 && client->path[length - 1] == '/')
        client->path[length - 1] = '\0';
    return true;
}

/* What may stand behind `Bearer` (RFC 6750), and nothing that ends a line. */
static bool is_bearer(const char *token)
{
    for (; *token != '\0'; token++)
        if (*token <= ' ' || *token > '~' || strchr("\",;\\", *token) != NULL)
            return false;
    return true;
}

struct http_client *http_client_create(const char *url)
{
    struct http_client *client = must_calloc(1, sizeof *client);

    client->token = getenv("TIDINGS_TOKEN");
    if (client->token != NULL && client->token[0] == '\0')
        client->token = NULL;
    client->trust.file = getenv("TIDINGS_CA");
    client->link = tcp_link_create();
    if (!parse_url(url, client))
        http_client_destroy(&client);
    return client;
}

void http_client_destroy(struct http_client **client)
{
    struct http_client *mine = *client;

    *client = NULL;
    if (mine == NULL)
        return;
    tcp_link_destroy(&mine->link);
    buffer_fini(&mine->received);
    buffer_fini(&mine->head);
    free(mine->host);
    free(mine->port);
    free(mine->path);
    free(mine);
}

const char *http_client_why(const struct http_client *client)
{
    return client->why;
}

/* ---- request ---------------------------------------------------------------
 */

static enum status fail(struct http_client *client, enum status st,
                        const char *doing, const char *why)
{
    snprintf(client->why, sizeof client->why, "%s %s://%s:%s: %s", doing,
             client->is_tls ? "https" : "http", client->host, client->port,
             why);
    tcp_link_shut(client->link);
    client->body = BODY_OVER;
    return st;
}

static void append_request(const struct http_client *client,
                           const struct http_call *call, struct buffer *out)
{
    const char *bracket = strchr(client->host, ':') != NULL ? "[" : "";

    buffer_printf(out, "%s %s%.*s HTTP/1.1\r\nHost: %s%s%s:%s\r\n",
                  call->method, client->path, TEXT_ARGS(call->target), bracket,
                  client->host, *bracket == '[' ? "]" : "", client->port);
    buffer_append_string(out, "User-Agent: tidings/" TIDINGS_VERSION "\r\n");
    if (client->token != NULL)
        buffer_printf(out, "Authorization: Bearer %s\r\n", client->token);
    for (unsigned i = 0; i < call->field_count; i++)
        buffer_printf(out, "%s: %s\r\n", call->fields[i].name,
                      call->fields[i].value);
    if (call->body.bytes != NULL)
        buffer_printf(out, "Content-Length: %zu\r\n", call->body.length);
    buffer_append_string(out, "\r\n");
    if (call->body.bytes != NULL)
        buffer_append_text(out, call->body);
}

/* A kept connection if it is still good, else a fresh one. */
static enum status get_ready(struct http_client *client)
{
    enum status st;

    if (client->body != BODY_OVER || !client->keeps_alive)
        tcp_link_shut(client->link);
    if (tcp_link_is_open(client->link) &&
        tcp_link_receive(client->link, &client->received, 0) == ST_TIMEOUT)
        return ST_OK; /* open, and nothing came unasked */
    client->received.length = 0;
    st = tcp_link_open(client->link, client->host, client->port,
                       client->is_tls ? &client->trust : NULL, CONNECT_MS);
    if (st != ST_OK)
        return fail(client, st, "cannot reach", tcp_link_why(client->link));
    return ST_OK;
}

static enum status send_request(struct http_client *client,
                                const struct http_call *call)
{
    struct buffer request;
    enum status st;

    buffer_init(&request);
    append_request(client, call, &request);
    st = tcp_link_send(client->link, buffer_text(&request), SEND_MS);
    buffer_fini(&request);
    if (st != ST_OK)
        return fail(client, st, "sending to", tcp_link_why(client->link));
    return ST_OK;
}

/* ---- head of the answer ----------------------------------------------------
 */

static size_t head_bytes(struct text received)
{
    for (size_t i = 3; i < received.length; i++)
        if (memcmp(received.bytes + i - 3, "\r\n\r\n", 4) == 0)
            return i + 1;
    return 0;
}

static bool is_same_word(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char x = a[i] >= 'A' && a[i] <= 'Z' ? (char)(a[i] + 32) : a[i];
        const char y = b[i] >= 'A' && b[i] <= 'Z' ? (char)(b[i] + 32) : b[i];

        if (x != y)
            return false;
    }
    return true;
}

struct text http_client_field(const struct http_client *client,
                              const char *name)
{
    const size_t name_length = strlen(name);
    const char *line = client->head.bytes;
    const char *end = line + client->head.length;

    while (line < end) {
        const char *line_end = memchr(line, '\r', (size_t)(end - line));
        size_t length;

        if (line_end == NULL)
            break;
        length = (size_t)(line_end - line);
        if (length > name_length && line[name_length] == ':' &&
            is_same_word(line, name, name_length)) {
            line += name_length + 1;
            while (line < line_end && (*line == ' ' || *line == '\t'))
                line++;
            return (struct text){line, (size_t)(line_end - line)};
        }
        line = line_end + 2;
    }
    return (struct text){"", 0};
}

static bool field_is(const struct http_client *client, const char *name,
                     const char *value)
{
    const struct text field = http_client_field(client, name);

    return field.length == strlen(value) &&
           is_same_word(field.bytes, value, field.length);
}

/* HTTP/1.1 201 Created: 201, or 0 if it is nothing of the kind. */
static unsigned parse_status(struct text head)
{
    const char *at = head.bytes + 9;

    if (head.length < 13 || memcmp(head.bytes, "HTTP/1.", 7) != 0 ||
        head.bytes[8] != ' ' || at[0] < '1' || at[0] > '5' || at[1] < '0' ||
        at[1] > '9' || at[2] < '0' || at[2] > '9')
        return 0;
    return (unsigned)(at[0] - '0') * 100 + (unsigned)(at[1] - '0') * 10 +
           (unsigned)(at[2] - '0');
}

static bool parse_length(struct text field, uint64_t *length_out)
{
    uint64_t length = 0;

    if (field.length == 0 || field.length > 18)
        return false;
    for (size_t i = 0; i < field.length; i++) {
        if (field.bytes[i] < '0' || field.bytes[i] > '9')
            return false;
        length = length * 10 + (unsigned)(field.bytes[i] - '0');
    }
    *length_out = length;
    return true;
}

static void learn_body(struct http_client *client, const char *method,
                       unsigned http_status)
{
    client->chunked = (struct chunked){0};
    client->keeps_alive = !field_is(client, "Connection", "close") &&
                          client->head.bytes[7] == '1';
    if (strcmp(method, "HEAD") == 0 || http_status == 204 || http_status == 304)
        client->body = BODY_OVER;
    else if (field_is(client, "Transfer-Encoding", "chunked"))
        client->body = BODY_AFTER_CHUNKS;
    else if (parse_length(http_client_field(client, "Content-Length"),
                          &client->bytes_left))
        client->body = client->bytes_left > 0 ? BODY_AFTER_BYTES : BODY_OVER;
    else
        client->body = BODY_AT_CLOSE;
}

/* One head, final or not, into `head`. */
static enum status receive_head(struct http_client *client,
                                unsigned *http_status_out)
{
    size_t bytes = head_bytes(buffer_text(&client->received));

    while (bytes == 0) {
        enum status st = ST_CORRUPT;

        if (client->received.length > HEAD_MAX_BYTES)
            return fail(client, st, "answer of", "its head has no end");
        st = tcp_link_receive(client->link, &client->received, HEAD_MS);
        if (st != ST_OK)
            return fail(client, st, "no answer from",
                        tcp_link_why(client->link));
        bytes = head_bytes(buffer_text(&client->received));
    }
    client->head.length = 0;
    buffer_append(&client->head, client->received.bytes, bytes);
    buffer_consume(&client->received, bytes);
    *http_status_out = parse_status(buffer_text(&client->head));
    if (*http_status_out == 0)
        return fail(client, ST_CORRUPT, "answer of", "this is no HTTP");
    return ST_OK;
}

enum status http_client_ask(struct http_client *client,
                            const struct http_call *call,
                            unsigned *http_status_out)
{
    unsigned http_status = 0;
    enum status st;

    if (client->token != NULL && !is_bearer(client->token))
        return fail(client, ST_BAD_INPUT, "cannot ask",
                    "what is in TIDINGS_TOKEN is no token");
    st = get_ready(client);
    if (st == ST_OK)
        st = send_request(client, call);
    while (st == ST_OK) {
        st = receive_head(client, &http_status);
        if (st == ST_OK && http_status >= 200) {
            learn_body(client, call->method, http_status);
            *http_status_out = http_status;
            return ST_OK;
        }
    }
    return st;
}

/* ---- body of the answer ----------------------------------------------------
 */

static enum status take_chunks(struct http_client *client, struct buffer *out)
{
    size_t used = 0;
    enum status st;

    client->chunked.overhead = 0; /* its limit is for bodies that end */
    st = chunked_decode(&client->chunked, buffer_text(&client->received),
                        SIZE_MAX, out, &used);
    buffer_consume(&client->received, used);
    if (st == ST_OK)
        client->body = BODY_OVER;
    else if (st != ST_EMPTY)
        return fail(client, ST_CORRUPT, "answer of", "its chunks are broken");
    return ST_OK;
}

/* Turns what was received into body. ST_OK also if that is not a byte. */
static enum status take_body(struct http_client *client, struct buffer *out)
{
    size_t length = client->received.length;

    if (client->body == BODY_AFTER_CHUNKS)
        return take_chunks(client, out);
    if (client->body == BODY_AFTER_BYTES && length >= client->bytes_left) {
        length = (size_t)client->bytes_left;
        client->body = BODY_OVER;
    }
    client->bytes_left -= client->body == BODY_AFTER_BYTES ? length : 0;
    buffer_append(out, client->received.bytes, length);
    buffer_consume(&client->received, length);
    return ST_OK;
}

enum status http_client_read(struct http_client *client, struct buffer *out,
                             unsigned wait_ms)
{
    const size_t before = out->length;

    for (;;) {
        enum status st;

        if (client->body == BODY_OVER)
            return ST_EMPTY;
        st = take_body(client, out);
        if (st != ST_OK || out->length > before)
            return st;
        if (client->body == BODY_OVER)
            return ST_EMPTY;
        st = tcp_link_receive(client->link, &client->received, wait_ms);
        if (st == ST_CLOSED && client->body == BODY_AT_CLOSE) {
            client->body = BODY_OVER;
            return ST_EMPTY;
        }
        if (st == ST_TIMEOUT)
            return st;
        if (st != ST_OK)
            return fail(client, st, "lost", tcp_link_why(client->link));
    }
}

enum status http_client_read_all(struct http_client *client, struct buffer *out)
{
    enum status st;

    do {
        st = http_client_read(client, out, HEAD_MS);
        if (out->length > BODY_MAX_BYTES)
            return fail(client, ST_TOO_BIG, "answer of", "it is over 16 MiB");
    } while (st == ST_OK);
    return st == ST_EMPTY ? ST_OK : st;
}

/* ---- URLs ------------------------------------------------------------------
 */

void url_append_escaped(struct buffer *out, struct text text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (size_t i = 0; i < text.length; i++) {
        if (memchr(plain, text.bytes[i], sizeof plain - 1) != NULL)
            buffer_append_char(out, text.bytes[i]);
        else
            buffer_printf(out, "%%%02X", (unsigned char)text.bytes[i]);
    }
}
