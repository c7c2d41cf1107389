/* publish_request.c -- events in by HTTP: POST /publish/{channel}; by PUT and
 * DELETE of /publish/{channel}/{id} an event is corrected or withdrawn.
 *
 *     head        channel, type, key, time and the body's kind are noted
 *     body        read by the crew; becomes one event, or one per line (NDJSON)
 *     COMMITTING  the journal has it; all of it or nothing
 *     answer      201 with the id, 200 if the key was seen or an event was
 *                 amended, or why not
 *
 * Everything is checked before anything is posted, and nothing is answered
 * before it is on disk.
 */
#include "access.h"
#include "over_limit.h"
#include "quota.h"
#include "routes.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/config.h>
#include <tidings/crew.h>
#include <tidings/wire.h>

#include <stdlib.h>
#include <string.h>

enum { BATCH_EVENTS_MAX = 10000 };

#define ID_MAX UINT64_C(9007199254740991) /* 2^53 - 1 */

struct publish_request {
    const struct config *config;
    const struct intake_check *intake;
    struct arena arena;
    struct text channel, type, key;
    int64_t time_ms;
    bool is_batch; /* application/x-ndjson */
    bool has_type; /* also an empty one */
    bool is_amendment;
    enum amendment_kind kind; /* of an amendment */
    uint64_t amended_id;
};

static struct publish_request *request_of(struct connection *connection)
{
    return connection_role(connection);
}

static void destroy(struct connection *connection)
{
    struct publish_request *request = request_of(connection);

    arena_fini(&request->arena);
    free(request);
}

static void refuse(struct connection *connection, unsigned status,
                   const char *code, const char *message)
{
    struct text headers = text_of(status == 503 ? "Retry-After: 1\r\n" : "");

    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_http_publish_refused, 1);
    connection_refuse(connection, status, code, message, headers);
}

/* ---- the answer
 * ------------------------------------------------------------------ */

/* clang-format off */
/*     result      status  code            message                                     */
#define RESULTS(R)                                                                      \
    R(NO_SPACE,    507,    "no_space",     "the disk is full; nothing was stored")      \
    R(FULL,        503,    "overload",     "too much is waiting; come back in a moment")\
    R(CLOSED,      503,    "stopping",     "the server is stopping; nothing was stored")\
    R(TIMEOUT,     503,    "not_acknowledged", "the stream has not answered in time; it may be stored, try again with the same key") \
    R(BUSY,        503,    "stream_refuses", "the stream cannot take it now; nothing was stored") \
    R(BAD_INPUT,   400,    "bad_request",  "the event is malformed")                    \
    R(TOO_BIG,     413,    "too_big",      "the event is over the limit")                \
    R(NOT_FOUND,   404,    "not_found",    "that channel keeps no such event")           \
    R(RESERVED,    409,    "reserved",     "Tidings' own events cannot be amended")      \
    R(WITHDRAWN,   410,    "withdrawn",    "the event was withdrawn")
/* clang-format on */

static void refuse_result(struct connection *connection, enum status st)
{
#define R(name, number, code, message)                                         \
    if (st == ST_##name) {                                                     \
        refuse(connection, number, code, message);                             \
        return;                                                                \
    }
    RESULTS(R)
#undef R
    refuse(connection, 500, "journal", "the journal could not store it");
}

static void append_id(const struct event *event, struct buffer *body)
{
    buffer_append_string(body, "{\"id\":");
    buffer_append_u64(body, event->id);
    if (event->amends == NULL)
        return;
    buffer_append_string(body, ",\"");
    buffer_append_string(body, amendment_member(event->amends->kind));
    buffer_append_string(body, "\":");
    buffer_append_u64(body, event->amends->id);
}

static void append_ids(const struct publish *publish, bool is_batch,
                       struct buffer *body)
{
    if (!is_batch) {
        append_id(publish->events[0], body);
    } else {
        buffer_append_string(body, "{\"ids\":[");
        for (unsigned i = 0; i < publish->count; i++) {
            if (i > 0)
                buffer_append_char(body, ',');
            buffer_append_u64(body, publish->events[i]->id);
        }
        buffer_append_char(body, ']');
    }
    buffer_append_string(body, "}\n");
}

/* One that was refused may have an id all the same. */
static bool is_stored(const struct event *event)
{
    return event->id != 0 && event->refused == ST_OK;
}

