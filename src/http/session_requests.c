/* session_requests.c -- what is asked about sessions themselves: protocol.md 8.
 *
 *     GET    /sessions/{name}        how far it is
 *     POST   /sessions/{name}/ack    its client has everything up to an id
 *     DELETE /sessions/{name}        it is not needed any more
 *
 * What changes something is answered when it is on the disk: the change is made
 * in memory, a publish without events is posted after it, and the commit that
 * answers it has the session's row. Where sessions are shared with other instances,
 * these are asked first what they know of it, and a change is answered when it is
 * in the stream besides; a removal is made only then.
 *
 * A page of another origin can make a browser send a POST with a form's content
 * types, but not one with JSON without asking first; so nothing else is taken.
 */
#include "access.h"
#include "ahead.h"
#include "resume.h"
#include "routes.h"
#include "session_calls.h"
#include "session_owner.h"
#include "session_subscribe.h"

#include "base/seeded_bug.h"
#include "wire/json_object.h"

#include <tidings/check.h>
#include <tidings/crew.h>

#include <stdlib.h>
#include <string.h>

enum { ACK_BODY_MAX = 4096 };

#define ID_MAX ((UINT64_C(1) << 53) - 1)

/* A change on its way to the disk. */
struct change {
    uint64_t id; /* of an ack: what it asks for, then what holds */
    bool has_id; /* in the query */
    bool is_removal;
    bool is_json;
    uint8_t name_bytes;
    char name[SESSION_NAME_MAX_BYTES];
    struct session_key key;
    /* What answered() does. */
    void (*then)(struct connection *connection, struct publish *publish);
    void (*act)(struct connection *connection, struct change *change);
};

static struct text name_of(const struct change *change)
{
    return (struct text){change->name, change->name_bytes};
}

static struct sessions *sessions_of(struct connection *connection)
{
    return journal_sessions(crew_journal(connection_crew(connection)));
}

/* ---- answers --------------------------------------------------------------- */

static void answer_json(struct connection *connection, struct buffer *body)
{
    buffer_append_string(body, "}\n");
    connection_answer(connection,
                      &(struct answer){
                          .status = 200,
                          .type = "application/json; charset=utf-8",
                          .headers = text_of("Cache-Control: no-store\r\n"),
                          .body = buffer_text(body),
                      });
    buffer_fini(body);
}

static void begin_json(struct text name, struct buffer *body)
{
    buffer_init(body);
    buffer_append_string(body, "{\"session\":");
    json_append_string(body, name);
}

static void append_number(struct buffer *out, const char *name, uint64_t number)
{
    buffer_append_string(out, ",\"");
    buffer_append_string(out, name);
    buffer_append_string(out, "\":");
    buffer_append_u64(out, number);
}

static void refuse(struct connection *connection, unsigned status,
                   const char *code, const char *message)
{
    connection_refuse(connection, status, code, message, text_of(""));
}

static void refuse_unknown(struct connection *connection)
{
    refuse(connection, 404, "not_found", "no such session");
}

static void answer_change(struct connection *connection,
                          const struct change *change)
{
    struct buffer body;

    begin_json(name_of(change), &body);
    if (change->is_removal)
        buffer_append_string(&body, ",\"removed\":true");
    else
        append_number(&body, "acked", change->id);
    answer_json(connection, &body);
}

/* ---- a change -------------------------------------------------------------- */

static void answer_result(struct connection *connection,
                          const struct change *change, enum status st)
{
    if (st == ST_OK)
        answer_change(connection, change);
    else
        session_refuse(connection, st);
}

/* The disk knows. */
static void stored(struct connection *connection, struct publish *publish)
{
    const enum status st = publish->result;

    publish_destroy(&publish);
    answer_result(connection, connection_role(connection), st);
}

/* Other instances know too, or do not: an acknowledgement holds here all the same,
 * and is told when that is possible. */
static void told(struct connection *connection, struct publish *publish)
{
    enum status st;
    const enum status shared = session_called(connection, publish, &st);

    if (shared != ST_OK)
        session_refuse(connection, shared);
    else
        answer_result(connection, connection_role(connection), st);
}

