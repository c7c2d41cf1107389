/* test_wire_events.c -- events as SSE blocks and as JSON, and times as text. */
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal)                                                         \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

#define ID      1844674407370956
#define TIME_MS 1406125522250

static struct event_view event_of(uint64_t id, struct text type,
                                  struct text data)
{
    return (struct event_view){.id = id,
                               .time_ms = TIME_MS,
                               .channel = text_of("cheese"),
                               .type = type,
                               .data = data};
}

static void check_output(const char *claim, struct buffer *out,
                         const char *wanted)
{
    if (!text_is(buffer_text(out), wanted))
        fail_msg("%s:\n%.*s\ninstead of\n%s", claim, TEXT_ARGS(*out), wanted);
    buffer_fini(out);
}

/* clang-format off */
static const struct block_row {
    const char *claim;
    uint64_t id;
    struct text type, data;
    const char *block;
} block_rows[] = {
    {"type and data",            ID, BYTES("t"), BYTES("{\"a\":1}"), "event: t\ndata: {\"a\":1}\nid: 1844674407370956\n\n"},
    {"no type",                  12, BYTES(""),  BYTES("x"),         "data: x\nid: 12\n\n"},
    {"no data",                  12, BYTES("t"), BYTES(""),          "event: t\ndata: \nid: 12\n\n"},
    {"no id",                    0,  BYTES(""),  BYTES("x"),         "data: x\n\n"},
    {"the greatest number",      UINT64_MAX, BYTES(""), BYTES("x"),  "data: x\nid: 18446744073709551615\n\n"},
    {"a space before the data",  1,  BYTES(" t"), BYTES(" x"),       "event:  t\ndata:  x\nid: 1\n\n"},
    {"data with LF",             1,  BYTES(""),  BYTES("a\nb"),      "data: a\ndata: b\nid: 1\n\n"},
    {"data with CR",             1,  BYTES(""),  BYTES("a\rb"),      "data: a\ndata: b\nid: 1\n\n"},
    {"data with CR LF",          1,  BYTES(""),  BYTES("a\r\nb"),    "data: a\ndata: b\nid: 1\n\n"},
    {"data with LF CR",          1,  BYTES(""),  BYTES("a\n\rb"),    "data: a\ndata: \ndata: b\nid: 1\n\n"},
    {"data with CR CR LF",       1,  BYTES(""),  BYTES("a\r\r\nb"),  "data: a\ndata: \ndata: b\nid: 1\n\n"},
    {"data of one LF",           1,  BYTES(""),  BYTES("\n"),        "data: \ndata: \nid: 1\n\n"},
    {"data of one CR",           1,  BYTES(""),  BYTES("\r"),        "data: \ndata: \nid: 1\n\n"},
    {"data that ends with LF",   1,  BYTES(""),  BYTES("a\n"),       "data: a\ndata: \nid: 1\n\n"},
    {"data that starts with LF", 1,  BYTES(""),  BYTES("\na"),       "data: \ndata: a\nid: 1\n\n"},
    {"empty lines",              1,  BYTES(""),  BYTES("a\n\n\nb"),  "data: a\ndata: \ndata: \ndata: b\nid: 1\n\n"},
    {"a forged event",           1,  BYTES(""),  BYTES("a\r\rid: 9\rdata: b"), "data: a\ndata: \ndata: id: 9\ndata: data: b\nid: 1\n\n"},
    {"UTF-8",                    1,  BYTES("Gruy\xc3\xa8re"), BYTES("\xf0\x9f\xa7\x80"), "event: Gruy\xc3\xa8re\ndata: \xf0\x9f\xa7\x80\nid: 1\n\n"},
    {"line separators are text", 1,  BYTES(""),  BYTES("a\xe2\x80\xa8" "b\xc2\x85" "c"), "data: a\xe2\x80\xa8" "b\xc2\x85" "c\nid: 1\n\n"},
};

static const struct json_row {
    const char *claim;
    struct text type, data;
    const char *whole, *envelope, *alone;
} json_rows[] = {
    {"JSON with a type", BYTES("t"), BYTES("{\"a\":1}"),
     "{\"type\":\"t\",\"data\":{\"a\":1}}",     "{\"type\":\"t\",\"data\":{\"a\":1}}", "{\"a\":1}"},
    {"JSON without a type", BYTES(""), BYTES("[1,2]"),
     "{\"type\":\"\",\"data\":[1,2]}",          "[1,2]",                               "[1,2]"},
    {"text", BYTES("t"), BYTES("two\nlines"),
     "{\"type\":\"t\",\"data\":\"two\\nlines\"}", "{\"type\":\"t\",\"data\":\"two\\nlines\"}", "\"two\\nlines\""},
    {"text without a type", BYTES(""), BYTES("x"),
     "{\"type\":\"\",\"data\":\"x\"}",          "\"x\"",                               "\"x\""},
    {"no data", BYTES(""), BYTES(""),
     "{\"type\":\"\",\"data\":\"\"}",           "\"\"",                                "\"\""},
    {"JSON on two lines", BYTES(""), BYTES("[1,\n2]"),
     "{\"type\":\"\",\"data\":[1, 2]}",         "[1, 2]",                              "[1, 2]"},
    {"a type that needs escapes", BYTES("a\"<b>"), BYTES("1"),
     "{\"type\":\"a\\\"\\u003cb\\u003e\",\"data\":1}", "{\"type\":\"a\\\"\\u003cb\\u003e\",\"data\":1}", "1"},
};