static unsigned count_taken(const struct publish *publish)
{
    unsigned count = 0;

    for (unsigned i = 0; i < publish->count; i++)
        count += is_stored(publish->events[i]);
    return count;
}

/* Only a stream takes a batch in part: it says which, and a retry with keys puts
 * in the rest. */
static void refuse_rest(struct connection *connection,
                        const struct publish *publish)
{
    struct buffer body;

    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_http_publish_refused, 1);
    buffer_init(&body);
    buffer_printf(
        &body,
        "{\"error\":\"partly_stored\",\"message\":\"the stream took %u "
        "of %u events; try again with the same keys\",\"ids\":[",
        count_taken(publish), publish->count);
    for (unsigned i = 0; i < publish->count; i++) {
        if (i > 0)
            buffer_append_char(&body, ',');
        if (is_stored(publish->events[i]))
            buffer_append_u64(&body, publish->events[i]->id);
        else
            buffer_append_string(&body, "null");
    }
    buffer_append_string(&body, "]}\n");
    connection_answer(connection,
                      &(struct answer){.status = 503,
                                       .type = "application/problem+json",
                                       .headers = text_of("Retry-After: 1\r\n"),
                                       .body = buffer_text(&body)});
    buffer_fini(&body);
}

static unsigned count_new(const struct publish *publish)
{
    unsigned count = 0;

    for (unsigned i = 0; i < publish->count; i++)
        count += publish->events[i]->is_duplicate == 0;
    return count;
}

static void answered(struct connection *connection, struct publish *publish)
{
    struct publish_request *request = request_of(connection);
    unsigned new_count;
    bool is_created;
    struct buffer body;

    if (publish->result != ST_OK && request->intake->publish != NULL &&
        count_taken(publish) > 0) {
        refuse_rest(connection, publish);
        publish_destroy(&publish);
        return;
    }
    if (publish->result == ST_FULL) { /* of the journal: waiting is in vain */
        metrics_add(crew_metrics(connection_crew(connection)),
                    METRIC_over_channels_max, 1);
        refuse(connection, 507, "channels_full",
               "there are as many channels as there may be");
        publish_destroy(&publish);
        return;
    }
    if (publish->result != ST_OK) {
        refuse_result(connection, publish->result);
        publish_destroy(&publish);
        return;
    }
    new_count = count_new(publish);
    is_created = new_count > 0 && !request->is_amendment;
    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_http_published, new_count);
    buffer_init(&body);
    append_ids(publish, request->is_batch, &body);
    connection_answer(connection, &(struct answer){
                                      .status = is_created ? 201 : 200,
                                      .type = "application/json",
                                      .body = buffer_text(&body),
                                  });
    buffer_fini(&body);
    publish_destroy(&publish);
}

/* ---- the body
 * --------------------------------------------------------------------- */

static void commit(struct connection *connection, struct publish **publish)
{
    enum status why = ST_OK;
    int64_t wait_ms = 0;
    enum limit limit = quota_publish(connection, *publish, &wait_ms);
    const struct intake_check *intake = request_of(connection)->intake;
    bool is_taken;

    if (limit != LIMIT_NONE) {
        publish_destroy(publish);
        metrics_add(crew_metrics(connection_crew(connection)),
                    METRIC_http_publish_refused, 1);
        over_limit_refuse(connection, limit, wait_ms);
        return;
    }
    is_taken = intake->publish != NULL
                   ? connection_commit_by(connection, intake->publish,
                                          intake->publish_arg, publish, &why)
                   : connection_commit(connection, publish, &why);
    if (is_taken)
        return;
    publish_destroy(publish);
    refuse_result(connection, why);
}

static bool may_publish(struct connection *connection, struct text channel)
{
    return access_may(connection, RIGHT_PUBLISH, channel);
}

static void refuse_access(struct connection *connection)
{
    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_http_publish_refused, 1);
    access_refuse(connection);
}

/* One line of a batch, checked; the route's channel, type are the defaults.
 * ST_NOT_FOUND: no right to its channel. */
static enum status read_line(struct connection *connection, struct text line,
                             struct event **event_out, const char **why)
{
    const struct publish_request *request = request_of(connection);
    struct batch_line parsed;
    struct text channel, type;
    enum status st = batch_line_parse(line, &parsed, why);

