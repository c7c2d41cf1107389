/* tail.c -- `tidings tail`: a subscriber in the terminal, as good as a browser.
 *
 * When the stream breaks off it waits as long as the server said (`retry:`) and
 * asks for what came after the last id it printed. Before there is one, the
 * position in the answer's head is used: so "from now on" stays the moment of
 * the first connection, and a break right after it loses nothing.
 *
 * A stream that says nothing for a minute is taken for dead; a living server
 * sends a keep-alive long before.
 *
 * The first connection must succeed: a wrong address shall not look like a
 * quiet channel. After that it tries for ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tidings/platform.h>
#include <tidings/wire.h>
#include <uv.h>

#include "command.h"
#include "http_client.h"
#include "options.h"
#include "tail_stream.h"

#define SILENCE_MS       60000
#define RETRY_DEFAULT_MS 3000
#define HTTP_OK          200

struct tail {
    char **selectors;
    int selector_count;
    const char *url, *after;
    bool as_json;
    uint64_t wanted, printed; /* events; wanted 0: no end */

    struct http_client *client;
    struct tail_stream stream;
    struct buffer line; /* being printed */
    bool was_connected;
    bool is_over; /* printed all that was wanted, or nobody reads us */
};

/* ---- printing --------------------------------------------------------------
 */

/* A stranger's bytes must not steer the terminal: controls are shown, not sent.
 */
static void append_shown(struct buffer *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        const unsigned char c = (unsigned char)text.bytes[i];
        const bool is_c1 = c == 0xc2 && i + 1 < text.length &&
                           (unsigned char)text.bytes[i + 1] < 0xa0;

        if (c == '\n')
            buffer_append_string(out, "\\n");
        else if (c == '\t')
            buffer_append_char(out, '\t');
        else if (c < 0x20 || c == 0x7f || is_c1)
            buffer_printf(out, "\\x%02x", is_c1 ? text.bytes[++i] & 0xff : c);
        else
            buffer_append_char(out, (char)c);
    }
}

static void append_column(struct buffer *out, struct text text)
{
    append_shown(out, text.length > 0 ? text : text_of("-"));
    buffer_append_char(out, ' ');
}

static void append_line(const struct tail *tail, struct buffer *out,
                        const struct tail_event *event)
{
    append_column(out, event->id);
    if (tail->stream.by_lines)
        append_column(out, event->channel);
    append_column(out, event->type);
    append_shown(out, event->data);
}

static bool is_number(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.length > 0;
}

static void append_json(struct buffer *out, const struct tail_event *event)
{
    buffer_append_string(out, "{\"id\":");
    if (is_number(event->id))
        buffer_append_text(out, event->id);
    else
        json_append_string(out, event->id);
    buffer_append_string(out, ",\"channel\":");
    json_append_string(out, event->channel);
    buffer_append_string(out, ",\"type\":");
    json_append_string(out, event->type);
    buffer_append_string(out, ",\"data\":");
    buffer_append_text(out, event->data_json);
    buffer_append_char(out, '}');
}

static void on_event(void *arg, const struct tail_event *event)
{
    struct tail *tail = arg;

    if (tail->is_over)
        return;
    tail->line.length = 0;
    if (tail->as_json)
        append_json(&tail->line, event);
    else
        append_line(tail, &tail->line, event);
    buffer_append_char(&tail->line, '\n');
    if (fwrite(tail->line.bytes, 1, tail->line.length, stdout) !=
        tail->line.length)
        tail->is_over = true;
    tail->printed++;
    if (tail->wanted > 0 && tail->printed == tail->wanted)
        tail->is_over = true;
}

/* ---- one connection --------------------------------------------------------
 */

static void append_target(const struct tail *tail, struct buffer *target)
{
    buffer_append_string(target, tail->stream.by_lines
                                     ? "/events?flavor=lines&xhr=1&envelope=1"
                                     : "/events?flavor=eventsource");
    for (int i = 0; i < tail->selector_count; i++) {
        buffer_append_string(target, "&channel=");
        url_append_escaped(target, text_of(tail->selectors[i]));
    }
    if (tail_stream_position(&tail->stream).length == 0 &&
        tail->after != NULL) {
        buffer_append_string(target, "&last_event_id=");
        url_append_escaped(target, text_of(tail->after));
    }
}

static enum status connect_stream(struct tail *tail, unsigned *http_status_out)
{
    struct http_field fields[2] = {{"Accept", tail->stream.by_lines
                                                  ? "application/x-ndjson"
                                                  : "text/event-stream"},
                                   {"Last-Event-ID", NULL}};
    struct http_call call = {"GET", {NULL, 0}, fields, 1, {NULL, 0}};
    struct buffer target, position;
    enum status st;

    buffer_init(&target);
    buffer_init(&position);
    append_target(tail, &target);
    call.target = buffer_text(&target);
    buffer_append_text(&position, tail_stream_position(&tail->stream));
    if (position.length > 0) {
        buffer_append_char(&position, '\0');
        fields[1].value = position.bytes;
        call.field_count = 2;
    }
    st = http_client_ask(tail->client, &call, http_status_out);
    buffer_fini(&position);
    buffer_fini(&target);
    return st;
}

