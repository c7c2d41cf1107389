/* admin.c -- what an operator and a load balancer ask.
 *
 * Figures are asked for at the moment of the question; nothing is kept for
 * them.
 */
#include "access.h"
#include "routes.h"

#include "base/seeded_bug.h"

#include <tidings/crew.h>
#include <tidings/presence.h>

#include <stdlib.h>
#include <string.h>

enum { CHANNELS_LISTED_MAX = 100000 };

static void answer_json(struct connection *connection, unsigned status,
                        const struct buffer *body)
{
    connection_answer(connection,
                      &(struct answer){
                          .status = status,
                          .type = "application/json; charset=utf-8",
                          .headers = text_of("Cache-Control: no-store\r\n"),
                          .body = buffer_text(body),
                      });
}

/* ---- channels
 * ------------------------------------------------------------------- */

static void append_number(struct buffer *out, const char *name, uint64_t number)
{
    buffer_append_string(out, ",\"");
    buffer_append_string(out, name);
    buffer_append_string(out, "\":");
    buffer_append_u64(out, number);
}

/* `presence` NULL: nobody tells of other instances. */
static void append_total(struct buffer *out, struct presence *presence,
                         struct text name)
{
    uint32_t local, total = 0;

    if (presence == NULL)
        return;
    (void)presence_counts(presence, name, &local, &total);
    append_number(out, "subscribers_total", total);
}

static void append_channel(struct buffer *out, struct presence *presence,
                           const struct channel_entry *entry)
{
    buffer_append_string(out, "{\"channel\":");
    json_append_string(out, channel_entry_name(entry));
    append_number(out, "first_id", atomic_load(&entry->first_id));
    append_number(out, "last_id", atomic_load(&entry->last_id));
    append_number(out, "count", atomic_load(&entry->count));
    append_number(out, "bytes", atomic_load(&entry->bytes));
    append_number(out, "subscribers", atomic_load(&entry->subscribers));
    append_total(out, presence, channel_entry_name(entry));
    buffer_append_char(out, '}');
}

/* A channel that had no event is known while somebody listens there. */
static void append_if_known(struct buffer *out, struct presence *presence,
                            const struct channel_entry *entry, struct text name)
{
    uint32_t local, total;

    if (entry != NULL && atomic_load(&entry->last_id) != 0) {
        append_channel(out, presence, entry);
        return;
    }
    if (presence == NULL || !presence_counts(presence, name, &local, &total))
        return;
    buffer_append_string(out, "{\"channel\":");
    json_append_string(out, name);
    buffer_append_string(out, ",\"first_id\":0,\"last_id\":0,\"count\":0,"
                              "\"bytes\":0");
    append_number(out, "subscribers", local);
    append_number(out, "subscribers_total", total);
    buffer_append_char(out, '}');
}

/* Of what one may not read one does not hear. */
static bool may_see(struct connection *connection, struct text name)
{
    return access_may(connection, RIGHT_SUBSCRIBE, name) ||
           seeded_bug("listing-unchecked");
}

struct listing {
    struct presence *presence;
    struct connection *connection;
    struct text match;
    struct buffer *out;
    unsigned count;
};

static void list_one(void *arg, struct channel_entry *entry)
{
    struct listing *listing = arg;

    /* An entry whose first commit failed has no event yet. */
    if (listing->count == CHANNELS_LISTED_MAX ||
        atomic_load(&entry->last_id) == 0 ||
        (listing->match.length > 0 &&
         !selector_matches(listing->match, channel_entry_name(entry))) ||
        !may_see(listing->connection, channel_entry_name(entry)))
        return;
    if (listing->count++ > 0)
        buffer_append_char(listing->out, ',');
    append_channel(listing->out, listing->presence, entry);
}

static void list_channels(const struct http_context *context,
                          struct connection *connection,
                          const struct handoff_request *request)
{
    struct parameters parameters = {{NULL, 0}, text_of(request->query)};
    struct listing listing = {.presence = context->presence,
                              .connection = connection};
    struct arena arena;
    struct buffer body;

    arena_init(&arena, strlen(request->query));
    buffer_init(&body);
    listing.out = &body;
    if (parameter_find(&parameters, "match", &arena, &listing.match) != ST_OK ||
        (listing.match.length > 0 && !selector_is_valid(listing.match))) {
        connection_refuse(connection, 400, "bad_request",
                          "match is a channel or a pattern", text_of(""));
    } else {
        buffer_append_string(&body, "{\"channels\":[");
        registry_each(journal_registry(context->journal), list_one, &listing);
        buffer_append_string(&body, "]}\n");
        answer_json(connection, 200, &body);
    }
    buffer_fini(&body);
    arena_fini(&arena);
}

void admin_channels(const struct http_context *context,
                    struct connection *connection,
                    const struct handoff_request *request)
{
    struct text name = text_of(request->raw_path + strlen("/channels"));
    const struct channel_entry *entry;
    struct buffer body;

    if (name.length <= 1 && !access_may_ask(connection)) {
        access_refuse(connection);
        return;
    }
    if (name.length <= 1) {
        list_channels(context, connection, request);
        return;
    }
    name.bytes++;
    name.length--;
    entry = channel_name_is_valid(name)
                ? registry_find(journal_registry(context->journal), name)
                : NULL;
    if (seeded_bug("channel-betrayed") && entry == NULL) {
        connection_refuse(connection, 404, "not_found", "no such channel",
                          text_of(""));
        return;
    }
    buffer_init(&body);
    if (channel_name_is_valid(name) && may_see(connection, name))
        append_if_known(&body, context->presence, entry, name);
    if (body.length == 0) {
        access_refuse(connection);
        return;
    }
    buffer_append_char(&body, '\n');
    answer_json(connection, 200, &body);
    buffer_fini(&body);
}

