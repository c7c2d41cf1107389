/* schedule.c -- reading windows, and finding the one that is now or next.
 *
 * Weeks are kept as seconds from Monday 00:00 on the clock and made into
 * instants when somebody asks, for the weeks around that moment: their instants
 * depend on the date. Dates are made into instants once, when they are read.
 */
#include <tidings/schedule.h>

#include "civil.h"
#include "zone.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <time.h>

enum { MONDAY_OFFSET_S = 3 * DAY_S /* 1970-01-01 was a Thursday */ };

void schedule_init(struct schedule *schedule)
{
    *schedule = (struct schedule){.week_count = 0};
    tzset(); /* localtime_r need not look at TZ by itself */
}

void schedule_fini(struct schedule *schedule)
{
    free(schedule->dates);
    *schedule = (struct schedule){.week_count = 0};
}

/* ---- reading
 * -------------------------------------------------------------------- */

static enum status wrong(const char *why, const char **why_out)
{
    *why_out = why;
    return ST_BAD_INPUT;
}

static bool take_dots(struct text *rest)
{
    civil_skip_blanks(rest);
    if (rest->length < 2 || memcmp(rest->bytes, "..", 2) != 0)
        return false;
    rest->bytes += 2;
    rest->length -= 2;
    civil_skip_blanks(rest);
    return true;
}

static bool take_weekday(struct text *rest, int64_t *seconds_out)
{
    static const char days[] = "montuewedthufrisatsun";

    if (rest->length < 3)
        return false;
    for (unsigned day = 0; day < 7; day++) {
        unsigned same = 0;

        while (same < 3 && (rest->bytes[same] | 0x20) == days[day * 3 + same])
            same++;
        if (same < 3)
            continue;
        rest->bytes += 3;
        rest->length -= 3;
        *seconds_out = (int64_t)day * DAY_S;
        return true;
    }
    return false;
}

/* The time of day that stands behind a day and at least one blank. */
static bool take_time_behind(struct text *rest, int64_t *seconds_out)
{
    if (rest->length == 0 || rest->bytes[0] != ' ')
        return false;
    civil_skip_blanks(rest);
    return civil_take_time(rest, false, true, seconds_out);
}

static bool take_week_time(struct text *rest, int64_t *seconds_out)
{
    int64_t day, time;

    if (!take_weekday(rest, &day) || !take_time_behind(rest, &time))
        return false;
    *seconds_out = (day + time) % WEEK_S;
    return true;
}

static enum status take_week(struct text *rest, struct week_window *week_out,
                             const char **why_out)
{
    int64_t begin, end;

    civil_skip_blanks(rest);
    if (!take_week_time(rest, &begin) || !take_dots(rest) ||
        !take_week_time(rest, &end))
        return wrong("a window is two times of the week, such as "
                     "Fri 17:00 .. Sun 17:00",
                     why_out);
    civil_skip_blanks(rest);
    if (begin == end)
        return wrong("a window ends where it begins", why_out);
    *week_out = (struct week_window){
        .begin_s = (int32_t)begin,
        .length_s = (int32_t)((end - begin + WEEK_S) % WEEK_S)};
    return ST_OK;
}

/* From the begin of one on, as far as they go without a pause: a whole week? */
static bool is_always(const struct schedule *schedule)
{
    int32_t at = schedule->weeks[0].begin_s;
    int32_t total = 0, gain;

    do {
        gain = 0;
        for (unsigned i = 0; i < schedule->week_count; i++) {
            const struct week_window *week = &schedule->weeks[i];
            int32_t inside = (at - week->begin_s + WEEK_S) % WEEK_S;

            if (week->length_s - inside > gain)
                gain = week->length_s - inside;
        }
        total += gain;
        at = (at + gain) % WEEK_S;
    } while (gain > 0 && total < WEEK_S);
    return total >= WEEK_S;
}

enum status schedule_read_weeks(struct schedule *schedule, struct text text,
                                const char **why_out)
{
    struct schedule fresh = {.week_count = 0};
    struct text rest = text;
    enum status st;

    civil_skip_blanks(&rest);
    while (rest.length > 0) {
        if (fresh.week_count == SCHEDULE_WEEKS_MAX)
            return wrong("there are more than 32 windows", why_out);
        st = take_week(&rest, &fresh.weeks[fresh.week_count++], why_out);
        if (st != ST_OK)
            return st;
        if (rest.length == 0)
            break;
        if (!civil_take_char(&rest, ',') || rest.length == 0)
            return wrong("between two windows is a comma", why_out);
    }
    if (fresh.week_count > 0 && is_always(&fresh))
        return wrong("the windows leave no time of the week open", why_out);
    memcpy(schedule->weeks, fresh.weeks, sizeof fresh.weeks);
    schedule->week_count = fresh.week_count;
    return ST_OK;
}

bool schedule_weeks_are_valid(struct text text)
{
    struct schedule schedule;
    const char *why;

    schedule_init(&schedule);
    return schedule_read_weeks(&schedule, text, &why) == ST_OK;
}

static bool take_date_time(struct text *rest, int64_t *civil_out)
{
    int64_t date, time;

    if (!civil_take_date(rest, &date) || !take_time_behind(rest, &time))
        return false;
    *civil_out = date + time;
    return true;
}