    if (st != ST_OK)
        return st;
    channel = parsed.channel.length > 0 ? parsed.channel : request->channel;
    type = parsed.type.length > 0 ? parsed.type : request->type;
    st = ST_BAD_INPUT;
    if (!channel_name_is_valid(channel))
        *why = "a line names no valid channel, nor does the path";
    else if (!may_publish(connection, channel) &&
             !seeded_bug("batch-line-unchecked"))
        st = ST_NOT_FOUND;
    else if (!event_type_is_valid(type) || event_type_is_reserved(type))
        *why = "a line's type is not valid or is reserved";
    else if (parsed.key.length > EVENT_KEY_MAX_BYTES)
        *why = "a line's key is over 256 bytes";
    else if (parsed.data.length > (size_t)request->config->event_max_bytes) {
        metrics_add(crew_metrics(connection_crew(connection)),
                    METRIC_over_event_max_bytes, 1);
        *why = "a line's data is over the limit";
    } else if (!utf8_is_valid(parsed.data) || !utf8_is_valid(parsed.key))
        *why = "a line is not UTF-8";
    else {
        st = ST_OK;
        *event_out = event_create(channel, type, parsed.data, parsed.key);
        (*event_out)->time_ms = parsed.time_ms;
    }
    buffer_fini(&parsed.scratch);
    return st;
}

static struct text next_line(struct text *rest)
{
    const char *end = memchr(rest->bytes, '\n', rest->length);
    struct text line = *rest;
    size_t used = rest->length;

    if (end != NULL) {
        line.length = (size_t)(end - rest->bytes);
        used = line.length + 1;
    }
    rest->bytes += used;
    rest->length -= used;
    if (line.length > 0 && line.bytes[line.length - 1] == '\r')
        line.length--;
    return line;
}

static unsigned count_lines(struct text body)
{
    unsigned count = 0;

    while (body.length > 0)
        count += next_line(&body).length > 0;
    return count;
}

static void commit_batch(struct connection *connection, struct text body)
{
    unsigned count = count_lines(body), filled = 0;
    const char *why = "a batch has at least one line";
    enum status st = ST_OK;
    struct publish *publish;

    if (count == 0 || count > BATCH_EVENTS_MAX) {
        refuse(connection, count == 0 ? 400 : 413,
               count == 0 ? "bad_request" : "too_big",
               count == 0 ? why : "a batch has at most 10,000 lines");
        return;
    }
    publish = publish_create(count);
    while (st == ST_OK && body.length > 0) {
        struct text line = next_line(&body);

        if (line.length > 0)
            st = read_line(connection, line, &publish->events[filled++], &why);
    }
    if (st == ST_OK) {
        commit(connection, &publish);
        return;
    }
    publish_destroy(&publish);
    if (st == ST_NOT_FOUND)
        refuse_access(connection);
    else
        refuse(connection, 400, "bad_request", why);
}

/* One event, or what is to stand in the place of one. */
static struct publish *make_publish(const struct publish_request *request,
                                    struct text data)
{
    struct publish *publish = publish_create(1);
    struct event *event =
        event_create(request->channel, request->type, data, request->key);

    event->time_ms = request->time_ms;
    if (request->is_amendment)
        event_set_amendment(event, request->kind, request->amended_id,
                            request->has_type);
    publish->events[0] = event;
    return publish;
}

static void on_body(struct connection *connection, struct text body)
{
    struct publish_request *request = request_of(connection);
    struct publish *publish;

    if (!access_holds(connection)) { /* the body came late */
        refuse_access(connection);
        return;
    }
    if (request->is_batch) {
        commit_batch(connection, body);
        return;
    }
    if (request->is_amendment && request->kind == AMENDMENT_WITHDRAWAL)
        body = text_of("");
    if (body.length > (size_t)request->config->event_max_bytes) {
        metrics_add(crew_metrics(connection_crew(connection)),
                    METRIC_over_event_max_bytes, 1);
        refuse(connection, 413, "too_big", "the event is over the limit");
        return;
    }
    if (!utf8_is_valid(body)) {
        refuse(connection, 400, "bad_request", "the data is not UTF-8");
        return;
    }
    publish = make_publish(request, body);
    commit(connection, &publish);
}

static const struct role_calls publish_calls = {
    .name = "publish",
    .body = on_body,
    .answered = answered,
    .destroy = destroy,
};

/* ---- the head
 * ----------------------------------------------------------------------- */

/* Cuts the last segment off and reads it. */
static bool read_amended_id(struct publish_request *publish, struct text *path)
{
    struct text id = {path->bytes + path->length, 0};

    while (path->length > 0 && id.bytes[-1] != '/') {
        id.bytes--;
        id.length++;
        path->length--;
    }
    if (path->length == 0)
        return false;
    path->length--;
    return text_to_number(id, ID_MAX, &publish->amended_id);
}

