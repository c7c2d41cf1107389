/* tail.c -- `tidings tail`: a subscriber in the terminal, as good as a browser.
 *
 * It follows the stream of Server-Sent Events. When the stream breaks off it
 * waits as long as the server said (`retry:`) and asks for what came after the
 * last id it printed. Before there is one, the position in the answer's head is
 * used: so "from now on" stays the moment of the first connection, and a break
 * right after it loses nothing.
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
#include "sse_reader.h"

#define SILENCE_MS       60000
#define RETRY_DEFAULT_MS 3000
#define HTTP_OK          200

struct tail {
    char **selectors;
    int selector_count;
    const char *url, *after;
    bool as_json;
    unsigned long wanted, printed; /* events; wanted 0: no end */

    struct http_client *client;
    struct sse_reader reader;
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

static void append_line(struct buffer *out, const struct sse_message *message)
{
    append_shown(out, message->id.length > 0 ? message->id : text_of("-"));
    buffer_append_char(out, ' ');
    append_shown(out, message->type.length > 0 ? message->type : text_of("-"));
    buffer_append_char(out, ' ');
    append_shown(out, message->data);
}

static bool is_number(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.length > 0;
}

/* The channel is said when it can only be one: the stream does not tell it. */
static void append_json(const struct tail *tail, struct buffer *out,
                        const struct sse_message *message)
{
    buffer_append_string(out, "{\"id\":");
    if (is_number(message->id))
        buffer_append_text(out, message->id);
    else
        json_append_string(out, message->id);
    if (tail->selector_count == 1 &&
        !selector_is_pattern(text_of(tail->selectors[0]))) {
        buffer_append_string(out, ",\"channel\":");
        json_append_string(out, text_of(tail->selectors[0]));
    }
    buffer_append_string(out, ",\"type\":");
    json_append_string(out, message->type);
    buffer_append_string(out, ",\"data\":");
    json_append_data(out, message->data);
    buffer_append_char(out, '}');
}

static void on_message(void *arg, const struct sse_message *message)
{
    struct tail *tail = arg;

    if (tail->is_over)
        return;
    tail->line.length = 0;
    if (tail->as_json)
        append_json(tail, &tail->line, message);
    else
        append_line(&tail->line, message);
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
    buffer_append_string(target, "/events?flavor=eventsource");
    for (int i = 0; i < tail->selector_count; i++) {
        buffer_append_string(target, "&channel=");
        url_append_escaped(target, text_of(tail->selectors[i]));
    }
    if (tail->reader.id.length == 0 && tail->after != NULL) {
        buffer_append_string(target, "&last_event_id=");
        url_append_escaped(target, text_of(tail->after));
    }
}

static enum status connect_stream(struct tail *tail, unsigned *http_status_out)
{
    struct http_field fields[] = {{"Accept", "text/event-stream"},
                                  {"Last-Event-ID", NULL}};
    struct http_call call = {"GET", {NULL, 0}, fields, 1, {NULL, 0}};
    struct buffer target, position;
    enum status st;

    buffer_init(&target);
    buffer_init(&position);
    append_target(tail, &target);
    call.target = buffer_text(&target);
    if (tail->reader.id.length > 0) {
        buffer_append_text(&position, buffer_text(&tail->reader.id));
        buffer_append_char(&position, '\0');
        fields[1].value = position.bytes;
        call.field_count = 2;
    }
    st = http_client_ask(tail->client, &call, http_status_out);
    buffer_fini(&position);
    buffer_fini(&target);
    return st;
}

static void take_position(struct tail *tail)
{
    const struct text position =
        http_client_field(tail->client, "Last-Event-ID");

    if (tail->reader.id.length == 0)
        buffer_append_text(&tail->reader.id, position);
    sse_reader_restart(&tail->reader);
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
            st = sse_reader_feed(&tail->reader, buffer_text(&bytes), on_message,
                                 tail);
        if (fflush(stdout) != 0)
            tail->is_over = true;
    }
    buffer_fini(&bytes);
    if (st == ST_TIMEOUT)
        (void)cli_fail(0, "nothing was heard for %d s", SILENCE_MS / 1000);
}

static int refused(struct tail *tail, unsigned http_status)
{
    struct buffer answer;

    buffer_init(&answer);
    if (http_client_read_all(tail->client, &answer) != ST_OK)
        answer.length = 0;
    (void)cli_refused(http_status,
                      answer.length > 0 ? buffer_text(&answer) : text_of(""));
    buffer_fini(&answer);
    return EXIT_FAILED;
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
        (void)refused(tail, http_status);
        return tail->was_connected && http_status >= 500;
    }
    tail->was_connected = true;
    take_position(tail);
    read_stream(tail);
    *exit_code_out = EXIT_DONE;
    return !tail->is_over;
}

static int follow(struct tail *tail)
{
    int exit_code;

    while (follow_once(tail, &exit_code)) {
        const unsigned retry_ms = tail->reader.retry_ms > 0
                                      ? tail->reader.retry_ms
                                      : RETRY_DEFAULT_MS;

        (void)cli_fail(0, "the stream has ended; again in %u.%u s",
                       retry_ms / 1000, retry_ms % 1000 / 100);
        uv_sleep(retry_ms);
    }
    return exit_code;
}

/* ---- the command -----------------------------------------------------------
 */

static int run(struct tail *tail)
{
    int exit_code;

    for (int i = 0; i < tail->selector_count; i++)
        if (!selector_is_valid(text_of(tail->selectors[i])))
            return cli_fail(EXIT_USAGE,
                            "\"%.80s\" is no channel and no pattern such as "
                            "orders.* or orders.>",
                            tail->selectors[i]);
    tail->client = http_client_create(tail->url);
    if (tail->client == NULL)
        return cli_fail(EXIT_USAGE, "--url: \"%.80s\" is not http://host:port",
                        tail->url);
    platform_ignore_sigpipe();
    sse_reader_init(&tail->reader);
    buffer_init(&tail->line);
    exit_code = follow(tail);
    buffer_fini(&tail->line);
    sse_reader_fini(&tail->reader);
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
        {"url", "URL", &tail.url, NULL, "the server; default " DEFAULT_URL}};
    const struct options options = {
        "tidings tail CHANNEL...",
        "Follows channels, or patterns such as 'orders.>', and prints a line "
        "for each\nevent: id, type (or -), data. A break is bridged: nothing "
        "is "
        "left out or\nprinted twice.\n",
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