static const struct time_row {
    int64_t wall_ms;
    const char *iso, *plain;
} time_rows[] = {
    {0,                         "1970-01-01T00:00:00.000Z", "1970-01-01 00:00:00"},
    {-1,                        "1969-12-31T23:59:59.999Z", "1969-12-31 23:59:59"},
    {TIME_MS,                   "2014-07-23T14:25:22.250Z", "2014-07-23 14:25:22"},
    {INT64_C(951782400000),     "2000-02-29T00:00:00.000Z", "2000-02-29 00:00:00"},
    {INT64_C(951868799999),     "2000-02-29T23:59:59.999Z", "2000-02-29 23:59:59"},
    {INT64_C(951868800000),     "2000-03-01T00:00:00.000Z", "2000-03-01 00:00:00"},
    {INT64_C(1704067199999),    "2023-12-31T23:59:59.999Z", "2023-12-31 23:59:59"},
    {INT64_C(1704067200000),    "2024-01-01T00:00:00.000Z", "2024-01-01 00:00:00"},
    {INT64_C(1735603200000),    "2024-12-31T00:00:00.000Z", "2024-12-31 00:00:00"},
    {INT64_C(4107542400000),    "2100-03-01T00:00:00.000Z", "2100-03-01 00:00:00"},
    {INT64_C(253402300799999),  "9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59"},
    {INT64_MAX,                 "9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59"},
    {INT64_C(-62135596800000),  "0001-01-01T00:00:00.000Z", "0001-01-01 00:00:00"},
    {INT64_C(-62167219200000),  "0000-01-01T00:00:00.000Z", "0000-01-01 00:00:00"},
    {INT64_MIN,                 "0000-01-01T00:00:00.000Z", "0000-01-01 00:00:00"},
};
/* clang-format on */

static void an_event_is_one_block_of_the_stream(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(block_rows); i++) {
        const struct block_row *row = &block_rows[i];
        struct event_view event = event_of(row->id, row->type, row->data);
        struct buffer out;

        buffer_init(&out);
        sse_append_event(&out, &event);
        check_output(row->claim, &out, row->block);
    }
}

static void a_null_view_is_empty_data(void **state)
{
    struct event_view event =
        event_of(1, (struct text){NULL, 0}, (struct text){NULL, 0});
    struct buffer out;

    (void)state;
    buffer_init(&out);
    sse_append_event(&out, &event);
    check_output("a block of nothing", &out, "data: \nid: 1\n\n");
    buffer_init(&out);
    event_json_append_envelope(&out, &event);
    check_output("JSON of nothing", &out, "\"\"");
}

static void retry_is_a_line(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out);
    sse_append_retry(&out, 3000);
    check_output("retry", &out, "retry: 3000\n");
}

static void an_event_is_an_object(void **state)
{
    static const char start[] = "{\"id\":1844674407370956,"
                                "\"channel_id\":\"cheese\","
                                "\"ts\":\"2014-07-23T14:25:22.250Z\",\"data\":";
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(json_rows); i++) {
        const struct json_row *row = &json_rows[i];
        struct event_view event = event_of(ID, row->type, row->data);
        struct buffer out, wanted;

        buffer_init(&out);
        buffer_init(&wanted);
        event_json_append(&out, &event);
        buffer_append_string(&wanted, start);
        buffer_append_string(&wanted, row->whole);
        buffer_append(&wanted, "}", 2); /* with NUL */
        assert_true(json_is_valid(buffer_text(&out)));
        check_output(row->claim, &out, wanted.bytes);
        buffer_fini(&wanted);
    }
}

static void an_event_is_an_envelope_or_its_data(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(json_rows); i++) {
        const struct json_row *row = &json_rows[i];
        struct event_view event = event_of(ID, row->type, row->data);
        struct buffer out;

        buffer_init(&out);
        event_json_append_envelope(&out, &event);
        check_output(row->claim, &out, row->envelope);
        buffer_init(&out);
        event_json_append_data(&out, &event);
        check_output(row->claim, &out, row->alone);
    }
}

static void times_are_in_utc(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(time_rows); i++) {
        struct buffer out;

        buffer_init(&out);
        time_append_iso(&out, time_rows[i].wall_ms);
        check_output("iso", &out, time_rows[i].iso);
        buffer_init(&out);
        time_append_plain(&out, time_rows[i].wall_ms);
        check_output("plain", &out, time_rows[i].plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_block_of_the_stream),
        cmocka_unit_test(a_null_view_is_empty_data),
        cmocka_unit_test(retry_is_a_line),
        cmocka_unit_test(an_event_is_an_object),
        cmocka_unit_test(an_event_is_an_envelope_or_its_data),
        cmocka_unit_test(times_are_in_utc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