/* ---- health
 * ----------------------------------------------------------------------- */

void admin_health(const struct http_context *context,
                  struct connection *connection,
                  const struct handoff_request *request)
{
    (void)context;
    (void)request;
    connection_answer(connection,
                      &(struct answer){
                          .status = 200,
                          .type = "application/json; charset=utf-8",
                          .headers = text_of("Cache-Control: no-store\r\n"),
                          .body = text_of("{\"status\":\"ok\"}\n"),
                      });
}

static void answer_ready(struct connection *connection, bool is_ready)
{
    struct buffer body;

    buffer_init(&body);
    buffer_printf(&body, "{\"ready\":%s}\n", is_ready ? "true" : "false");
    answer_json(connection, is_ready ? 200 : 503, &body);
    buffer_fini(&body);
}

static const char *stream_state(const struct http_context *context)
{
    const struct intake_check *intake = &context->intake;

    return intake->stream_state != NULL ? intake->stream_state(intake->arg)
                                        : "not configured";
}

/* What stands there is ours: no character needs escaping. */
static void append_alarm(const struct http_context *context,
                         struct buffer *body)
{
    const struct intake_check *intake = &context->intake;
    const char *alarm =
        intake->stream_alarm != NULL ? intake->stream_alarm(intake->arg) : NULL;

    if (alarm == NULL)
        buffer_append_string(body, ",\"alarm\":null");
    else
        buffer_printf(body, ",\"alarm\":\"the stream: %s\"", alarm);
}

void admin_ready(const struct http_context *context,
                 struct connection *connection,
                 const struct handoff_request *request)
{
    struct journal_figures figures;
    bool has_nats = context->intake.is_ready != NULL;
    bool is_connected =
        has_nats && context->intake.is_ready(context->intake.arg);
    bool has_room, is_ready;
    struct buffer body;

    journal_figures(context->journal, &figures);
    has_room = figures.mailbox_count <
               (uint64_t)context->config->journal_queue_events / 2 + 1;
    is_ready = figures.can_commit && has_room && (!has_nats || is_connected);
    if (!access_is_operator(connection, request)) {
        answer_ready(connection, is_ready);
        return;
    }
    buffer_init(&body);
    buffer_printf(&body,
                  "{\"ready\":%s,\"checks\":{\"journal\":\"%s\","
                  "\"nats\":\"%s\",\"stream\":\"%s\",\"ingest\":\"%s\"}",
                  is_ready ? "true" : "false",
                  figures.can_commit ? "ok" : "cannot commit",
                  !has_nats      ? "not configured"
                  : is_connected ? "ok"
                                 : "not connected",
                  stream_state(context), has_room ? "ok" : "lagging");
    append_alarm(context, &body);
    /* Intake goes on during a shutdown: ready all the same. */
    buffer_printf(&body, ",\"shutdown\":%s}\n",
                  crew_is_shut(connection_crew(connection)) ? "true" : "false");
    answer_json(connection, is_ready ? 200 : 503, &body);
    buffer_fini(&body);
}

/* ---- metrics
 * ------------------------------------------------------------------------ */

/* clang-format off */
/*    figure            type            help */
#define JOURNAL_METRICS(M)                                                                   \
    M(commits,          "counter", "transactions committed")                                 \
    M(events,           "counter", "events written")                                         \
    M(duplicates,       "counter", "events left out because their key was seen")             \
    M(trimmed,          "counter", "events that retention removed")                          \
    M(no_space,         "counter", "transactions given up because the disk or map was full") \
    M(stored_bytes,     "gauge",   "bytes of the events that are kept")                      \
    M(commit_us,        "counter", "microseconds spent in commits")                          \
    M(oldest_id,        "gauge",   "oldest event kept")                                      \
    M(last_id,          "gauge",   "newest event")                                           \
    M(sessions,         "gauge",   "sessions whose position is kept")                        \
    M(sessions_owed,    "gauge",   "of these, those of which the stream does not have all yet") \
    M(sessions_left_out, "counter", "told by the stream beyond sessions_max: they are asked for when they are used") \
    M(mailbox_count,    "gauge",   "publishes that wait for the journal")                    \
    M(mailbox_refused,  "counter", "publishes refused because too many waited")
/* clang-format on */

void admin_metrics(const struct http_context *context,
                   struct connection *connection,
                   const struct handoff_request *request)
{
    struct journal_figures figures;
    struct buffer body;

    if (!access_is_operator(connection, request)) {
        access_refuse_operator(connection);
        return;
    }
    journal_figures(context->journal, &figures);
    buffer_init(&body);
    metrics_append(&body);
#define M(figure, type, help)                                                  \
    metrics_append_figure(&body, "journal_" #figure, type, help,               \
                          figures.figure);
    JOURNAL_METRICS(M)
#undef M
    connection_answer(connection,
                      &(struct answer){
                          .status = 200,
                          .type = "text/plain; version=0.0.4; charset=utf-8",
                          .headers = text_of("Cache-Control: no-store\r\n"),
                          .body = buffer_text(&body),
                      });
    buffer_fini(&body);
}
