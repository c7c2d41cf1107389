/* shutdown.c -- one look a second: what holds, and was it told?
 *
 *     look      read the file; remove it when its time has passed
 *     settle    what follows from file, schedule and clock; told if it changed
 *     answer    a question: write the file if asked to, settle, answer
 *
 * Nothing is remembered that is not in the file or the settings, so a start is
 * a look like any other, and a restart in the middle of a shutdown goes on with
 * it. A look is an open() that usually finds nothing.
 *
 * Somebody may be writing the file at this moment with an editor: a text that
 * makes no sense counts only when the next look finds the same. Then it is
 * logged once, and is as if there were no file.
 */
#include <tidings/shutdown.h>

#include "shutdown_file.h"

#include "base/seeded_bug.h"

#include <tidings/announcement.h>
#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/connection.h>
#include <tidings/http.h>
#include <tidings/list.h>
#include <tidings/logger.h>
#include <tidings/metrics.h>
#include <tidings/wire.h>

#include <stdio.h>
#include <stdlib.h>

enum {
    NOTE_BYTES_MAX = 256,
    DATES_BYTES_MAX = 65536,
    LOOK_MS = 1000,
    QUESTIONS_MAX = 64
};

struct shutdown {
    struct server *server;    /* fixed at start */
    struct schedule schedule; /* fixed at start */
    char *path;               /* fixed at start */
    struct mailbox questions; /* any thread */
    uv_async_t wake;          /* any thread */

    /* Main only. */
    struct metrics metrics;
    uv_timer_t timer;
    struct buffer seen; /* the file's text at the last look; empty: none */
    const char *bad;    /* why that is no note, if so; NULL */
    bool has_logged_bad, has_logged_stuck;
    struct note note;
    int64_t next_look_ms; /* monotonic */
    int64_t told_ms;      /* what the crews were told last */
};

/* ---- the schedule
 * ---------------------------------------------------------------- */

static enum status read_dates(const char *path, struct schedule *schedule,
                              char *why, size_t why_bytes)
{
    const char *reason = "";
    unsigned line = 0;
    struct buffer text;
    enum status st;

    buffer_init(&text);
    st = small_file_read(path, DATES_BYTES_MAX, &text);
    if (st != ST_OK) {
        (void)snprintf(why, why_bytes, "cannot read shutdown_dates %s: %s",
                       path, status_text(st));
    } else {
        st = schedule_read_dates(schedule, buffer_text(&text), &line, &reason);
        if (st != ST_OK)
            (void)snprintf(why, why_bytes, "%s:%u: %s", path, line, reason);
    }
    buffer_fini(&text);
    return st;
}

enum status shutdown_read_schedule(const struct config *config,
                                   struct schedule *schedule, char *why,
                                   size_t why_bytes)
{
    const char *reason = "";
    enum status st;

    schedule_init(schedule);
    st = schedule_read_weeks(schedule, text_of(config->shutdown), &reason);
    if (st != ST_OK) {
        (void)snprintf(why, why_bytes, "shutdown: %s", reason);
        return st;
    }
    if (config->shutdown_dates[0] == '\0')
        return ST_OK;
    st = read_dates(config->shutdown_dates, schedule, why, why_bytes);
    if (st != ST_OK)
        schedule_fini(schedule);
    return st;
}

/* ---- the file
 * -------------------------------------------------------------------- */

static void remember(struct shutdown *shutdown, struct text text)
{
    shutdown->seen.length = 0;
    buffer_append_text(&shutdown->seen, text);
}

static void log_bad(struct shutdown *shutdown)
{
    if (shutdown->has_logged_bad)
        return;
    shutdown->has_logged_bad = true;
    LOG_LINE(LOG_WARN, "main", "the file of the shutdown is ignored",
             LOG_STR("file", shutdown->path), LOG_STR("why", shutdown->bad));
}

/* What stands there for the first time. */
static void take_note(struct shutdown *shutdown, struct text text,
                      int64_t now_ms)
{
    struct note note = {0, 0};

    remember(shutdown, text);
    shutdown->has_logged_bad = shutdown->has_logged_stuck = false;
    shutdown->bad = NULL;
    if (note_read(text, &note, &shutdown->bad) == ST_OK &&
        note.shut_until_ms - now_ms > ANNOUNCED_AHEAD_MAX_MS)
        shutdown->bad = "its time is more than 31 days ahead";
    if (shutdown->bad == NULL)
        shutdown->note = note;
}

static void forget_note(struct shutdown *shutdown)
{
    shutdown->note = (struct note){0, 0};
    shutdown->bad = NULL;
    shutdown->seen.length = 0;
}