static const char *read_path(struct publish_request *publish,
                             const char *raw_path)
{
    struct text segment = text_of(raw_path + strlen("/publish"));

    if (segment.length > 0 && segment.bytes[0] == '/') {
        segment.bytes++;
        segment.length--;
    }
    if (publish->is_amendment && !read_amended_id(publish, &segment))
        return "an event is named by its channel and id: "
               "/publish/{channel}/{id}";
    publish->channel = arena_copy(&publish->arena, segment);
    if (segment.length == 0 && publish->is_batch)
        return NULL; /* each line names its own */
    return channel_name_is_valid(publish->channel)
               ? NULL
               : "a channel is tokens of A-Z a-z 0-9 _ - joined by dots, 1 to "
                 "200 bytes: /publish/{channel}";
}

/* A header, else the parameter; empty if there is neither. */
static enum status read_word(struct publish_request *publish,
                             const struct handoff_request *request,
                             const char *header, const char *parameter,
                             struct text *word_out)
{
    struct parameters parameters = {{NULL, 0}, text_of(request->query)};
    struct text word = request_header(request, header);

    if (word.bytes != NULL) {
        *word_out = arena_copy(&publish->arena, word);
        return ST_OK;
    }
    return parameter_find(&parameters, parameter, &publish->arena, word_out);
}

static const char *read_words(struct publish_request *publish,
                              const struct handoff_request *request)
{
    struct text time = {NULL, 0};
    uint64_t time_ms = 0;

    if (read_word(publish, request, "Event-Type", "type", &publish->type) !=
            ST_OK ||
        read_word(publish, request, "Idempotency-Key", "key", &publish->key) !=
            ST_OK ||
        read_word(publish, request, "Event-Time", "time", &time) != ST_OK)
        return "a parameter has a bad percent-escape";
    publish->has_type = publish->type.bytes != NULL;
    if (!event_type_is_valid(publish->type))
        return "a type is at most 128 bytes of UTF-8 without controls";
    if (event_type_is_reserved(publish->type))
        return "types that start with tidings. are reserved";
    if (publish->key.length > EVENT_KEY_MAX_BYTES ||
        !utf8_is_valid(publish->key))
        return "a key is at most 256 bytes of UTF-8";
    if (time.length > 0 && !text_to_number(time, 99999999999999u, &time_ms))
        return "the time is unix milliseconds";
    publish->time_ms = (int64_t)time_ms;
    return NULL;
}

static void read_method(struct publish_request *publish, const char *method)
{
    const bool is_withdrawal = strcmp(method, "DELETE") == 0;

    publish->is_amendment = is_withdrawal || strcmp(method, "PUT") == 0;
    publish->kind = is_withdrawal ? AMENDMENT_WITHDRAWAL : AMENDMENT_CORRECTION;
}

/* Before the body is read; the lines of a batch name their channels later. */
static bool is_allowed(struct connection *connection,
                       const struct publish_request *publish)
{
    if (publish->is_batch)
        return !crew_needs_tokens(connection_crew(connection)) ||
               connection_grant(connection) != NULL;
    return may_publish(connection, publish->channel) ||
           (publish->is_amendment && seeded_bug("amend-unchecked"));
}

void publish_handle(const struct http_context *context,
                    struct connection *connection,
                    const struct handoff_request *request)
{
    struct publish_request *publish = must_calloc(1, sizeof *publish);
    size_t size = strlen(request->raw_path) + 3 * strlen(request->query);
    const char *why;

    for (unsigned i = 0; i < request->header_count; i++)
        size += strlen(request->headers[i].value);
    arena_init(&publish->arena, size);
    publish->config = context->config;
    publish->intake = &context->intake;
    read_method(publish, request->method);
    publish->is_batch =
        !publish->is_amendment &&
        request_accepts(request, "Content-Type", "application/x-ndjson");
    connection_set_role(connection, &publish_calls, publish);
    why = read_path(publish, request->raw_path);
    if (why == NULL)
        why = read_words(publish, request);
    if (why != NULL)
        refuse(connection, 400, "bad_request", why);
    else if (!is_allowed(connection, publish))
        refuse_access(connection);
    else
        connection_read_body(connection,
                             (size_t)context->config->body_max_bytes);
}
