/* test_wire_schedule.c -- windows of wall-clock time, over changes of clocks.
 *
 * Expected instants are in UTC and were worked out from the zones' rules:
 * Berlin changes on 2026-03-29 and 2026-10-25 at 01:00 UTC, New York on
 * 2026-03-08 at 07:00 and 2026-11-01 at 06:00 UTC, Lord Howe by half an hour on
 * 2026-04-04 at 15:00 and 2026-10-03 at 15:30 UTC; Apia left out the whole
 * 2011-12-30.
 */
#include <tidings/announcement.h>
#include <tidings/schedule.h>
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static int64_t ms_of(const char *utc)
{
    int64_t ms = 0;

    if (utc == NULL)
        return 0;
    if (!time_parse(text_of(utc), &ms))
        fail_msg("no time: %s", utc);
    return ms;
}

static void go_to(const char *zone)
{
    const time_t winter = 0;
    struct tm shown;

    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
    if (localtime_r(&winter, &shown)->tm_hour == 0 && zone[0] != 'U')
        fail_msg("the zone %s is not installed", zone);
}

static void read_schedule(struct schedule *schedule, const char *weeks,
                          const char *dates)
{
    const char *why = "";
    unsigned line = 0;

    schedule_init(schedule);
    if (schedule_read_weeks(schedule, text_of(weeks), &why) != ST_OK ||
        schedule_read_dates(schedule, text_of(dates), &line, &why) != ST_OK)
        fail_msg("%s / %s: line %u: %s", weeks, dates, line, why);
}

/* ---- instants ------------------------------------------------------------ */

/* clang-format off */
static const struct {
    const char *text, *utc; /* NULL: no time */
} times[] = {
    {"2014-03-02T22:00:00Z",        "2014-03-02 22:00:00 UTC"},
    {"2014-03-02t22:00:00z",        "2014-03-02 22:00:00 UTC"},
    {"2014-03-02 22:00:00Z",        "2014-03-02 22:00:00 UTC"},
    {"2014-03-02T23:30:00+01:30",   "2014-03-02 22:00:00 UTC"},
    {"2014-03-01T23:00:00-23:00",   "2014-03-02 22:00:00 UTC"},
    {"2014-03-02T22:00:00.000Z",    "2014-03-02 22:00:00 UTC"},
    {"2014-03-02T22:00:00.123456789Z", "2014-03-02T22:00:00.123Z"},
    {"2014-03-02T22:00:00.5Z",      "2014-03-02T22:00:00.500Z"},
    {"2024-02-29T00:00:00Z",        "2024-02-29 00:00:00 UTC"},
    {"2000-02-29T00:00:00Z",        "2000-02-29 00:00:00 UTC"},
    {"1970-01-01T00:00:00+00:00",   "1970-01-01 00:00:00 UTC"},
    {"2023-02-29T00:00:00Z",        NULL},
    {"1900-02-29T00:00:00Z",        NULL},
    {"2014-13-02T22:00:00Z",        NULL},
    {"2014-00-02T22:00:00Z",        NULL},
    {"2014-03-00T22:00:00Z",        NULL},
    {"2014-04-31T22:00:00Z",        NULL},
    {"2014-03-02T24:00:00Z",        NULL},
    {"2014-03-02T22:60:00Z",        NULL},
    {"2014-03-02T22:00:60Z",        NULL},
    {"2014-03-02T22:00:00",         NULL},
    {"2014-03-02T22:00Z",           NULL},
    {"2014-03-02 22:00:00 CET",     NULL},
    {"2014-03-02 22:00:00 UTC ",    NULL},
    {"2014-03-02T22:00:00.Z",       NULL},
    {"2014-03-02T22:00:00+0100",    NULL},
    {"2014-03-02T22:00:00+24:00",   NULL},
    {"2014-03-02T22:00:00+01:60",   NULL},
    {" 2014-03-02T22:00:00Z",       NULL},
    {"2014-3-2T22:00:00Z",          NULL},
    {"1393797600",                  NULL},
    {"",                            NULL},
};
/* clang-format on */

static void test_a_time_says_its_offset(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        int64_t ms = -1;
        bool is_time = time_parse(text_of(times[i].text), &ms);

        if (is_time != (times[i].utc != NULL))
            fail_msg("%s: %s", times[i].text, is_time ? "taken" : "not taken");
        if (is_time)
            assert_int_equal(ms, ms_of(times[i].utc));
    }
}