static void look_at_text(struct shutdown *shutdown, struct text text,
                         int64_t now_ms)
{
    bool is_same = text_equals(text, buffer_text(&shutdown->seen)) &&
                   (text.length > 0 || shutdown->bad != NULL);

    if (!is_same) {
        take_note(shutdown, text, now_ms);
    } else if (shutdown->bad != NULL) {
        shutdown->note = (struct note){0, 0};
        log_bad(shutdown);
    }
}

static void look_at_file(struct shutdown *shutdown, int64_t now_ms)
{
    struct buffer text;
    enum status st;

    buffer_init(&text);
    st = small_file_read(shutdown->path, NOTE_BYTES_MAX, &text);
    if (st == ST_NOT_FOUND)
        forget_note(shutdown);
    else if (st == ST_OK || st == ST_TOO_BIG)
        look_at_text(shutdown, buffer_text(&text), now_ms);
    buffer_fini(&text); /* else: the disk's bad luck; what was known counts */
}

static void remove_passed(struct shutdown *shutdown, int64_t now_ms)
{
    enum status st;

    if (shutdown->seen.length == 0 || shutdown->bad != NULL ||
        !note_is_over(&shutdown->note, now_ms))
        return;
    st = small_file_remove(shutdown->path);
    if (st == ST_OK || st == ST_NOT_FOUND) {
        LOG_LINE(LOG_INFO, "main", "the time in the shutdown's file has passed",
                 LOG_STR("file", shutdown->path));
        forget_note(shutdown);
    } else if (!shutdown->has_logged_stuck) {
        shutdown->has_logged_stuck = true;
        LOG_LINE(LOG_WARN, "main", "cannot remove the shutdown's file",
                 LOG_STR("file", shutdown->path),
                 LOG_STR("status", status_text(st)));
    }
}

/* ---- what holds
 * ------------------------------------------------------------------ */

static void log_change(const struct shutdown *shutdown, int64_t until_ms,
                       int64_t now_ms)
{
    struct buffer until;

    if (until_ms == 0) {
        LOG_LINE(LOG_INFO, "main", "the scheduled shutdown is over",
                 LOG_STR("how", shutdown->told_ms <= now_ms ? "its time came"
                                                            : "cancelled"));
        return;
    }
    buffer_init(&until);
    time_append_iso(&until, until_ms);
    LOG_LINE(LOG_INFO, "main", "scheduled shutdown: browsers stay away",
             LOG_TXT("until", buffer_text(&until)),
             LOG_STR("by", shutdown->note.shut_until_ms > now_ms ? "request"
                                                                 : "schedule"));
    buffer_fini(&until);
}

static void set_metric(struct shutdown *shutdown, enum metric metric,
                       int64_t value)
{
    metrics_add(&shutdown->metrics, metric,
                value - atomic_load_explicit(&shutdown->metrics.value[metric],
                                             memory_order_relaxed));
}

static void settle(struct shutdown *shutdown, int64_t now_ms)
{
    int64_t until_ms =
        note_shutdown_until(&shutdown->note, &shutdown->schedule, now_ms);

    if (until_ms == shutdown->told_ms)
        return;
    log_change(shutdown, until_ms, now_ms);
    shutdown->told_ms = until_ms;
    set_metric(shutdown, METRIC_shutdown_active, until_ms != 0);
    set_metric(shutdown, METRIC_shutdown_until, until_ms / 1000);
    server_announce(shutdown->server, until_ms);
}

static void on_time(uv_timer_t *timer);

/* When the next look is due, or what holds now ends. Questions do not put the
 * look off. */
static void arm(struct shutdown *shutdown, int64_t now_ms)
{
    int64_t after_ms =
        shutdown->next_look_ms - clock_monotonic_ms(&system_clock);

    if (after_ms < 0)
        after_ms = 0;
    if (shutdown->told_ms > now_ms && shutdown->told_ms - now_ms < after_ms)
        after_ms = shutdown->told_ms - now_ms;
    CHECK(uv_timer_start(&shutdown->timer, on_time, (uint64_t)after_ms, 0) ==
          0);
}

static void look(struct shutdown *shutdown)
{
    int64_t now_ms = clock_wall_ms(&system_clock);

    shutdown->next_look_ms = clock_monotonic_ms(&system_clock) + LOOK_MS;
    look_at_file(shutdown, now_ms);
    remove_passed(shutdown, now_ms);
    settle(shutdown, now_ms);
}

static void on_time(uv_timer_t *timer)
{
    struct shutdown *shutdown = timer->data;

    look(shutdown);
    arm(shutdown, clock_wall_ms(&system_clock));
}

/* ---- questions
 * ------------------------------------------------------------------- */

