/* publish_command.c -- `tidings publish`: events out of words, a file or lines.
 *
 * Without --lines everything that comes is one event, to the byte. With --lines
 * each line is one, without its end. Lines are sent in groups, of all that is
 * there already: a file goes in few requests, and what somebody types or a
 * program writes goes at once.
 *
 * A key given with --lines gets the number of the line behind it, so the same
 * file under the same key can be sent again after a failure, and nothing is in
 * the journal twice.
 *
 * All that can be checked is checked here, before anything is sent: the
 * channel, the type, the key, the time, and that the data is UTF-8.
 */
#include "publish_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <tidings/check.h>
#include <tidings/platform.h>
#include <tidings/wire.h>
#include <uv.h>

#include "command.h"
#include "options.h"

#define READ_BYTES 65536
#define DATA_MAX_BYTES                                                         \
    ((size_t)64                                                                \
     << 20) /* the most a server can be set to                      \
                        */
#define GROUP_MAX       500
#define GROUP_MAX_BYTES ((size_t)256 << 10)
#define NUMBER_BYTES    21 /* of a line, behind its key */
#define TIME_MAX_MS     ((uint64_t)1 << 53)
#define ID_MAX          (((uint64_t)1 << 53) - 1)

struct publish_command {
    const char *channel, *data; /* data NULL: standard input */
    const char *type, *key, *time, *url, *nats, *config, *prefix;
    const char *corrects, *withdraws; /* an id; "": nothing */
    bool by_lines, no_reply;

    struct http_way *http; /* one of the two */
    struct nats_way *by_nats;
    uint64_t line; /* of the first in the next group, from 1 */
    struct buffer input;
    bool at_end; /* of the input */
};

/* ---- checks ----------------------------------------------------------------
 */

static bool has_control(const char *string)
{
    for (; *string != '\0'; string++)
        if ((unsigned char)*string < 0x20 || *string == 0x7f)
            return true;
    return false;
}

static bool is_id_or_empty(const char *word)
{
    uint64_t id;

    return word[0] == '\0' || option_number(word, 0, ID_MAX, &id);
}

static int check_amendment(const struct publish_command *command)
{
    const bool corrects = command->corrects[0] != '\0';
    const bool withdraws = command->withdraws[0] != '\0';

    if (!is_id_or_empty(command->corrects) ||
        !is_id_or_empty(command->withdraws) || (corrects && withdraws))
        return cli_fail(EXIT_USAGE, "--corrects or --withdraws: an event's id");
    if ((corrects || withdraws) && command->by_lines)
        return cli_fail(EXIT_USAGE, "--lines amends nothing");
    if (withdraws && command->data != NULL)
        return cli_fail(EXIT_USAGE, "--withdraws takes no data");
    return EXIT_DONE;
}

static int check_words(const struct publish_command *command)
{
    const struct text type = text_of(command->type);
    uint64_t time_ms;

    if (!channel_name_is_valid(text_of(command->channel)))
        return cli_fail(EXIT_USAGE,
                        "\"%.80s\" is no channel: letters, digits, _ and -, "
                        "tokens joined by dots, 200 bytes at most",
                        command->channel);
    if (!event_type_is_valid(type) || event_type_is_reserved(type))
        return cli_fail(EXIT_USAGE,
                        "--type: UTF-8 without controls, 128 bytes at most, "
                        "not beginning with \"tidings.\"");
    if (has_control(command->key) || !utf8_is_valid(text_of(command->key)) ||
        strlen(command->key) + NUMBER_BYTES > EVENT_KEY_MAX_BYTES)
        return cli_fail(EXIT_USAGE,
                        "--key: UTF-8 without controls, %d bytes "
                        "at most",
                        EVENT_KEY_MAX_BYTES - NUMBER_BYTES);
    if (command->time[0] != '\0' &&
        !option_number(command->time, 0, TIME_MAX_MS, &time_ms))
        return cli_fail(EXIT_USAGE, "--time: unix milliseconds");
    if (!channel_name_is_valid(text_of(command->prefix)))
        return cli_fail(EXIT_USAGE, "--prefix: no part of a NATS subject");
    if (command->no_reply && command->nats == NULL)
        return cli_fail(EXIT_USAGE, "--no-reply is for --nats");
    if (command->by_lines && command->data != NULL)
        return cli_fail(EXIT_USAGE, "--lines reads standard input; leave the "
                                    "data out");
    return check_amendment(command);
}

