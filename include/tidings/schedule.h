/* schedule.h -- windows of time: of every week, and of dates.
 *
 * Times are those of the clock on the wall (the zone of TZ, else the system's).
 * A window begins and ends when the clock shows its times: if the clock shows
 * one twice, it begins at the first and ends at the last; a time that the clock
 * jumps over is the instant of the jump. The end does not belong to the window.
 * Windows that touch or overlap are one.
 *
 *     Fri 17:00 .. Sun 17:00, Wed 02:00 .. Wed 02:30       weeks
 *     2026-12-24 12:00 .. 2026-12-27 08:00   # holidays    dates, one per line
 *
 * Threads   Any; the caller sees to it that none reads while another changes.
 * Memory    fini frees the dates.
 * Units     Wall milliseconds.
 * Errors    ST_BAD_INPUT with a fixed sentence; the schedule is then unchanged.
 */
#ifndef TIDINGS_SCHEDULE_H
#define TIDINGS_SCHEDULE_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

enum { SCHEDULE_WEEKS_MAX = 32, SCHEDULE_DATES_MAX = 1000 };

struct window {
    int64_t begin_ms, end_ms;
};

/* From Monday 00:00; shorter than a week, perhaps over its end. */
struct week_window {
    int32_t begin_s, length_s;
};

struct schedule {
    struct week_window weeks[SCHEDULE_WEEKS_MAX];
    unsigned week_count;
    struct window *dates;
    unsigned date_count;
};

void schedule_init(struct schedule *schedule);
void schedule_fini(struct schedule *schedule);

/* The windows of every week. Empty: none. */
enum status schedule_read_weeks(struct schedule *schedule, struct text text,
                                const char **why_out) MUST_USE;

/* For the settings: can it be read? */
bool schedule_weeks_are_valid(struct text text);

/* Lines of dates; `*line_out` is the number of the one that is wrong. */
enum status schedule_read_dates(struct schedule *schedule, struct text text,
                                unsigned *line_out,
                                const char **why_out) MUST_USE;

/* Is this inside a window? Then when that ends, with those that follow it
 * without a pause. */
bool schedule_covers(const struct schedule *schedule, int64_t now_ms,
                     int64_t *end_ms_out);

/* The first window that begins after `now_ms`. */
bool schedule_next(const struct schedule *schedule, int64_t now_ms,
                   struct window *next_out);

#endif