static void act_looked(struct connection *connection, struct change *change,
                       enum status st)
{
    if (session_goes_on(connection, session_key_text(&change->key), st))
        change->act(connection, change);
    else
        session_refuse_new(connection, st); /* others may know it */
}

static void looked(struct connection *connection, struct publish *publish)
{
    const enum status st = session_called(connection, publish, NULL);

    if (access_holds(connection))
        act_looked(connection, connection_role(connection), st);
    else
        access_refuse(connection); /* it waited for too long */
}

static void commit(struct connection *connection, struct change *change)
{
    struct publish *publish;
    enum status why = ST_OK;

    if (seeded_bug("session-ack-before-commit")) {
        answer_change(connection, change);
        return;
    }
    change->then = told;
    if (session_call(connection,
                     change->is_removal ? SESSION_REMOVE : SESSION_TELL,
                     session_key_text(&change->key), &why))
        return;
    if (why != ST_OK) {
        session_refuse(connection, why);
        return;
    }
    change->then = stored;
    publish = publish_create(0);
    if (connection_commit(connection, &publish, &why))
        return;
    publish_destroy(&publish);
    answer_result(connection, change, why);
}

/* The id as a number, or as the string that an EventSource knows it by. */
static bool read_id(struct text body, uint64_t *id_out)
{
    struct text value, inside;
    const struct json_wanted wanted[] = {{"id", &value}};
    const char *why;

    if (json_take_apart(body, wanted, 1, &why) != ST_OK)
        return false;
    if (json_string_inside(value, &inside))
        value = inside;
    return text_to_number(value, ID_MAX, id_out);
}

/* Of a stream that others have read further it is too early to say. */
static void refuse_unread(struct connection *connection, uint64_t id)
{
    if (ahead_is_plausible(connection_crew(connection), id))
        connection_refuse(connection, 503, "behind",
                          "this instance has not read that far yet",
                          text_of("Retry-After: 1\r\n"));
    else
        refuse(connection, 400, "bad_request",
               "the id is newer than the newest event");
}

static void acknowledge(struct connection *connection, struct change *change)
{
    struct session_view view;
    const struct text key = session_key_text(&change->key);

    if (!access_holds(connection)) { /* its body came late */
        access_refuse(connection);
        return;
    }
    if (sessions_find(sessions_of(connection), key, &view) != ST_OK) {
        refuse_unknown(connection);
        return;
    }
    if (change->id > view.sent &&
        !resume_is_known(connection_crew(connection), change->id)) {
        refuse_unread(connection, change->id);
        return;
    }
    if (sessions_ack(sessions_of(connection), key, change->id,
                     clock_wall_ms(&system_clock), &view) != ST_OK) {
        refuse_unknown(connection);
        return;
    }
    change->id = view.acked;
    commit(connection, change);
}

/* First what others know of it, then `act`. */
static void look_and(struct connection *connection, struct change *change,
                     void (*act)(struct connection *connection,
                                 struct change *change))
{
    enum status why;

    change->then = looked;
    change->act = act;
    if (!session_call(connection, SESSION_LOOK, session_key_text(&change->key),
                      &why))
        act_looked(connection, change, why);
}

static void on_body(struct connection *connection, struct text body)
{
    struct change *change = connection_role(connection);

    if (body.length > 0 && !change->is_json)
        refuse(connection, 415, "unsupported_media_type",
               "an acknowledgement is application/json, or has no body");
    else if (body.length > 0 ? !read_id(body, &change->id) : !change->has_id)
        refuse(connection, 400, "bad_request",
               "which id? {\"id\":N} as the body, or id=N in the query");
    else
        look_and(connection, change, acknowledge);
}

static void answered(struct connection *connection, struct publish *publish)
{
    const struct change *change = connection_role(connection);

    change->then(connection, publish);
}

static void destroy(struct connection *connection)
{
    free(connection_role(connection));
}

static const struct role_calls change_calls = {
    .name = "session change",
    .body = on_body,
    .answered = answered,
    .destroy = destroy,
};

