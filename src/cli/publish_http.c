/* publish_http.c -- events out by POST /publish/{channel}, amendments by PUT
 * and DELETE of the event.
 *
 * One event is the body of its request, several are lines of a batch, which the
 * server takes all or none. A server that is overloaded says when to come back;
 * it is asked again a few times, since a refused request left nothing behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tidings/check.h>
#include <tidings/wire.h>
#include <uv.h>

#include "command.h"
#include "http_client.h"
#include "json_tokens.h"
#include "publish_command.h"

#define TRIES          10
#define PAUSE_MAX_S    5
#define HTTP_NOT_NOW   503
#define HTTP_ALL_FINE  200
#define HTTP_IS_STORED 201

struct http_way {
    struct http_client *client;
    const char *channel;
    struct buffer target, body, answer;
};

struct http_way *http_way_open(const char *url, const char *channel)
{
    struct http_way *way = must_calloc(1, sizeof *way);

    way->channel = channel;
    way->client = http_client_create(url);
    if (way->client == NULL) {
        (void)cli_fail(EXIT_USAGE,
                       "--url: \"%.80s\" is not http(s)://host:port", url);
        http_way_close(&way);
    }
    return way;
}

void http_way_close(struct http_way **way)
{
    struct http_way *mine = *way;

    *way = NULL;
    if (mine == NULL)
        return;
    http_client_destroy(&mine->client);
    buffer_fini(&mine->target);
    buffer_fini(&mine->body);
    buffer_fini(&mine->answer);
    free(mine);
}

/* ---- the request -----------------------------------------------------------
 */

/* What is given; `*mark` is what stands before the next parameter. */
static void append_query(struct buffer *target, char *mark, const char *name,
                         struct text value)
{
    if (value.length == 0)
        return;
    buffer_append_char(target, *mark);
    *mark = '&';
    buffer_append_string(target, name);
    buffer_append_char(target, '=');
    url_append_escaped(target, value);
}

static void append_member(struct buffer *body, const char *name,
                          struct text value)
{
    buffer_append_string(body, name);
    json_append_string(body, value);
}

static void append_batch(struct buffer *body, const struct outgoing *events,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        append_member(body, "{\"data\":", events[i].data);
        if (events[i].type.length > 0)
            append_member(body, ",\"type\":", events[i].type);
        if (events[i].key.length > 0)
            append_member(body, ",\"key\":", events[i].key);
        if (events[i].time.length > 0)
            buffer_printf(body, ",\"time\":%.*s", TEXT_ARGS(events[i].time));
        buffer_append_string(body, "}\n");
    }
}

/* What an amendment is about. */
static void append_id(struct buffer *target, struct text id)
{
    if (id.length == 0)
        return;
    buffer_append_char(target, '/');
    buffer_append_text(target, id);
}

static const char *method_of(const struct outgoing *event)
{
    if (event->withdraws.length > 0)
        return "DELETE";
    return event->corrects.length > 0 ? "PUT" : "POST";
}

/* Fills target and, for a batch, body; returns what the body of the call is. */
static struct text prepare(struct http_way *way, const struct outgoing *events,
                           unsigned count)
{
    char mark = '?';

    way->target.length = 0;
    way->body.length = 0;
    buffer_append_string(&way->target, "/publish/");
    buffer_append_string(&way->target, way->channel);
    append_id(&way->target, events->corrects);
    append_id(&way->target, events->withdraws);
    if (count > 1) {
        append_batch(&way->body, events, count);
        return buffer_text(&way->body);
    }
    append_query(&way->target, &mark, "type", events->type);
    append_query(&way->target, &mark, "key", events->key);
    append_query(&way->target, &mark, "time", events->time);
    return events->data;
}

static void pause_as_told(const struct http_way *way)
{
    const struct text field = http_client_field(way->client, "Retry-After");
    unsigned pause_s = 1;

    if (field.length == 1 && field.bytes[0] >= '0' && field.bytes[0] <= '9')
        pause_s = (unsigned)(field.bytes[0] - '0');
    uv_sleep(1000 * (pause_s < PAUSE_MAX_S ? pause_s : PAUSE_MAX_S));
}

static enum status ask(struct http_way *way, const struct http_call *call,
                       unsigned *http_status_out)
{
    for (unsigned i = 1;; i++) {
        enum status st = http_client_ask(way->client, call, http_status_out);

        way->answer.length = 0;
        if (st == ST_OK)
            st = http_client_read_all(way->client, &way->answer);
        if (st != ST_OK || *http_status_out != HTTP_NOT_NOW || i == TRIES)
            return st;
        pause_as_told(way);
    }
}

/* ---- the answer ------------------------------------------------------------
 */

static void print_token(const struct json_tokens *json, int token)
{
    const struct text raw = json_raw(json, token);

    printf("%.*s\n", TEXT_ARGS(raw));
}

/* {"id":N} or {"ids":[N,...]} */
static int print_ids(const struct http_way *way)
{
    struct json_tokens json;
    int exit_code = EXIT_DONE;
    int id, ids;

    if (json_tokens_init(&json, buffer_text(&way->answer)) != ST_OK) {
        json_tokens_fini(&json);
        return cli_fail(EXIT_FAILED, "the server's answer is not understood");
    }
    id = json_member(&json, 0, "id");
    ids = json_member(&json, 0, "ids");
    if (id >= 0)
        print_token(&json, id);
    else if (json_is_array(&json, ids))
        for (int i = json_first(&json, ids); i >= 0;
             i = json_next(&json, ids, i))
            print_token(&json, i);
    else
        exit_code = cli_fail(EXIT_FAILED, "the server's answer has no id");
    json_tokens_fini(&json);
    return exit_code;
}

int http_way_send(struct http_way *way, const struct outgoing *events,
                  unsigned count)
{
    const struct http_field field = {"Content-Type",
                                     count > 1 ? "application/x-ndjson"
                                               : "text/plain; charset=utf-8"};
    const struct text body = prepare(way, events, count);
    const struct http_call call = {method_of(events), buffer_text(&way->target),
                                   &field, 1, body};
    unsigned http_status = 0;

    if (ask(way, &call, &http_status) != ST_OK)
        return cli_fail(EXIT_FAILED, "%s", http_client_why(way->client));
    if (http_status != HTTP_ALL_FINE && http_status != HTTP_IS_STORED)
        return cli_refused(http_status, buffer_text(&way->answer));
    return print_ids(way);
}
