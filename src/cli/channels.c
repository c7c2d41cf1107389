/* channels.c -- `tidings channels`: what a server keeps, as a table.
 *
 * The answer is an array of objects, or an object with that array as its member
 * `channels`. Columns are a table here; their widths come out of the rows.
 */
#include <stdio.h>
#include <tidings/platform.h>
#include <tidings/wire.h>

#include "command.h"
#include "http_client.h"
#include "json_tokens.h"
#include "options.h"

/* clang-format off */
static const struct column {
    const char *member, *title;
    bool is_number; /* to the right */
} columns[] = {
    {"channel",     "channel",     false},
    {"count",       "events",      true},
    {"bytes",       "bytes",       true},
    {"subscribers", "subscribers", true},
    {"first_id",    "first id",    true},
    {"last_id",     "last id",     true},
};
/* clang-format on */

#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

static int find_rows(const struct json_tokens *json)
{
    return json_is_array(json, 0) ? 0 : json_member(json, 0, "channels");
}

static struct text cell(const struct json_tokens *json, int row, size_t column)
{
    return json_raw(json, json_member(json, row, columns[column].member));
}

static void measure(const struct json_tokens *json, int rows, int *widths)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        widths[i] = (int)strlen(columns[i].title);
    for (int row = json_first(json, rows); row >= 0;
         row = json_next(json, rows, row))
        for (size_t i = 0; i < COLUMN_COUNT; i++) {
            const int width = (int)cell(json, row, i).length;

            if (width > widths[i])
                widths[i] = width;
        }
}

static void print_cell(size_t column, int width, struct text value)
{
    const bool is_last = column + 1 == COLUMN_COUNT;

    if (columns[column].is_number)
        printf("%*s%.*s", width - (int)value.length, "", TEXT_ARGS(value));
    else
        printf("%-*.*s", width, TEXT_ARGS(value));
    fputs(is_last ? "\n" : "  ", stdout);
}

static int print_table(struct text answer)
{
    struct json_tokens json;
    int widths[COLUMN_COUNT];
    int exit_code = EXIT_DONE;
    int rows = -1;

    if (json_tokens_init(&json, answer) == ST_OK)
        rows = find_rows(&json);
    if (json_is_array(&json, rows)) {
        measure(&json, rows, widths);
        for (size_t i = 0; i < COLUMN_COUNT; i++)
            print_cell(i, widths[i], text_of(columns[i].title));
        for (int row = json_first(&json, rows); row >= 0;
             row = json_next(&json, rows, row))
            for (size_t i = 0; i < COLUMN_COUNT; i++)
                print_cell(i, widths[i], cell(&json, row, i));
    } else {
        exit_code =
            cli_fail(EXIT_FAILED, "the server's answer is not understood");
    }
    json_tokens_fini(&json);
    return exit_code;
}

static int ask(struct http_client *client, const char *match,
               struct buffer *answer)
{
    struct http_call call = {"GET", {NULL, 0}, NULL, 0, {NULL, 0}};
    struct buffer target;
    int exit_code;

    buffer_init(&target);
    buffer_append_string(&target, "/channels");
    if (match != NULL) {
        buffer_append_string(&target, "?match=");
        url_append_escaped(&target, text_of(match));
    }
    call.target = buffer_text(&target);
    exit_code = cli_ask(client, &call, answer);
    buffer_fini(&target);
    return exit_code;
}

static int run(struct http_client *client, const char *match, bool as_json)
{
    struct buffer answer;
    int exit_code;

    buffer_init(&answer);
    platform_ignore_sigpipe();
    exit_code = ask(client, match, &answer);
    if (exit_code == EXIT_DONE && as_json)
        (void)fwrite(answer.bytes, 1, answer.length, stdout);
    else if (exit_code == EXIT_DONE)
        exit_code = print_table(buffer_text(&answer));
    buffer_fini(&answer);
    return exit_code;
}

int cli_channels(int argc, char **argv)
{
    const char *url = DEFAULT_URL;
    bool as_json = false;
    const struct option rows[] = {
        {"json", NULL, NULL, &as_json, "the server's answer as it is"},
        {"url", "URL", &url, NULL, URL_HELP}};
    const struct options options = {
        "tidings channels [PATTERN]",
        "Lists the channels of a server, or those that the pattern covers.\n",
        rows, sizeof rows / sizeof rows[0]};
    struct http_client *client;
    int exit_code;

    if (!options_read(&options, &argc, argv, &exit_code))
        return exit_code;
    if (argc > 1)
        return cli_fail(EXIT_USAGE, "usage: %s", options.usage);
    if (argc == 1 && !selector_is_valid(text_of(argv[0])))
        return cli_fail(EXIT_USAGE,
                        "\"%.80s\" is no channel and no pattern such as "
                        "orders.* or orders.>",
                        argv[0]);
    client = http_client_create(url);
    if (client == NULL)
        return cli_fail(EXIT_USAGE,
                        "--url: \"%.80s\" is not http(s)://host:port", url);
    exit_code = run(client, argc == 1 ? argv[0] : NULL, as_json);
    http_client_destroy(&client);
    return exit_code;
}