static void test_a_time_that_is_written_is_read_again(void **state)
{
    (void)state;
    for (int64_t ms = INT64_C(-62167219200000); ms < INT64_C(253402300800000);
         ms += INT64_C(100000000007)) {
        struct buffer text;
        int64_t again = 0;

        buffer_init(&text);
        time_append_iso(&text, ms);
        assert_true(time_parse(buffer_text(&text), &again));
        assert_int_equal(again, ms);
        buffer_fini(&text);
    }
}

/* ---- windows -------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *zone, *weeks, *dates, *now;
    const char *end;               /* of the window that is now; NULL: none */
    const char *next, *next_end;   /* NULL: not asked */
} windows[] = {
    {"UTC", "Fri 17:00 .. Sun 17:00", "", "2026-03-06T16:59:59Z",
     NULL, "2026-03-06T17:00:00Z", "2026-03-08T17:00:00Z"},
    {"UTC", "Fri 17:00 .. Sun 17:00", "", "2026-03-06T17:00:00Z",
     "2026-03-08T17:00:00Z", "2026-03-13T17:00:00Z", "2026-03-15T17:00:00Z"},
    {"UTC", "Fri 17:00 .. Sun 17:00", "", "2026-03-08T16:59:59.999Z",
     "2026-03-08T17:00:00Z", NULL, NULL},
    {"UTC", "Fri 17:00 .. Sun 17:00", "", "2026-03-08T17:00:00Z",
     NULL, "2026-03-13T17:00:00Z", "2026-03-15T17:00:00Z"},
    /* over the end of the week, and nearly all of it */
    {"UTC", "Sun 23:00 .. Mon 01:00", "", "2026-03-02T00:30:00Z",
     "2026-03-02T01:00:00Z", "2026-03-08T23:00:00Z", "2026-03-09T01:00:00Z"},
    {"UTC", "Sun 23:00 .. Mon 01:00", "", "2026-03-08T23:00:00Z",
     "2026-03-09T01:00:00Z", NULL, NULL},
    {"UTC", "Mon 00:00:01 .. Mon 00:00", "", "2026-03-02T00:00:00Z",
     NULL, "2026-03-02T00:00:01Z", "2026-03-09T00:00:00Z"},
    {"UTC", "Mon 00:00:01 .. Mon 00:00", "", "2026-03-08T23:59:59Z",
     "2026-03-09T00:00:00Z", NULL, NULL},
    {"UTC", "Sat 00:00 .. Sun 24:00", "", "2026-03-08T23:59:59Z",
     "2026-03-09T00:00:00Z", NULL, NULL},
    {"UTC", "Wed 12:00:00 .. Wed 12:00:01", "", "2026-03-04T12:00:00.500Z",
     "2026-03-04T12:00:01Z", NULL, NULL},
    /* several: what touches or overlaps is one */
    {"UTC", "Fri 17:00 .. Sat 12:00 , sat 12:00..SUN 17:00", "", "2026-03-06T18:00:00Z",
     "2026-03-08T17:00:00Z", NULL, NULL},
    {"UTC", "Fri 17:00 .. Sat 12:00, Fri 18:00 .. Fri 19:00", "", "2026-03-06T18:30:00Z",
     "2026-03-07T12:00:00Z", NULL, NULL},
    {"UTC", "Mon 01:00 .. Mon 02:00, Thu 01:00 .. Thu 02:00", "", "2026-03-02T03:00:00Z",
     NULL, "2026-03-05T01:00:00Z", "2026-03-05T02:00:00Z"},
    /* dates */
    {"UTC", "", "# holidays\n\n2026-12-24 12:00 .. 2026-12-27 08:00 # all\r\n", "2026-12-25T00:00:00Z",
     "2026-12-27T08:00:00Z", NULL, NULL},
    {"UTC", "Sun 06:00 .. Mon 06:00", "2026-12-24 12:00 .. 2026-12-27 08:00", "2026-12-25T00:00:00Z",
     "2026-12-28T06:00:00Z", NULL, NULL},
    {"UTC", "", "2026-12-24 12:00 .. 2026-12-24 24:00\n2026-12-25 00:00 .. 2026-12-26 00:00", "2026-12-24T00:00:00Z",
     NULL, "2026-12-24T12:00:00Z", "2026-12-26T00:00:00Z"},
    {"UTC", "", "", "2026-12-24T00:00:00Z", NULL, NULL, NULL},
    /* clocks set forward and back during a window */
    {"Europe/Berlin", "Fri 17:00 .. Sun 17:00", "", "2026-03-27T15:59:59Z",
     NULL, "2026-03-27T16:00:00Z", "2026-03-29T15:00:00Z"},
    {"Europe/Berlin", "Fri 17:00 .. Sun 17:00", "", "2026-03-28T12:00:00Z",
     "2026-03-29T15:00:00Z", "2026-04-03T15:00:00Z", "2026-04-05T15:00:00Z"},
    {"Europe/Berlin", "Fri 17:00 .. Sun 17:00", "", "2026-10-24T12:00:00Z",
     "2026-10-25T16:00:00Z", NULL, NULL},
    /* times that do not exist: the instant of the jump */
    {"Europe/Berlin", "Sun 02:30 .. Sun 04:00", "", "2026-03-28T00:00:00Z",
     NULL, "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
    {"Europe/Berlin", "Sun 01:00 .. Sun 02:30", "", "2026-03-29T00:30:00Z",
     "2026-03-29T01:00:00Z", NULL, NULL},
    {"Europe/Berlin", "Sun 02:15 .. Sun 02:45", "", "2026-03-28T00:00:00Z",
     NULL, "2026-04-05T00:15:00Z", "2026-04-05T00:45:00Z"},
    {"Europe/Berlin", "", "2026-03-29 02:30 .. 2026-03-29 03:30", "2026-03-28T00:00:00Z",
     NULL, "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"},
    {"America/New_York", "Sun 02:30 .. Sun 06:00", "", "2026-03-07T00:00:00Z",
     NULL, "2026-03-08T07:00:00Z", "2026-03-08T10:00:00Z"},
    {"Australia/Lord_Howe", "Sun 02:15 .. Sun 03:00", "", "2026-10-03T00:00:00Z",
     NULL, "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"},
    {"Pacific/Apia", "", "2011-12-29 12:00 .. 2011-12-30 12:00", "2011-12-29T00:00:00Z",
     NULL, "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z"},
    {"Pacific/Apia", "", "2011-12-30 10:00 .. 2011-12-30 20:00", "2011-12-30T10:00:00Z",
     NULL, NULL, NULL},
    /* times that exist twice: from the first to the last */
    {"Europe/Berlin", "Sun 02:30 .. Sun 02:45", "", "2026-10-24T12:00:00Z",
     NULL, "2026-10-25T00:30:00Z", "2026-10-25T01:45:00Z"},
    {"Europe/Berlin", "Sun 02:30 .. Sun 02:45", "", "2026-10-25T01:00:00Z",
     "2026-10-25T01:45:00Z", NULL, NULL},
    {"America/New_York", "Sun 01:30 .. Sun 06:00", "", "2026-10-31T12:00:00Z",
     NULL, "2026-11-01T05:30:00Z", "2026-11-01T11:00:00Z"},
    {"Australia/Lord_Howe", "Sun 01:45 .. Sun 02:00", "", "2026-04-04T12:00:00Z",
     NULL, "2026-04-04T14:45:00Z", "2026-04-04T15:30:00Z"},
};
/* clang-format on */

static void test_windows_follow_the_clock_on_the_wall(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(windows); i++) {
        struct schedule schedule;
        struct window next = {0, 0};
        int64_t end = 0, now = ms_of(windows[i].now);

        go_to(windows[i].zone);
        read_schedule(&schedule, windows[i].weeks, windows[i].dates);
        assert_int_equal(schedule_covers(&schedule, now, &end),
                         windows[i].end != NULL);
        if (end != ms_of(windows[i].end))
            fail_msg("row %zu: ends at %lld", i, (long long)end);
        (void)schedule_next(&schedule, now, &next);
        if (windows[i].next != NULL &&
            (next.begin_ms != ms_of(windows[i].next) ||
             next.end_ms != ms_of(windows[i].next_end)))
            fail_msg("row %zu: next %lld to %lld", i, (long long)next.begin_ms,
                     (long long)next.end_ms);
        schedule_fini(&schedule);
    }
}