static struct change *begin_change(struct connection *connection,
                                   struct text name,
                                   const struct session_key *key)
{
    struct change *change = must_calloc(1, sizeof *change);

    change->key = *key;
    memcpy(change->name, name.bytes, name.length);
    change->name_bytes = (uint8_t)name.length;
    connection_set_role(connection, &change_calls, change);
    return change;
}

/* ---- requests -------------------------------------------------------------- */

static void begin_ack(struct connection *connection, struct text name,
                      const struct session_key *key,
                      const struct handoff_request *request)
{
    struct parameters parameters = {{NULL, 0}, text_of(request->query)};
    struct change *change = begin_change(connection, name, key);
    struct text type = request_header(request, "Content-Type"), id;
    struct arena arena;
    enum status st;

    change->is_json =
        request_accepts(request, "Content-Type", "application/json");
    arena_init(&arena, strlen(request->query));
    st = parameter_find(&parameters, "id", &arena, &id);
    if (type.length > 0 && !change->is_json)
        refuse(connection, 415, "unsupported_media_type",
               "an acknowledgement is application/json, or has no body");
    else if (st != ST_OK ||
             (id.bytes != NULL && !text_to_number(id, ID_MAX, &change->id)))
        refuse(connection, 400, "bad_request", "id is an event's number");
    else {
        change->has_id = id.bytes != NULL;
        connection_read_body(connection, ACK_BODY_MAX);
    }
    arena_fini(&arena);
}

/* Shared, it goes when the stream has that. */
static void remove_session(struct connection *connection, struct change *change)
{
    struct sessions *sessions = sessions_of(connection);
    const struct text key = session_key_text(&change->key);
    struct session_view view;
    const enum status st = sessions_are_shared(sessions)
                               ? sessions_find(sessions, key, &view)
                               : sessions_remove(sessions, key);

    change->is_removal = true;
    if (st == ST_OK)
        commit(connection, change);
    else
        refuse_unknown(connection);
}

static void show(struct connection *connection, struct change *change)
{
    struct session_view view;
    struct buffer body;

    if (sessions_find(sessions_of(connection), session_key_text(&change->key),
                      &view) != ST_OK) {
        refuse_unknown(connection);
        return;
    }
    begin_json(name_of(change), &body);
    append_number(&body, "acked", view.acked);
    append_number(&body, "sent", view.sent);
    append_number(&body, "updated", (uint64_t)view.touched_ms);
    answer_json(connection, &body);
}

static void refuse_method(struct connection *connection, const char *allowed)
{
    connection_refuse(connection, 405, "method_not_allowed",
                      "this path does not take that method", text_of(allowed));
}

/* "/sessions/{name}" or "/sessions/{name}/ack". */
static struct text split_path(const char *raw_path, bool *is_ack_out)
{
    static const char ending[] = "/ack";
    const size_t ending_length = sizeof ending - 1;
    struct text name = text_of(raw_path + strlen("/sessions"));

    if (name.length > 0) {
        name.bytes++;
        name.length--;
    }
    *is_ack_out = name.length >= ending_length &&
                  memcmp(name.bytes + name.length - ending_length, ending,
                         ending_length) == 0;
    if (*is_ack_out)
        name.length -= ending_length;
    return name;
}

void session_handle(const struct http_context *context,
                    struct connection *connection,
                    const struct handoff_request *request)
{
    const bool is_post = strcmp(request->method, "POST") == 0;
    bool is_ack;
    const struct text name = split_path(request->raw_path, &is_ack);
    struct session_key key;

    (void)context;
    if (session_admit(name) != ST_OK)
        refuse(connection, 400, "bad_request", SESSION_NAME_RULE);
    else if (is_ack && !is_post)
        refuse_method(connection, "Allow: POST, OPTIONS\r\n");
    else if (is_post && !is_ack)
        refuse_method(connection, "Allow: GET, HEAD, DELETE, OPTIONS\r\n");
    else if (!session_own(connection, name, &key))
        return;
    else if (is_ack)
        begin_ack(connection, name, &key, request);
    else if (strcmp(request->method, "DELETE") == 0)
        look_and(connection, begin_change(connection, name, &key),
                 remove_session);
    else
        look_and(connection, begin_change(connection, name, &key), show);
}