/* ST_EMPTY: a line without a window. */
static enum status read_date(struct text line, struct window *window_out,
                             const char **why_out)
{
    const char *comment = memchr(line.bytes, '#', line.length);
    int64_t begin, end;

    if (comment != NULL)
        line.length = (size_t)(comment - line.bytes);
    if (line.length > 0 && line.bytes[line.length - 1] == '\r')
        line.length--;
    civil_skip_blanks(&line);
    if (line.length == 0)
        return ST_EMPTY;
    if (!take_date_time(&line, &begin) || !take_dots(&line) ||
        !take_date_time(&line, &end))
        return wrong("a line is two times, such as "
                     "2026-12-24 12:00 .. 2026-12-27 08:00",
                     why_out);
    civil_skip_blanks(&line);
    if (line.length > 0)
        return wrong("something follows the window", why_out);
    if (end <= begin)
        return wrong("the window does not end after it begins", why_out);
    *window_out = (struct window){.begin_ms = zone_first(begin) * 1000,
                                  .end_ms = zone_last(end) * 1000};
    return ST_OK;
}

static struct text take_line(struct text *rest)
{
    const char *end = memchr(rest->bytes, '\n', rest->length);
    struct text line = *rest;

    if (end != NULL)
        line.length = (size_t)(end - rest->bytes);
    rest->bytes += line.length + (end != NULL);
    rest->length -= line.length + (end != NULL);
    return line;
}

enum status schedule_read_dates(struct schedule *schedule, struct text text,
                                unsigned *line_out, const char **why_out)
{
    struct window *dates =
        must_calloc(SCHEDULE_DATES_MAX, sizeof(struct window));
    unsigned count = 0, line = 0;
    enum status st = ST_OK;

    while (text.length > 0) {
        struct window window;

        line++;
        st = read_date(take_line(&text), &window, why_out);
        if (st == ST_EMPTY)
            continue;
        if (st == ST_OK && count == SCHEDULE_DATES_MAX)
            st = wrong("there are more than 1000 windows", why_out);
        if (st != ST_OK) {
            *line_out = line;
            free(dates);
            return st;
        }
        dates[count++] = window;
    }
    free(schedule->dates);
    schedule->dates = dates;
    schedule->date_count = count;
    return ST_OK;
}

/* ---- asking
 * ---------------------------------------------------------------------- */

/* The window of one week's row, so many weeks from the one that is now. */
static struct window instants_of(const struct week_window *week, int64_t now_s,
                                 int offset)
{
    int64_t civil = zone_civil(now_s) + MONDAY_OFFSET_S;
    int64_t into_week = (civil % WEEK_S + WEEK_S) % WEEK_S;
    int64_t monday = civil - into_week - MONDAY_OFFSET_S;
    int64_t begin = monday + (int64_t)offset * WEEK_S + week->begin_s;

    return (struct window){.begin_ms = zone_first(begin) * 1000,
                           .end_ms = zone_last(begin + week->length_s) * 1000};
}

static void stretch(const struct window *window, int64_t at_ms, int64_t *end_ms)
{
    if (window->begin_ms <= at_ms && at_ms < window->end_ms &&
        window->end_ms > *end_ms)
        *end_ms = window->end_ms;
}

/* The latest end of a window around this moment, or the moment itself. */
static int64_t end_around(const struct schedule *schedule, int64_t at_ms)
{
    int64_t end_ms = at_ms;

    for (unsigned i = 0; i < schedule->date_count; i++)
        stretch(&schedule->dates[i], at_ms, &end_ms);
    for (unsigned i = 0; i < schedule->week_count; i++)
        for (int offset = -1; offset <= 1; offset++) {
            struct window window =
                instants_of(&schedule->weeks[i], at_ms / 1000, offset);

            stretch(&window, at_ms, &end_ms);
        }
    return end_ms;
}

bool schedule_covers(const struct schedule *schedule, int64_t now_ms,
                     int64_t *end_ms_out)
{
    int64_t at_ms = now_ms, end_ms = end_around(schedule, now_ms);

    if (end_ms == now_ms)
        return false;
    /* Each date is gone through at most once, and the weeks leave a pause. */
    for (unsigned i = 0;
         end_ms > at_ms && i < SCHEDULE_DATES_MAX + SCHEDULE_WEEKS_MAX; i++) {
        at_ms = end_ms;
        end_ms = end_around(schedule, at_ms);
    }
    *end_ms_out = end_ms;
    return true;
}

static void choose(const struct window *window, int64_t now_ms,
                   struct window *next)
{
    if (window->begin_ms > now_ms && window->begin_ms < window->end_ms &&
        window->begin_ms < next->begin_ms)
        *next = *window;
}

bool schedule_next(const struct schedule *schedule, int64_t now_ms,
                   struct window *next_out)
{
    struct window next = {INT64_MAX, INT64_MAX};

    for (unsigned i = 0; i < schedule->date_count; i++)
        choose(&schedule->dates[i], now_ms, &next);
    for (unsigned i = 0; i < schedule->week_count; i++)
        for (int offset = 0; offset <= 2; offset++) {
            struct window window =
                instants_of(&schedule->weeks[i], now_ms / 1000, offset);

            choose(&window, now_ms, &next);
        }
    if (next.begin_ms == INT64_MAX)
        return false;
    (void)schedule_covers(schedule, next.begin_ms, &next.end_ms);
    *next_out = next;
    return true;
}
