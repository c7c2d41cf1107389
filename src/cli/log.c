/* log.c -- `tidings log`: looks into a data directory, beside a server or not.
 *
 *   stat       what is in it, for humans
 *   dump       the events, a JSON object per line; data as a string, byte for byte
 *   sessions   the positions that the server keeps, a JSON object per line
 *   verify     are checksums, ids, times, chains and figures what they must be?
 *
 * The directory is opened read-only: nothing is created or changed in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tidings/journal.h>
#include <tidings/wire.h>

#include "command.h"
#include "journal/session_rows.h"
#include "journal/verify.h"
#include "options.h"

#define SLICE_EVENTS  1000u
#define SLICE_BYTES   (4u << 20)
#define SLICE_SCANNED 100000u
#define WHY_BYTES     512

struct log_command {
    struct journal *journal;
    const char *channel; /* selector; NULL: all */
    uint64_t after, limit, given;
    struct buffer line;
};

static enum status open_journal(const char *directory,
                                struct journal **journal_out)
{
    const struct journal_options options = {
        .directory = directory,
        .channels_max = UINT32_MAX,
        .mailbox_count = 1,
        .commit_events_max = 1,
        .is_read_only = true,
        .clock = &system_clock,
    };
    char why[WHY_BYTES];
    const enum status st = journal_open(&options, journal_out, why, sizeof why);

    if (st != ST_OK)
        (void)cli_fail(EXIT_FAILED, "%s", why);
    return st;
}

/* ---- stat ---------------------------------------------------------------- */

struct sums {
    uint64_t events, bytes;
    unsigned channels, empty;
    const struct channel_entry *largest;
};

static void add_up(void *arg, struct channel_entry *entry)
{
    struct sums *sums = arg;
    const uint64_t count = atomic_load(&entry->count);

    sums->channels += 1;
    sums->empty += count == 0;
    sums->events += count;
    sums->bytes += atomic_load(&entry->bytes);
    if (sums->largest == NULL || count > atomic_load(&sums->largest->count))
        sums->largest = entry;
}

static void print_oldest(void *arg, const struct event_view *event)
{
    struct buffer *out = arg;

    time_append_iso(out, event->time_ms);
}

/* The time of the event after `position`, as text; empty if there is none. */
static void append_time_after(struct log_command *command,
                              struct journal_reader *reader, uint64_t position)
{
    const struct journal_query query = {.after = position,
                                        .max_events = 1,
                                        .max_bytes = 1,
                                        .max_scanned = 1,
                                        .shows_withdrawn = true};
    struct journal_slice slice;

    command->line.length = 0;
    if (journal_read(reader, &query, print_oldest, &command->line, &slice) !=
        ST_OK)
        buffer_append_string(&command->line, "unreadable");
}

static int stat_journal(struct log_command *command)
{
    struct journal_figures figures;
    struct journal_reader *reader;
    struct sums sums = {0};

    if (journal_reader_open(command->journal, &reader) != ST_OK)
        return cli_fail(EXIT_FAILED, "cannot read the journal");
    journal_figures(command->journal, &figures);
    registry_each(journal_registry(command->journal), add_up, &sums);
    printf("channels    %u, %u of them without an event that is kept\n",
           sums.channels, sums.empty);
    printf("events      %" PRIu64 ", what was withdrawn among them\n",
           sums.events);
    printf("bytes       %" PRIu64 "\n", sums.bytes);
    printf("sessions    %" PRIu64 "\n", figures.sessions);
    printf("first id    %" PRIu64 " of this journal\n",
           journal_first_id(command->journal));
    if (sums.largest != NULL && sums.events > 0) {
        append_time_after(command, reader, figures.oldest_id - 1);
        printf("oldest id   %" PRIu64 " %.*s\n", figures.oldest_id,
               TEXT_ARGS(buffer_text(&command->line)));
        append_time_after(command, reader, figures.last_id - 1);
        printf("newest id   %" PRIu64 " %.*s\n", figures.last_id,
               TEXT_ARGS(buffer_text(&command->line)));
        printf("largest     %s, %" PRIu64 " events\n", sums.largest->name,
               atomic_load(&sums.largest->count));
    }
    journal_reader_close(&reader);
    return EXIT_DONE;
}