/* ---- sending ---------------------------------------------------------------
 */

static int send_events(struct publish_command *command,
                       const struct outgoing *events, unsigned count)
{
    int exit_code;

    for (unsigned i = 0; i < count; i++)
        if (!utf8_is_valid(events[i].data))
            return command->by_lines
                       ? cli_fail(EXIT_FAILED, "line %llu is not UTF-8",
                                  (unsigned long long)command->line + i)
                       : cli_fail(EXIT_FAILED, "the data is not UTF-8");
    exit_code = command->http != NULL
                    ? http_way_send(command->http, events, count)
                    : nats_way_send(command->by_nats, events, count);
    if (exit_code == EXIT_DONE && fflush(stdout) != 0)
        return cli_fail(EXIT_FAILED, "standard output is closed");
    return exit_code;
}

static int send_one(struct publish_command *command, struct text data)
{
    const struct outgoing event = {.type = text_of(command->type),
                                   .data = data,
                                   .key = text_of(command->key),
                                   .time = text_of(command->time),
                                   .corrects = text_of(command->corrects),
                                   .withdraws = text_of(command->withdraws)};

    return send_events(command, &event, 1);
}

/* ---- standard input --------------------------------------------------------
 */

/* Appends what is there, waiting for the first byte. */
static enum status read_some(struct publish_command *command)
{
    uv_buf_t room =
        uv_buf_init(buffer_reserve(&command->input, READ_BYTES), READ_BYTES);
    uv_fs_t request;
    const int count = uv_fs_read(NULL, &request, 0, &room, 1, -1, NULL);

    uv_fs_req_cleanup(&request);
    if (count < 0)
        return ST_IO;
    command->input.length += (size_t)count;
    command->at_end = count == 0;
    return command->input.length <= DATA_MAX_BYTES ? ST_OK : ST_TOO_BIG;
}

static int input_failed(enum status st)
{
    return st == ST_TOO_BIG
               ? cli_fail(EXIT_FAILED, "the input is over 64 MiB")
               : cli_fail(EXIT_FAILED, "standard input cannot be read");
}

static int send_input(struct publish_command *command)
{
    while (!command->at_end) {
        const enum status st = read_some(command);

        if (st != ST_OK)
            return input_failed(st);
    }
    return send_one(command, command->input.length > 0
                                 ? buffer_text(&command->input)
                                 : text_of(""));
}

/* ---- lines -----------------------------------------------------------------
 */

struct group {
    struct outgoing events[GROUP_MAX];
    char keys[GROUP_MAX][EVENT_KEY_MAX_BYTES];
    unsigned count;
    size_t bytes; /* of input that it takes, line ends too */
};

static void add_line(const struct publish_command *command, struct group *group,
                     struct text line)
{
    struct outgoing *event = &group->events[group->count];
    char *key = group->keys[group->count];

    if (line.length > 0 && line.bytes[line.length - 1] == '\r')
        line.length--;
    event->corrects = event->withdraws = text_of("");
    event->type = text_of(command->type);
    event->data = line;
    event->time = text_of(command->time);
    event->key = text_of("");
    if (command->key[0] != '\0') {
        snprintf(key, EVENT_KEY_MAX_BYTES, "%s-%llu", command->key,
                 (unsigned long long)command->line + group->count);
        event->key = text_of(key);
    }
    group->count++;
}

/* Whole lines; at the end of the input also what has no line end. */
static void gather(const struct publish_command *command, struct group *group)
{
    const char *from = command->input.bytes;

    group->count = 0;
    group->bytes = 0;
    while (group->count < GROUP_MAX && group->bytes < GROUP_MAX_BYTES &&
           group->bytes < command->input.length) {
        const size_t left = command->input.length - group->bytes;
        const char *line = from + group->bytes;
        const char *end = memchr(line, '\n', left);

        if (end == NULL && !command->at_end)
            return;
        add_line(
            command, group,
            (struct text){line, end != NULL ? (size_t)(end - line) : left});
        group->bytes += end != NULL ? (size_t)(end - line) + 1 : left;
    }
}

