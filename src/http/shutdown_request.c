/* shutdown_request.c -- /admin/shutdown: asked by an operator, done by main.
 *
 *     GET      what holds
 *     POST     {"until":"2014-03-02T22:00:00Z"}: from now until then
 *     DELETE   over now; the rest of a window of the schedule, too
 *
 * Who may, with `admin = loopback`: programs on this machine, with keys
 * configured only those with a token that has the claim admin; with
 * `admin = token` whoever has such a token. A proxy on this machine speaks for
 * the world, so what says that it was forwarded is no program here. Neither is
 * a browser's page, unless it is the server's own: any page can make a
 * browser send requests here, and by a name of its own that means this machine
 * even ones that look like our own page's (DNS rebinding). So a page's request
 * must name this machine in Host, too.
 *
 * Main writes the file, which may take its time; the connection waits for it
 * and cannot be given up meanwhile.
 */
#include "access.h"
#include "origins.h"
#include "routes.h"

#include "base/seeded_bug.h"

#include <tidings/announcement.h>
#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/crew.h>
#include <tidings/origin.h>
#include <tidings/shutdown.h>

#include <stdlib.h>
#include <string.h>

enum { ORDER_BYTES_MAX = 1024 };

struct shutdown_request {
    struct shutdown *shutdown;
    struct shutdown_question question;
};

static struct shutdown_request *request_of(struct connection *connection)
{
    return connection_role(connection);
}

static void destroy(struct connection *connection)
{
    free(request_of(connection));
}

/* ---- who may
 * --------------------------------------------------------------------- */

static bool names_this_machine(struct text host)
{
    static const char *const names[] = {"http://localhost", "http://127.0.0.1",
                                        "http://[::1]"};
    size_t port = host.length;

    while (port > 0 && host.bytes[port - 1] >= '0' &&
           host.bytes[port - 1] <= '9')
        port--;
    if (port > 0 && port < host.length && host.bytes[port - 1] == ':')
        host.length = port - 1;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (origin_is_of_host(text_of(names[i]), host))
            return true;
    return false;
}

static bool is_own_page(const struct handoff_request *request)
{
    struct text origin = request_header(request, "Origin");
    struct text host = request_header(request, "Host");

    return origin.bytes == NULL ||
           (host.bytes != NULL && origin_is_of_host(origin, host) &&
            names_this_machine(host));
}

/* NULL: yes. */
static const char *why_not(const struct http_context *context,
                           const struct connection *connection,
                           const struct handoff_request *request)
{
    if (strcmp(context->config->admin, "off") == 0)
        return "the setting admin is off";
    if (strcmp(context->config->admin, "token") == 0)
        return NULL; /* it is looked at next */
    if (!access_is_local(connection, request))
        return "only programs on the server's machine may do this";
    if (!is_own_page(request) && !seeded_bug("shutdown-foreign-page"))
        return "only the server's own pages may do this, on its machine";
    return NULL;
}

/* ---- the answer
 * ------------------------------------------------------------------ */

static void append_time(struct buffer *out, const char *name, int64_t wall_ms)
{
    buffer_append_string(out, name);
    buffer_append_char(out, '"');
    time_append_iso(out, wall_ms);
    buffer_append_char(out, '"');
}

static void append_state(struct buffer *out,
                         const struct shutdown_question *question)
{
    int64_t until_ms = question->shut_until_ms;

    if (until_ms == 0) {
        buffer_append_string(out, "{\"active\":false");
    } else {
        append_time(out, "{\"active\":true,\"until\":", until_ms);
        buffer_append_string(out, ",\"until_secs\":");
        buffer_append_u64(out, (uint64_t)announcement_seconds(
                                   until_ms, clock_wall_ms(&system_clock)));
    }
    if (question->next.begin_ms != 0) {
        append_time(out, ",\"next\":{\"begin\":", question->next.begin_ms);
        append_time(out, ",\"end\":", question->next.end_ms);
        buffer_append_char(out, '}');
    }
    buffer_append_string(out, "}\n");
}

static void done(struct connection *connection)
{
    const struct shutdown_question *question =
        &request_of(connection)->question;
    struct buffer body;

    if (question->st != ST_OK) {
        connection_refuse(connection, question->st == ST_NO_SPACE ? 507 : 500,
                          "not_written",
                          "shutdown.txt in the data directory could not be "
                          "written; nothing changed",
                          text_of(""));
        return;
    }
    buffer_init(&body);
    append_state(&body, question);
    connection_answer(connection,
                      &(struct answer){
                          .status = 200,
                          .type = "application/json; charset=utf-8",
                          .headers = text_of("Cache-Control: no-store\r\n"),
                          .body = buffer_text(&body),
                      });
    buffer_fini(&body);
}

/* ---- the question
 * ---------------------------------------------------------------- */

/* Once posted it is main's, which may answer at once: the wait comes first. */
static void ask(struct connection *connection)
{
    struct shutdown_request *request = request_of(connection);
    enum status st;

    request->question.connection = connection;
    connection_await(connection);
    st = shutdown_ask(request->shutdown, &request->question);
    if (st == ST_OK)
        return;
    connection_refuse(connection, 503,
                      st == ST_CLOSED ? "stopping" : "overload",
                      "the server is stopping or busy; come back in a moment",
                      text_of("Retry-After: 2\r\n"));
}

static void on_order(struct connection *connection, struct text body)
{
    struct shutdown_question *question = &request_of(connection)->question;
    const char *why = "";
    enum status st = announcement_read_order(body, &question->until_ms, &why);

    if (!access_holds(connection)) { /* the body came late */
        access_refuse_operator(connection);
        return;
    }
    if (st == ST_OK)
        st = announcement_check(question->until_ms,
                                clock_wall_ms(&system_clock), &why);
    if (st == ST_OK)
        ask(connection);
    else
        connection_refuse(connection, 400, "bad_request", why, text_of(""));
}

static const struct role_calls shutdown_calls = {
    .name = "shutdown",
    .body = on_order,
    .done = done,
    .destroy = destroy,
};

static enum shutdown_wish wish_of(const char *method)
{
    if (strcmp(method, "POST") == 0)
        return SHUTDOWN_BEGIN;
    return strcmp(method, "DELETE") == 0 ? SHUTDOWN_CANCEL : SHUTDOWN_TELL;
}

void admin_shutdown(const struct http_context *context,
                    struct connection *connection,
                    const struct handoff_request *request)
{
    const char *why = why_not(context, connection, request);
    struct shutdown_request *asked;

    if (why != NULL) {
        connection_refuse(connection, 403, "forbidden", why, text_of(""));
        return;
    }
    if (crew_needs_tokens(connection_crew(connection)) &&
        !access_is_admin(connection) && !seeded_bug("admin-without-claim")) {
        access_refuse_operator(connection);
        return;
    }
    if (wish_of(request->method) == SHUTDOWN_BEGIN &&
        !request_accepts(request, "Content-Type", "application/json")) {
        connection_refuse(connection, 415, "unsupported_media_type",
                          "a shutdown is asked for by application/json",
                          text_of(""));
        return;
    }
    asked = must_calloc(1, sizeof *asked);
    asked->shutdown = context->shutdown;
    asked->question.wish = wish_of(request->method);
    connection_set_role(connection, &shutdown_calls, asked);
    if (asked->question.wish == SHUTDOWN_BEGIN)
        connection_read_body(connection, ORDER_BYTES_MAX);
    else
        ask(connection);
}