/* A year, hour by hour: inside is inside, and what is next begins and ends. */
static void test_the_next_window_begins_where_it_says(void **state)
{
    static const char *const zones[] = {
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"};

    (void)state;
    for (size_t z = 0; z < COUNT(zones); z++) {
        struct schedule schedule;
        int64_t now = ms_of("2026-01-01T00:00:00Z"), end;
        struct window next;

        go_to(zones[z]);
        read_schedule(&schedule,
                      "Sun 01:10 .. Sun 02:20, Wed 23:00 .. Thu 00:30", "");
        for (int hour = 0; hour < 366 * 24; hour++, now += 3600000) {
            assert_true(schedule_next(&schedule, now, &next));
            assert_true(now < next.begin_ms && next.begin_ms < next.end_ms);
            assert_true(schedule_covers(&schedule, next.begin_ms, &end));
            assert_int_equal(end, next.end_ms);
            assert_false(schedule_covers(&schedule, next.begin_ms - 1, &end) &&
                         end == next.end_ms);
            assert_false(schedule_covers(&schedule, next.end_ms, &end));
        }
        schedule_fini(&schedule);
    }
}

/* clang-format off */
static const char *const wrong_weeks[] = {
    "Fri 17:00", "Fri 17:00 ..", ".. Sun 17:00", "Fri 17:00 - Sun 17:00",
    "Fri 17:00 . Sun 17:00", "Friday 17:00 .. Sun 17:00", "Fre 17:00 .. Son 17:00",
    "17:00 .. 18:00", "Fri .. Sun", "Fri 25:00 .. Sun 17:00", "Fri 24:01 .. Sun 17:00",
    "Fri 17:60 .. Sun 17:00", "Fri 17 .. Sun 17", "Fri 7:00 .. Sun 17:00",
    "Fri 17:00 .. Fri 17:00", "Sun 24:00 .. Mon 00:00", "Fri 17:00 .. Sun 17:00,",
    "Fri 17:00 .. Sun 17:00 Mon 01:00 .. Mon 02:00", ",",
    "Fri 17:00 .. Sun 17:00, Sun 17:00 .. Fri 17:00",
    "Fri 17:00 .. Sun 17:00, Sat 00:00 .. Wed 00:00, Tue 00:00 .. Sat 00:00",
};

static const struct {
    const char *text;
    unsigned line;
} wrong_dates[] = {
    {"2026-12-24 12:00 .. 2026-12-24 12:00", 1},
    {"2026-12-27 08:00 .. 2026-12-24 12:00", 1},
    {"# ok\n2026-12-24 12:00 .. 2026-12-25 12:00\n2026-12-24 12:00", 3},
    {"2026-02-30 12:00 .. 2026-03-01 12:00", 1},
    {"\n\n2026-12-24T12:00 .. 2026-12-27 08:00\n", 3},
    {"2026-12-24 12:00 .. 2026-12-27 08:00 UTC", 1},
    {"Fri 17:00 .. Sun 17:00", 1},
};
/* clang-format on */

static void
test_what_is_no_schedule_is_refused_and_changes_nothing(void **state)
{
    struct schedule schedule;
    const char *why;
    unsigned line;

    (void)state;
    go_to("UTC");
    read_schedule(&schedule, "Mon 01:00 .. Mon 02:00",
                  "2026-12-24 12:00 .. 2026-12-25 12:00");
    for (size_t i = 0; i < COUNT(wrong_weeks); i++) {
        why = NULL;
        if (schedule_read_weeks(&schedule, text_of(wrong_weeks[i]), &why) ==
            ST_OK)
            fail_msg("taken: %s", wrong_weeks[i]);
        assert_non_null(why);
        assert_false(schedule_weeks_are_valid(text_of(wrong_weeks[i])));
    }
    for (size_t i = 0; i < COUNT(wrong_dates); i++) {
        line = 0;
        if (schedule_read_dates(&schedule, text_of(wrong_dates[i].text), &line,
                                &why) == ST_OK)
            fail_msg("taken: %s", wrong_dates[i].text);
        assert_int_equal(line, wrong_dates[i].line);
    }
    assert_int_equal(schedule.week_count, 1);
    assert_int_equal(schedule.date_count, 1);
    schedule_fini(&schedule);
}

static void test_there_are_limits_to_how_many(void **state)
{
    struct schedule schedule;
    struct buffer text;
    const char *why;
    unsigned line = 0;

    (void)state;
    go_to("UTC");
    schedule_init(&schedule);
    buffer_init(&text);
    for (int i = 0; i <= SCHEDULE_WEEKS_MAX; i++)
        buffer_append_string(&text, i == 0 ? "Mon 01:00 .. Mon 02:00"
                                           : ",Mon 01:00 .. Mon 02:00");
    assert_int_equal(schedule_read_weeks(&schedule, buffer_text(&text), &why),
                     ST_BAD_INPUT);
    text.length = 0;
    for (int i = 0; i <= SCHEDULE_DATES_MAX; i++)
        buffer_append_string(&text, "2026-12-24 12:00 .. 2026-12-25 12:00\n");
    assert_int_equal(
        schedule_read_dates(&schedule, buffer_text(&text), &line, &why),
        ST_BAD_INPUT);
    assert_int_equal(line, SCHEDULE_DATES_MAX + 1);
    buffer_fini(&text);
    schedule_fini(&schedule);
}

/* ---- the note and what holds ---------------------------------------------- */

#define WEEKEND "Fri 17:00 .. Sun 17:00"
#define FRIDAY  "2026-03-06T12:00:00Z"
#define INSIDE  "2026-03-07T12:00:00Z"
#define ITS_END "2026-03-08T17:00:00Z"

/* clang-format off */
static const struct {
    const char *note, *now, *until; /* NULL: nothing */
} verdicts[] = {
    {NULL,                             FRIDAY, NULL},
    {NULL,                             INSIDE, ITS_END},
    {"2026-03-06T13:00:00Z\n",         FRIDAY, "2026-03-06T13:00:00Z"},
    {" 2026-03-06 13:00:00 UTC\r\n",   FRIDAY, "2026-03-06T13:00:00Z"},
    {"2026-03-06T12:00:00Z",           FRIDAY, NULL}, /* has passed */
    {"2026-03-06T11:00:00Z",           INSIDE, ITS_END},
    {"2026-03-06T18:00:00Z",           FRIDAY, ITS_END}, /* goes over into it */
    {"2026-03-10T00:00:00Z",           INSIDE, "2026-03-10T00:00:00Z"},
    {"open 2026-03-08T17:00:00Z",      INSIDE, NULL},
    {"open 2026-03-07T11:00:00Z",      INSIDE, ITS_END}, /* has passed */
};

static const char *const wrong_notes[] = {
    "", " \n", "open", "open ", "now", "tomorrow", "1393797600",
    "shut 2026-03-08T17:00:00Z", "2026-03-08T17:00:00", "2026-03-08T17:00:00Z x",
    "2026-03-08T17:00:00Z\n2026-03-09T17:00:00Z",
};
/* clang-format on */

static void test_the_note_is_the_last_word_over_the_schedule(void **state)
{
    struct schedule schedule;
    const char *why;

    (void)state;
    go_to("UTC");
    read_schedule(&schedule, WEEKEND, "");
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        struct note note = {0, 0};
        int64_t until;

        if (verdicts[i].note != NULL)
            assert_int_equal(note_read(text_of(verdicts[i].note), &note, &why),
                             ST_OK);
        until = note_shutdown_until(&note, &schedule, ms_of(verdicts[i].now));
        if (until != ms_of(verdicts[i].until))
            fail_msg("row %zu: until %lld", i, (long long)until);
    }
    schedule_fini(&schedule);
}

