/* announcement.h -- the scheduled shutdown in texts: what is asked, kept, told.
 *
 * Told (protocol.md 8): {"action":"scheduled_shutdown","until":..,
 * "until_secs":..}. Asked: the body of POST /admin/shutdown. Kept: the file
 * shutdown.txt in the data directory, whose text is a time, or "open" and a
 * time when the rest of a window of the schedule was cancelled. From that note
 * and the schedule follows what holds at a moment.
 *
 * Threads   Any.
 * Memory    None kept; buffers are the caller's.
 * Units     Wall milliseconds; 0: none.
 * Errors    ST_BAD_INPUT with a fixed sentence.
 */
#ifndef TIDINGS_ANNOUNCEMENT_H
#define TIDINGS_ANNOUNCEMENT_H

#include <tidings/buffer.h>
#include <tidings/schedule.h>

#define ANNOUNCED_AHEAD_MAX_MS (INT64_C(31) * 24 * 60 * 60 * 1000)

/* The members alone, without braces. */
void announcement_append_members(struct buffer *out, int64_t until_ms,
                                 int64_t now_ms);

/* Whole seconds left, rounded up, at least one. */
int64_t announcement_seconds(int64_t until_ms, int64_t now_ms);

/* May it be asked for now? Neither over nor too far ahead. */
enum status announcement_check(int64_t until_ms, int64_t now_ms,
                               const char **why_out) MUST_USE;

/* {"until":"2014-03-02T22:00:00Z"} */
enum status announcement_read_order(struct text json, int64_t *until_ms_out,
                                    const char **why_out) MUST_USE;

/* What the file says; both 0: nothing. At most one is set. */
struct note {
    int64_t shut_until_ms;
    int64_t open_until_ms;
};

enum status note_read(struct text text, struct note *note_out,
                      const char **why_out) MUST_USE;
void note_append(struct buffer *out, const struct note *note);

/* The note is over at this moment: it says nothing any more. */
bool note_is_over(const struct note *note, int64_t now_ms);

/* Until when browsers stay away; 0: they need not. A shutdown by the note that
 * ends inside a window of the schedule goes on to the window's end. */
int64_t note_shutdown_until(const struct note *note,
                            const struct schedule *schedule, int64_t now_ms);

/* The note that ends what holds now: nothing, or the window's rest open. */
struct note note_cancelled(const struct schedule *schedule, int64_t now_ms);

#endif