/* ---- dump ---------------------------------------------------------------- */

static bool is_wanted(void *arg, const struct channel_entry *channel)
{
    const struct log_command *command = arg;

    return selector_matches(text_of(command->channel),
                            channel_entry_name(channel));
}

static void print_event(void *arg, const struct event_view *event)
{
    struct log_command *command = arg;
    struct buffer *line = &command->line;

    line->length = 0;
    buffer_append_string(line, "{\"id\":");
    buffer_append_u64(line, event->id);
    buffer_append_string(line, ",\"channel\":");
    json_append_string(line, event->channel);
    buffer_append_string(line, ",\"time\":");
    buffer_append_u64(line, (uint64_t)event->time_ms);
    if (event->amended_by != 0) {
        buffer_append_string(line, event->is_withdrawn ? ",\"withdrawn_by\":"
                                                       : ",\"corrected_by\":");
        buffer_append_u64(line, event->amended_by);
    }
    if (!event->is_withdrawn) {
        buffer_append_string(line, ",\"type\":");
        json_append_string(line, event->type);
        buffer_append_string(line, ",\"data\":");
        json_append_string(line, event->data);
    }
    buffer_append_string(line, "}\n");
    fwrite(line->bytes, 1, line->length, stdout);
    command->given += 1;
}

static unsigned left_of(const struct log_command *command)
{
    const uint64_t left = command->limit - command->given;

    return left < SLICE_EVENTS ? (unsigned)left : SLICE_EVENTS;
}

static int dump(struct log_command *command)
{
    struct journal_query query = {.after = command->after,
                                  .max_bytes = SLICE_BYTES,
                                  .max_scanned = SLICE_SCANNED,
                                  .shows_withdrawn = true};
    struct journal_slice slice = {.is_end = false};
    struct journal_reader *reader;
    int exit_code = EXIT_DONE;

    if (journal_reader_open(command->journal, &reader) != ST_OK)
        return cli_fail(EXIT_FAILED, "cannot read the journal");
    if (command->channel != NULL) {
        query.wants = is_wanted;
        query.wants_arg = command;
    }
    while (!slice.is_end && command->given < command->limit &&
           !ferror(stdout)) {
        enum status st;

        query.max_events = left_of(command);
        st = journal_read(reader, &query, print_event, command, &slice);
        query.after = slice.upto;
        if (st == ST_CORRUPT) {
            exit_code = cli_fail(EXIT_FAILED, "event %" PRIu64 " is damaged",
                                 slice.upto + 1);
            query.after = slice.upto + 1;
        } else if (st != ST_OK) {
            exit_code = cli_fail(EXIT_FAILED, "%s", status_text(st));
            break;
        }
    }
    journal_reader_close(&reader);
    if (fflush(stdout) != 0)
        exit_code = EXIT_FAILED;
    return exit_code;
}

/* ---- sessions ------------------------------------------------------------ */

static void append_member(struct buffer *line, const char *name,
                          uint64_t number)
{
    buffer_printf(line, ",\"%s\":%" PRIu64, name, number);
}

static void print_session(void *arg, struct text name,
                          const struct session_row *row)
{
    struct log_command *command = arg;
    struct buffer *line = &command->line;

    if (row == NULL)
        return; /* verify tells of damaged ones */
    line->length = 0;
    buffer_append_string(line, "{\"session\":");
    json_append_string(line, name);
    append_member(line, "acked", row->acked);
    append_member(line, "sent", row->sent);
    append_member(line, "updated", (uint64_t)row->touched_ms);
    if (row->born != 0) {
        append_member(line, "born", row->born);
        append_member(line, "version", row->version);
        buffer_append_string(line, row->is_owed ? ",\"owed\":true" : "");
    }
    buffer_append_string(line, "}\n");
    fwrite(line->bytes, 1, line->length, stdout);
}