static int send_groups(struct publish_command *command, struct group *group)
{
    int exit_code = EXIT_DONE;

    for (gather(command, group); group->count > 0 && exit_code == EXIT_DONE;
         gather(command, group)) {
        exit_code = send_events(command, group->events, group->count);
        if (exit_code == EXIT_DONE) {
            command->line += group->count;
            buffer_consume(&command->input, group->bytes);
        } else if (command->line > 1) {
            (void)cli_fail(exit_code,
                           "the lines before %llu were sent, it and those "
                           "behind it were not",
                           (unsigned long long)command->line);
        }
    }
    return exit_code;
}

static int send_lines(struct publish_command *command)
{
    struct group *group = must_malloc(sizeof *group);
    int exit_code = EXIT_DONE;

    command->line = 1;
    while (!command->at_end && exit_code == EXIT_DONE) {
        const enum status st = read_some(command);

        exit_code =
            st == ST_OK ? send_groups(command, group) : input_failed(st);
    }
    free(group);
    return exit_code;
}

/* ---- the command -----------------------------------------------------------
 */

static int send_all(struct publish_command *command)
{
    int exit_code;

    if (command->by_lines)
        exit_code = send_lines(command);
    else if (command->withdraws[0] != '\0')
        exit_code = send_one(command, text_of(""));
    else if (command->data == NULL)
        exit_code = send_input(command);
    else
        exit_code = send_one(command, text_of(command->data));
    if (exit_code == EXIT_DONE && command->by_nats != NULL)
        exit_code = nats_way_finish(command->by_nats);
    return exit_code;
}

static int run(struct publish_command *command)
{
    int exit_code = check_words(command);

    if (exit_code != EXIT_DONE)
        return exit_code;
    platform_ignore_sigpipe();
    if (command->nats != NULL)
        command->by_nats =
            nats_way_open(command->nats, command->config, command->prefix,
                          command->channel, !command->no_reply);
    else
        command->http = http_way_open(command->url, command->channel);
    if (command->http == NULL && command->by_nats == NULL)
        return EXIT_FAILED;

    buffer_init(&command->input);
    exit_code = send_all(command);
    buffer_fini(&command->input);
    http_way_close(&command->http);
    nats_way_close(&command->by_nats);
    return exit_code;
}

int cli_publish(int argc, char **argv)
{
    struct publish_command command = {.type = "",
                                      .key = "",
                                      .time = "",
                                      .corrects = "",
                                      .withdraws = "",
                                      .url = DEFAULT_URL,
                                      .config = "",
                                      .prefix = "events"};
    const struct option rows[] = {
        {"type", "TYPE", &command.type, NULL, "the event's type"},
        {"key", "KEY", &command.key, NULL,
         "the same key again is the same event: sent once"},
        {"time", "MS", &command.time, NULL,
         "unix ms, not before the newest event's; default now"},
        {"corrects", "ID", &command.corrects, NULL,
         "the data is put in the place of that event's"},
        {"withdraws", "ID", &command.withdraws, NULL,
         "that event is given to nobody any more; no data"},
        {"lines", NULL, NULL, &command.by_lines,
         "each line of standard input is an event"},
        {"url", "URL", &command.url, NULL, URL_HELP},
        {"nats", "URL", &command.nats, NULL, "by NATS: nats://host:4222"},
        {"config", "FILE", &command.config, NULL,
         "with nats_user, nats_ca ... for --nats; TIDINGS_NATS_USER ... too"},
        {"prefix", "WORD", &command.prefix, NULL,
         "the subject before the channel; default events"},
        {"no-reply", NULL, NULL, &command.no_reply,
         "by NATS, without waiting for the id"}};
    const struct options options = {
        "tidings publish CHANNEL [DATA | -]",
        "Sends DATA, or standard input, as an event to the channel and prints "
        "its id once\nit is on the server's disk. With --lines --key K the "
        "keys "
        "are K-1, K-2, ...\n",
        rows, sizeof rows / sizeof rows[0]};
    int exit_code;

    if (!options_read(&options, &argc, argv, &exit_code))
        return exit_code;
    if (argc < 1 || argc > 2)
        return cli_fail(EXIT_USAGE, "usage: %s", options.usage);
    command.channel = argv[0];
    if (argc == 2 && strcmp(argv[1], "-") != 0)
        command.data = argv[1];
    return run(&command);
}