static enum status write_note(struct shutdown *shutdown,
                              const struct note *note, int64_t now_ms)
{
    struct buffer text;
    enum status st;

    if (note->shut_until_ms == 0 && note->open_until_ms == 0) {
        st = small_file_remove(shutdown->path);
        if (st == ST_NOT_FOUND)
            st = ST_OK;
        if (st == ST_OK)
            forget_note(shutdown);
        return st;
    }
    buffer_init(&text);
    note_append(&text, note);
    st = seeded_bug("shutdown-unstored")
             ? ST_OK
             : small_file_replace(shutdown->path, buffer_text(&text));
    if (st == ST_OK)
        take_note(shutdown, buffer_text(&text), now_ms);
    buffer_fini(&text);
    return st;
}

static enum status fulfil(struct shutdown *shutdown,
                          const struct shutdown_question *question,
                          int64_t now_ms)
{
    struct note note = {question->until_ms, 0};

    switch (question->wish) {
    case SHUTDOWN_TELL:
        return ST_OK;
    case SHUTDOWN_CANCEL:
        note = note_cancelled(&shutdown->schedule, now_ms);
        break;
    case SHUTDOWN_BEGIN:
        break;
    }
    return write_note(shutdown, &note, now_ms);
}

static void answer(struct shutdown *shutdown,
                   struct shutdown_question *question)
{
    int64_t now_ms = clock_wall_ms(&system_clock), after_ms;

    question->st = fulfil(shutdown, question, now_ms);
    if (question->st != ST_OK)
        LOG_LINE(LOG_ERROR, "main", "cannot write the shutdown's file",
                 LOG_STR("file", shutdown->path),
                 LOG_STR("status", status_text(question->st)));
    settle(shutdown, now_ms);
    question->shut_until_ms = shutdown->told_ms;
    after_ms = shutdown->told_ms != 0 ? shutdown->told_ms : now_ms;
    if (!schedule_next(&shutdown->schedule, after_ms, &question->next))
        question->next = (struct window){0, 0};
    connection_end_await(question->connection);
}

static void answer_all(struct shutdown *shutdown)
{
    struct msg *msg = mailbox_take(&shutdown->questions), *next;

    for (; msg != NULL; msg = next) {
        next = msg->next; /* the question is its asker's once answered */
        answer(shutdown, CONTAINER_OF(msg, struct shutdown_question, link));
    }
}

static void on_wake(uv_async_t *wake)
{
    struct shutdown *shutdown = wake->data;

    answer_all(shutdown);
    arm(shutdown, clock_wall_ms(&system_clock));
}

static void wake_main(void *arg)
{
    struct shutdown *shutdown = arg;

    (void)uv_async_send(&shutdown->wake);
}

enum status shutdown_ask(struct shutdown *shutdown,
                         struct shutdown_question *question)
{
    struct msg *link = &question->link;

    link->bytes = (uint32_t)sizeof *question;
    return mailbox_post(&shutdown->questions, &link);
}

/* ---- start and stop
 * -------------------------------------------------------------- */

static char *path_in(const char *directory)
{
    struct buffer path;

    buffer_init(&path);
    buffer_printf(&path, "%s/%s%c", directory, SHUTDOWN_FILE, '\0');
    return buffer_detach(&path);
}

enum status shutdown_start(const struct config *config, uv_loop_t *loop,
                           struct server *server,
                           struct shutdown **shutdown_out, char *why,
                           size_t why_bytes)
{
    struct shutdown *shutdown = must_calloc(1, sizeof *shutdown);
    enum status st =
        shutdown_read_schedule(config, &shutdown->schedule, why, why_bytes);

    if (st != ST_OK) {
        free(shutdown);
        return st;
    }
    shutdown->server = server;
    shutdown->path = path_in(config->data);
    buffer_init(&shutdown->seen);
    metrics_register(&shutdown->metrics);
    CHECK(uv_async_init(loop, &shutdown->wake, on_wake) == 0);
    CHECK(uv_timer_init(loop, &shutdown->timer) == 0);
    shutdown->wake.data = shutdown->timer.data = shutdown;
    mailbox_init(&shutdown->questions, "main", QUESTIONS_MAX,
                 QUESTIONS_MAX * sizeof(struct shutdown_question), wake_main,
                 shutdown);
    server_set_shutdown(server, shutdown);
    look(shutdown);
    arm(shutdown, clock_wall_ms(&system_clock));
    *shutdown_out = shutdown;
    return ST_OK;
}

void shutdown_stop(struct shutdown *shutdown)
{
    mailbox_close(&shutdown->questions);
    answer_all(shutdown);
    uv_close((uv_handle_t *)&shutdown->wake, NULL);
    uv_close((uv_handle_t *)&shutdown->timer, NULL);
}

void shutdown_destroy(struct shutdown **shutdown)
{
    struct shutdown *mine = *shutdown;

    *shutdown = NULL;
    if (mine == NULL)
        return;
    mailbox_fini(&mine->questions);
    schedule_fini(&mine->schedule);
    buffer_fini(&mine->seen);
    free(mine->path);
    free(mine);
}