static int list_sessions(struct log_command *command)
{
    const enum status st =
        journal_each_session(command->journal, print_session, command);

    if (st != ST_OK)
        return cli_fail(EXIT_FAILED, "%s", status_text(st));
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* ---- verify -------------------------------------------------------------- */

static void print_finding(void *arg, const char *finding)
{
    (void)arg;
    printf("%s\n", finding);
}

static int verify(struct log_command *command)
{
    struct verify_result result;
    const enum status st =
        journal_verify(command->journal, print_finding, NULL, &result);

    if (st != ST_OK && st != ST_CORRUPT)
        return cli_fail(EXIT_FAILED, "%s", status_text(st));
    printf("%" PRIu64 " events in %u channels, %" PRIu64 " corrected, %" PRIu64
           " withdrawn, %u sessions: %" PRIu64 " findings\n",
           result.events, result.channels, result.corrected, result.withdrawn,
           result.sessions, result.findings);
    return result.findings > 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the command --------------------------------------------------------- */

/* clang-format off */
static const struct verb {
    const char *name;
    int (*run)(struct log_command *command);
} verbs[] = {
    {"stat",     stat_journal},
    {"dump",     dump},
    {"sessions", list_sessions},
    {"verify",   verify},
};
/* clang-format on */

static const struct verb *find_verb(int argc, char **argv)
{
    for (size_t i = 0; argc == 1 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[0], verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

static bool read_number(const char *text, uint64_t *number)
{
    unsigned long value;

    if (text == NULL)
        return true;
    if (!option_number(text, 0, UINT64_MAX, &value))
        return false;
    *number = value;
    return true;
}

static int run(const struct verb *verb, const char *directory,
               struct log_command *command)
{
    int exit_code;

    if (open_journal(directory, &command->journal) != ST_OK)
        return EXIT_FAILED;
    buffer_init(&command->line);
    exit_code = verb->run(command);
    buffer_fini(&command->line);
    journal_close(&command->journal);
    return exit_code;
}

int cli_log(int argc, char **argv)
{
    const char *directory = "tidings-data";
    const char *after = NULL;
    const char *limit = NULL;
    struct log_command command = {.limit = UINT64_MAX};
    const struct option rows[] = {
        {"data", "DIR", &directory, NULL, "the data directory: tidings-data"},
        {"channel", "SELECTOR", &command.channel, NULL,
         "dump only the channels it covers"},
        {"after", "ID", &after, NULL, "dump only the events after this id"},
        {"limit", "N", &limit, NULL, "dump at most so many"},
    };
    const struct options options = {
        "tidings log stat|dump|sessions|verify [--data DIR]",
        "Looks into a data directory without changing it, beside a running\n"
        "server or not. stat: what is in it. dump: the events, a JSON object\n"
        "per line. sessions: the positions that are kept, likewise.\n"
        "verify: checks checksums, ids, times, chains and figures,\n"
        "tells what is wrong and ends with 1 if anything is.\n",
        rows, sizeof rows / sizeof rows[0]};
    const struct verb *verb;
    int exit_code;

    if (!options_read(&options, &argc, argv, &exit_code))
        return exit_code;
    verb = find_verb(argc, argv);
    if (verb == NULL)
        return cli_fail(EXIT_USAGE, "usage: %s", options.usage);
    if (!read_number(after, &command.after) ||
        !read_number(limit, &command.limit))
        return cli_fail(EXIT_USAGE, "--after and --limit take whole numbers");
    if (command.channel != NULL && !selector_is_valid(text_of(command.channel)))
        return cli_fail(EXIT_USAGE, "--channel is no channel or pattern");
    return run(verb, directory, &command);
}