/* Until it breaks or all that was wanted is printed. */
static void read_stream(struct tail *tail)
{
    struct buffer bytes;
    enum status st = ST_OK;

    buffer_init(&bytes);
    while (st == ST_OK && !tail->is_over) {
        bytes.length = 0;
        st = http_client_read(tail->client, &bytes, SILENCE_MS);
        if (st == ST_OK)
            st = tail_stream_feed(&tail->stream, buffer_text(&bytes));
        if (fflush(stdout) != 0)
            tail->is_over = true;
    }
    buffer_fini(&bytes);
    if (st == ST_TIMEOUT)
        (void)cli_fail(0, "nothing was heard for %d s", SILENCE_MS / 1000);
    else if (st == ST_CORRUPT || st == ST_TOO_BIG)
        (void)cli_fail(0, "the stream is not understood");
}

static void say_refused(struct tail *tail, unsigned http_status)
{
    struct buffer answer;

    buffer_init(&answer);
    if (http_client_read_all(tail->client, &answer) != ST_OK)
        answer.length = 0;
    (void)cli_refused(http_status, buffer_text(&answer));
    buffer_fini(&answer);
}

/* True: try again after a pause. */
static bool follow_once(struct tail *tail, int *exit_code_out)
{
    unsigned http_status = 0;

    *exit_code_out = EXIT_FAILED;
    if (connect_stream(tail, &http_status) != ST_OK) {
        (void)cli_fail(0, "%s", http_client_why(tail->client));
        return tail->was_connected;
    }
    if (http_status != HTTP_OK) {
        say_refused(tail, http_status);
        return tail->was_connected && http_status >= 500;
    }
    tail->was_connected = true;
    tail_stream_restart(&tail->stream,
                        http_client_field(tail->client, "Last-Event-ID"));
    read_stream(tail);
    *exit_code_out = EXIT_DONE;
    return !tail->is_over;
}

static int follow(struct tail *tail)
{
    int exit_code;

    while (follow_once(tail, &exit_code)) {
        const unsigned wish_ms = tail_stream_retry_ms(&tail->stream);
        const unsigned retry_ms = wish_ms > 0 ? wish_ms : RETRY_DEFAULT_MS;

        (void)cli_fail(0, "no stream now; again in %u.%u s", retry_ms / 1000,
                       retry_ms % 1000 / 100);
        uv_sleep(retry_ms);
    }
    return exit_code;
}

/* ---- the command -----------------------------------------------------------
 */

static int run(struct tail *tail)
{
    const struct text first = text_of(tail->selectors[0]);
    const bool is_one =
        tail->selector_count == 1 && !selector_is_pattern(first);
    int exit_code;

    for (int i = 0; i < tail->selector_count; i++)
        if (!selector_is_valid(text_of(tail->selectors[i])))
            return cli_fail(EXIT_USAGE,
                            "\"%.80s\" is no channel and no pattern such as "
                            "orders.* or orders.>",
                            tail->selectors[i]);
    tail->client = http_client_create(tail->url);
    if (tail->client == NULL)
        return cli_fail(EXIT_USAGE,
                        "--url: \"%.80s\" is not http(s)://host:port",
                        tail->url);
    platform_ignore_sigpipe();
    tail_stream_init(&tail->stream, is_one ? first : text_of(""), on_event,
                     tail);
    buffer_init(&tail->line);
    exit_code = follow(tail);
    buffer_fini(&tail->line);
    tail_stream_fini(&tail->stream);
    http_client_destroy(&tail->client);
    return exit_code;
}

int cli_tail(int argc, char **argv)
{
    struct tail tail = {.url = DEFAULT_URL};
    const char *count = NULL;
    const struct option rows[] = {
        {"after", "POSITION", &tail.after, NULL,
         "an id, last-20, earliest, rt-SECONDS; default: now"},
        {"count", "N", &count, NULL, "end after so many events"},
        {"json", NULL, NULL, &tail.as_json, "one JSON object per line"},
        {"url", "URL", &tail.url, NULL, URL_HELP}};
    const struct options options = {
        "tidings tail CHANNEL...",
        "Follows channels, or patterns such as 'orders.>', and prints a line "
        "for each\nevent: id, channel (if there can be several), type (or -), "
        "data. A break is\nbridged: nothing is left out or printed twice.\n",
        rows, sizeof rows / sizeof rows[0]};
    int exit_code;

    if (!options_read(&options, &argc, argv, &exit_code))
        return exit_code;
    if (argc < 1)
        return cli_fail(EXIT_USAGE, "usage: %s", options.usage);
    if (count != NULL && !option_number(count, 1, 999999999, &tail.wanted))
        return cli_fail(EXIT_USAGE, "--count: a number from 1 on");
    tail.selectors = argv;
    tail.selector_count = argc;
    return run(&tail);
}
