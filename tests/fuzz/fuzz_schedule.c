/* fuzz_schedule.c -- windows of weeks and dates, notes, orders, times.
 *
 * A schedule that is accepted leaves some time open: the windows that it finds,
 * one after the other over a change of the clocks, begin after they were asked
 * for and end, and what is inside one ends with it. A time that is accepted is
 * read again as it is written.
 */
#include "fuzz.h"

#include <tidings/announcement.h>

#include <stdlib.h>

enum { WINDOWS_LOOKED_AT = 3 };

#define BEFORE_A_CHANGE_MS INT64_C(1774600000000) /* 2026-03-27, Berlin */

static void check_windows(const struct schedule *schedule)
{
    int64_t now_ms = BEFORE_A_CHANGE_MS, end_ms;

    for (int i = 0; i < WINDOWS_LOOKED_AT; i++) {
        struct window next;

        if (schedule_covers(schedule, now_ms, &end_ms))
            CHECK(end_ms > now_ms);
        if (!schedule_next(schedule, now_ms, &next))
            return;
        CHECK(next.begin_ms > now_ms && next.end_ms > next.begin_ms);
        CHECK(schedule_covers(schedule, next.begin_ms, &end_ms));
        CHECK(end_ms == next.end_ms);
        now_ms = next.end_ms;
    }
}

static void check_schedule(struct text text)
{
    struct schedule schedule;
    const char *why = NULL;
    unsigned line = 0;

    schedule_init(&schedule);
    if (schedule_read_weeks(&schedule, text, &why) != ST_OK)
        CHECK(why != NULL && schedule.week_count == 0);
    if (schedule_read_dates(&schedule, text, &line, &why) != ST_OK)
        CHECK(why != NULL && line > 0 && schedule.date_count == 0);
    check_windows(&schedule);
    schedule_fini(&schedule);
}

static void check_note(struct text text)
{
    struct note note, again;
    struct buffer out;
    const char *why = NULL;

    if (note_read(text, &note, &why) != ST_OK) {
        CHECK(why != NULL);
        return;
    }
    CHECK(note.shut_until_ms == 0 || note.open_until_ms == 0);
    if (note.shut_until_ms < 0 || note.open_until_ms < 0)
        return; /* before 1970: over long ago */
    buffer_init(&out);
    note_append(&out, &note);
    CHECK(note_read(buffer_text(&out), &again, &why) == ST_OK);
    CHECK(again.shut_until_ms == note.shut_until_ms);
    CHECK(again.open_until_ms == note.open_until_ms);
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = text_of_input(data, size);
    const char *why = NULL;
    int64_t until_ms;

    CHECK(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1) == 0);
    check_schedule(text);
    check_note(text);
    if (announcement_read_order(text, &until_ms, &why) != ST_OK)
        CHECK(why != NULL);
    return 0;
}
