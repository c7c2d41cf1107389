/* shutdown_command.c -- `tidings shutdown`: asks a server to keep browsers away.
 *
 * One request to /admin/shutdown and a sentence about what holds after it.
 * Times are checked by the server; only what is no time is caught here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <tidings/platform.h>
#include <tidings/wire.h>

#include "command.h"
#include "http_client.h"
#include "json_tokens.h"
#include "options.h"

static const char about[] =
    "Tells browsers to stay away until a time: every stream and wait is told "
    "and\n"
    "ended, who comes back early is told again. Events are taken in and kept\n"
    "meanwhile. TIME is 2014-03-02T22:00:00Z, with an offset such as +01:00 "
    "for Z,\n"
    "or \"2014-03-02 22:00:00 UTC\". Without a flag it says what holds. Only "
    "on the\n"
    "server's machine.\n";

static void append_body(const char *until, struct buffer *body)
{
    struct buffer time;
    int64_t wall_ms = 0;

    buffer_init(&time);
    (void)time_parse(text_of(until), &wall_ms);
    time_append_iso(&time, wall_ms);
    buffer_printf(body, "{\"until\":\"%.*s\"}", TEXT_ARGS(buffer_text(&time)));
    buffer_fini(&time);
}

static int ask(struct http_client *client, const char *method,
               const char *until, struct buffer *answer)
{
    const struct http_field json = {"Content-Type", "application/json"};
    struct http_call call = {
        method, text_of("/admin/shutdown"), &json, 0, {NULL, 0}};
    struct buffer body;
    int exit_code;

    buffer_init(&body);
    if (until != NULL) {
        append_body(until, &body);
        call.field_count = 1;
        call.body = buffer_text(&body);
    }
    exit_code = cli_ask(client, &call, answer);
    buffer_fini(&body);
    return exit_code;
}

/* The text of a member, or nothing. */
static struct text shown(const struct json_tokens *json, int object,
                         const char *name, struct buffer *text)
{
    text->length = 0;
    json_append_shown(json, json_member(json, object, name), text);
    return text->length > 0 ? buffer_text(text) : text_of("?");
}

static int print_state(struct text answer)
{
    struct json_tokens json;
    struct buffer one, other;
    int next, exit_code = EXIT_DONE;

    buffer_init(&one);
    buffer_init(&other);
    if (json_tokens_init(&json, answer) != ST_OK ||
        json_member(&json, 0, "active") < 0) {
        exit_code =
            cli_fail(EXIT_FAILED, "the server's answer is not understood");
    } else {
        next = json_member(&json, 0, "next");
        if (text_is(json_raw(&json, json_member(&json, 0, "active")), "true"))
            printf("browsers stay away until %.*s, for %.*s s\n",
                   TEXT_ARGS(shown(&json, 0, "until", &one)),
                   TEXT_ARGS(shown(&json, 0, "until_secs", &other)));
        else
            printf("no shutdown\n");
        if (next >= 0)
            printf("next window: %.*s to %.*s\n",
                   TEXT_ARGS(shown(&json, next, "begin", &one)),
                   TEXT_ARGS(shown(&json, next, "end", &other)));
    }
    json_tokens_fini(&json);
    buffer_fini(&one);
    buffer_fini(&other);
    return exit_code;
}

static int run(const char *url, const char *method, const char *until)
{
    struct http_client *client = http_client_create(url);
    struct buffer answer;
    int exit_code;

    if (client == NULL)
        return cli_fail(EXIT_USAGE,
                        "--url: \"%.80s\" is not http(s)://host:port", url);
    buffer_init(&answer);
    platform_ignore_sigpipe();
    exit_code = ask(client, method, until, &answer);
    if (exit_code == EXIT_DONE)
        exit_code = print_state(buffer_text(&answer));
    buffer_fini(&answer);
    http_client_destroy(&client);
    return exit_code;
}

int cli_shutdown(int argc, char **argv)
{
    const char *url = DEFAULT_URL, *until = NULL;
    bool cancels = false, asks = false;
    int64_t wall_ms;
    const struct option rows[] = {
        {"until", "TIME", &until, NULL, "browsers stay away from now to then"},
        {"cancel", NULL, NULL, &cancels,
         "they may come; also for the rest of a window of the schedule"},
        {"status", NULL, NULL, &asks, "what holds now, and the next window"},
        {"url", "URL", &url, NULL, URL_HELP}};
    const struct options options = {
        "tidings shutdown [--until TIME | --cancel | --status]", about, rows,
        sizeof rows / sizeof rows[0]};
    int exit_code;

    if (!options_read(&options, &argc, argv, &exit_code))
        return exit_code;
    if (argc > 0 || (until != NULL) + cancels + asks > 1)
        return cli_fail(EXIT_USAGE, "usage: %s", options.usage);
    if (until != NULL && !time_parse(text_of(until), &wall_ms))
        return cli_fail(EXIT_USAGE,
                        "--until: \"%.40s\" is no time such as "
                        "2014-03-02T22:00:00Z",
                        until);
    return run(url, until != NULL ? "POST" : cancels ? "DELETE" : "GET", until);
}