static void test_a_cancelled_window_does_not_end_the_next_one(void **state)
{
    struct schedule schedule;
    struct note note;

    (void)state;
    go_to("UTC");
    read_schedule(&schedule, WEEKEND, "");
    note = note_cancelled(&schedule, ms_of(FRIDAY));
    assert_true(note_is_over(&note, 1));
    note = note_cancelled(&schedule, ms_of(INSIDE));
    assert_int_equal(note.open_until_ms, ms_of(ITS_END));
    assert_int_equal(note_shutdown_until(&note, &schedule, ms_of(ITS_END) - 1),
                     0);
    assert_int_equal(
        note_shutdown_until(&note, &schedule, ms_of("2026-03-13T17:00:00Z")),
        ms_of("2026-03-15T17:00:00Z"));
    assert_true(note_is_over(&note, ms_of(ITS_END)));
    schedule_fini(&schedule);
}

static void test_a_note_is_a_time_and_is_read_as_written(void **state)
{
    const struct note notes[] = {{ms_of(INSIDE), 0}, {0, ms_of(INSIDE)}};
    const char *why;

    (void)state;
    for (size_t i = 0; i < COUNT(notes); i++) {
        struct buffer text;
        struct note again;

        buffer_init(&text);
        note_append(&text, &notes[i]);
        assert_int_equal(note_read(buffer_text(&text), &again, &why), ST_OK);
        assert_int_equal(again.shut_until_ms, notes[i].shut_until_ms);
        assert_int_equal(again.open_until_ms, notes[i].open_until_ms);
        buffer_fini(&text);
    }
    for (size_t i = 0; i < COUNT(wrong_notes); i++) {
        struct note note;

        why = NULL;
        if (note_read(text_of(wrong_notes[i]), &note, &why) == ST_OK)
            fail_msg("taken: %s", wrong_notes[i]);
        assert_non_null(why);
    }
}

/* ---- asked and told -------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *json, *until; /* NULL: refused */
} orders[] = {
    {"{\"until\":\"2026-03-07T12:00:00Z\"}",         INSIDE},
    {" { \"until\" : \"2026-03-07T13:00:00+01:00\" } ", INSIDE},
    {"{}",                                            NULL},
    {"",                                              NULL},
    {"[]",                                            NULL},
    {"{\"until\":1772884800}",                        NULL},
    {"{\"until\":\"1772884800\"}",                    NULL},
    {"{\"until\":\"\"}",                              NULL},
    {"{\"until\":\"2026-03-07\"}",                    NULL},
    {"{\"until\":\"2026-03-07T12:00:00Z\",\"x\":1}",  NULL},
    {"{\"until\":\"2026-03-07T12:00:00Z\"",           NULL},
    {"{\"until\":\"2026-03-07T12:00:00Z\",\"until\":\"2026-03-07T12:00:00Z\"}", NULL},
};
/* clang-format on */

static void test_an_order_is_one_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        const char *why = NULL;
        int64_t until = 0;
        enum status st =
            announcement_read_order(text_of(orders[i].json), &until, &why);

        if ((st == ST_OK) != (orders[i].until != NULL))
            fail_msg("%s: %s", orders[i].json, status_text(st));
        if (st == ST_OK)
            assert_int_equal(until, ms_of(orders[i].until));
        else
            assert_non_null(why);
    }
}

static void test_what_has_passed_or_is_far_ahead_is_refused(void **state)
{
    const char *why;
    int64_t now = ms_of(INSIDE);

    (void)state;
    assert_int_equal(announcement_check(now, now, &why), ST_BAD_INPUT);
    assert_int_equal(announcement_check(now + 1, now, &why), ST_OK);
    assert_int_equal(
        announcement_check(now + ANNOUNCED_AHEAD_MAX_MS, now, &why), ST_OK);
    assert_int_equal(
        announcement_check(now + ANNOUNCED_AHEAD_MAX_MS + 1, now, &why),
        ST_BAD_INPUT);
}

static void test_seconds_are_rounded_up_and_never_zero(void **state)
{
    struct buffer out;

    (void)state;
    assert_int_equal(announcement_seconds(1000, 0), 1);
    assert_int_equal(announcement_seconds(1001, 0), 2);
    assert_int_equal(announcement_seconds(1, 0), 1);
    assert_int_equal(announcement_seconds(0, 0), 1);
    assert_int_equal(announcement_seconds(0, 5000), 1);
    buffer_init(&out);
    announcement_append_members(&out, ms_of("2014-03-02T22:00:00Z"),
                                ms_of("2014-03-01T18:13:20.001Z"));
    buffer_append_char(&out, '\0');
    assert_string_equal(out.bytes, "\"action\":\"scheduled_shutdown\","
                                   "\"until\":\"2014-03-02 22:00:00 UTC\","
                                   "\"until_secs\":100000");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_time_says_its_offset),
        cmocka_unit_test(test_a_time_that_is_written_is_read_again),
        cmocka_unit_test(test_windows_follow_the_clock_on_the_wall),
        cmocka_unit_test(test_the_next_window_begins_where_it_says),
        cmocka_unit_test(
            test_what_is_no_schedule_is_refused_and_changes_nothing),
        cmocka_unit_test(test_there_are_limits_to_how_many),
        cmocka_unit_test(test_the_note_is_the_last_word_over_the_schedule),
        cmocka_unit_test(test_a_cancelled_window_does_not_end_the_next_one),
        cmocka_unit_test(test_a_note_is_a_time_and_is_read_as_written),
        cmocka_unit_test(test_an_order_is_one_time),
        cmocka_unit_test(test_what_has_passed_or_is_far_ahead_is_refused),
        cmocka_unit_test(test_seconds_are_rounded_up_and_never_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
