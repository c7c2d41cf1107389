/* test_wire_bodies.c -- chunked bodies, forms and path segments. */
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(literal)                                                         \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- chunks -------------------------------------------------------------- */

#define LIMIT 1000

static const struct chunked_row {
    const char *claim;
    struct text body;
    enum status st;
    const char *data;
    size_t left_over; /* bytes behind the end, which are the next request's */
} chunked_rows[] = {
    /* clang-format off */
    {"no data",                        BYTES("0\r\n\r\n"),                         ST_OK, "", 0},
    {"one chunk",                      BYTES("5\r\nhello\r\n0\r\n\r\n"),           ST_OK, "hello", 0},
    {"two chunks",                     BYTES("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), ST_OK, "hello world", 0},
    {"hexadecimal of both cases",      BYTES("0a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), ST_OK, "01234567890123456789a", 0},
    {"several zeros at the end",       BYTES("1\r\nx\r\n0000\r\n\r\n"),            ST_OK, "x", 0},
    {"line breaks in the data",        BYTES("4\r\n\r\n\r\n\r\n0\r\n\r\n"),        ST_OK, "\r\n\r\n", 0},
    {"an extension",                   BYTES("1;name=value\r\nx\r\n0;a;b=\"c\"\r\n\r\n"), ST_OK, "x", 0},
    {"space before an extension",      BYTES("1 ;a\r\nx\r\n0\r\n\r\n"),            ST_OK, "x", 0},
    {"trailers",                       BYTES("1\r\nx\r\n0\r\nA: b\r\nContent-Length: 5\r\n\r\n"), ST_OK, "x", 0},
    {"the next request behind",        BYTES("1\r\nx\r\n0\r\n\r\nGET /"),          ST_OK, "x", 5},
    {"an empty line behind",           BYTES("0\r\n\r\n\r\n"),                     ST_OK, "", 2},
    {"nothing yet",                    BYTES(""),                                  ST_EMPTY, "", 0},
    {"a size cut off",                 BYTES("5"),                                 ST_EMPTY, "", 0},
    {"data cut off",                   BYTES("5\r\nhel"),                          ST_EMPTY, "hel", 0},
    {"the end cut off",                BYTES("5\r\nhello\r\n0\r\n"),               ST_EMPTY, "hello", 0},
    {"the last CR only",               BYTES("0\r\n\r"),                           ST_EMPTY, "", 0},
    {"no size",                        BYTES("\r\nhello\r\n"),                     ST_BAD_INPUT, "", 0},
    {"only an extension",              BYTES(";a=b\r\n"),                          ST_BAD_INPUT, "", 0},
    {"a size with a sign",             BYTES("+5\r\nhello\r\n"),                   ST_BAD_INPUT, "", 0},
    {"a negative size",                BYTES("-5\r\nhello\r\n"),                   ST_BAD_INPUT, "", 0},
    {"a size with 0x",                 BYTES("0x5\r\nhello\r\n"),                  ST_BAD_INPUT, "", 0},
    {"a space before the size",        BYTES(" 5\r\nhello\r\n"),                   ST_BAD_INPUT, "", 0},
    {"a size of letters",              BYTES("g\r\n"),                             ST_BAD_INPUT, "", 0},
    {"a size of 2^64 + 5",             BYTES("10000000000000005\r\nhello\r\n"),    ST_BAD_INPUT, "", 0},
    {"a size of 20 digits",            BYTES("ffffffffffffffffffff\r\n"),          ST_BAD_INPUT, "", 0},
    {"bare LF behind a size",          BYTES("5\nhello\r\n0\r\n\r\n"),             ST_BAD_INPUT, "", 0},
    {"bare LF behind an extension",    BYTES("5;a\nhello\r\n0\r\n\r\n"),           ST_BAD_INPUT, "", 0},
    {"bare CR behind a size",          BYTES("5\rhello\r\n0\r\n\r\n"),             ST_BAD_INPUT, "", 0},
    {"bare LF behind data",            BYTES("5\r\nhello\n0\r\n\r\n"),             ST_BAD_INPUT, "hello", 0},
    {"more data than said",            BYTES("5\r\nhello!\r\n0\r\n\r\n"),          ST_BAD_INPUT, "hello", 0},
    {"less data than said",            BYTES("5\r\nhell\r\n0\r\n\r\n"),            ST_BAD_INPUT, "hell\r", 0},
    {"bare LF at the end",             BYTES("0\r\n\n"),                           ST_BAD_INPUT, "", 0},
    {"NUL in an extension",            BYTES("5;a\0\r\nhello\r\n"),                ST_BAD_INPUT, "", 0},
    {"a trailer without a colon",      BYTES("0\r\nabc\r\n\r\n"),                  ST_BAD_INPUT, "", 0},
    {"a trailer without a name",       BYTES("0\r\n: b\r\n\r\n"),                  ST_BAD_INPUT, "", 0},
    {"a folded trailer",               BYTES("0\r\nA: b\r\n c\r\n\r\n"),           ST_BAD_INPUT, "", 0},
    {"a space before a trailer's colon", BYTES("0\r\nA : b\r\n\r\n"),              ST_BAD_INPUT, "", 0},
    {"bare LF behind a trailer",       BYTES("0\r\nA: b\n\r\n"),                   ST_BAD_INPUT, "", 0},
    {"a chunk over the limit",         BYTES("3e9\r\n"),                           ST_TOO_BIG, "", 0},
    {"a chunk far over the limit",     BYTES("ffffffffffffffff\r\n"),              ST_TOO_BIG, "", 0},
    {"a second chunk over the limit",  BYTES("1\r\nx\r\n3e8\r\n"),                 ST_TOO_BIG, "x", 0},
    {"a chunk of just the limit",      BYTES("3e8\r\n"),                           ST_EMPTY, "", 0},
    /* clang-format on */
};

/* Feeds `piece` bytes at a time. */
static void check_chunked(const struct chunked_row *row, size_t piece)
{
    struct chunked chunked = {0, 0, 0};
    struct buffer out;
    enum status st = ST_EMPTY;
    size_t at = 0;

    buffer_init(&out);
    while (st == ST_EMPTY && at < row->body.length) {
        size_t length = row->body.length - at;
        size_t used;

        if (length > piece)
            length = piece;
        st = chunked_decode(&chunked,
                            (struct text){row->body.bytes + at, length}, LIMIT,
                            &out, &used);
        assert_true(used <= length);
        at += used;
    }
    if (st != row->st || !text_is(buffer_text(&out), row->data))
        fail_msg("%s, by %zu: status %d instead of %d, data \"%.*s\"",
                 row->claim, piece, (int)st, (int)row->st, TEXT_ARGS(out));
    if (st == ST_OK && row->body.length - at != row->left_over)
        fail_msg("%s, by %zu: %zu bytes left over", row->claim, piece,
                 row->body.length - at);
    buffer_fini(&out);
}

static void chunks_are_decoded_however_they_are_cut(void **state)
{
    size_t i, piece;

    (void)state;
    for (i = 0; i < COUNT(chunked_rows); i++)
        for (piece = 1; piece <= 64; piece++)
            check_chunked(&chunked_rows[i], piece);
}

/* Repeats `piece` behind `start` for ever. */
static enum status feed_for_ever(const char *start, const char *piece)
{
    struct chunked chunked = {0, 0, 0};
    struct buffer out;
    enum status st;
    size_t used;
    unsigned i;

    buffer_init(&out);
    st = chunked_decode(&chunked, text_of(start), LIMIT, &out, &used);
    for (i = 0; st == ST_EMPTY && i < 100000; i++)
        st = chunked_decode(&chunked, text_of(piece), LIMIT, &out, &used);
    buffer_fini(&out);
    return st;
}

static void what_is_read_over_is_limited(void **state)
{
    (void)state;
    assert_int_equal(feed_for_ever("1;", "x"), ST_BAD_INPUT);
    assert_int_equal(feed_for_ever("0\r\n", "A: b\r\n"), ST_BAD_INPUT);
    assert_int_equal(feed_for_ever("0\r\nA", "A"), ST_BAD_INPUT);
    assert_int_equal(feed_for_ever("0", "0"), ST_BAD_INPUT);
    assert_int_equal(feed_for_ever("", "1\r\nx\r\n"), ST_TOO_BIG);
}

static void a_body_that_has_ended_takes_no_more(void **state)
{
    struct chunked chunked = {0, 0, 0};
    struct buffer out;
    size_t used = 9;

    (void)state;
    buffer_init(&out);
    assert_int_equal(
        chunked_decode(&chunked, text_of("0\r\n\r\n"), LIMIT, &out, &used),
        ST_OK);
    assert_int_equal(used, 5);
    assert_int_equal(
        chunked_decode(&chunked, text_of("1\r\nx\r\n"), LIMIT, &out, &used),
        ST_OK);
    assert_int_equal(used, 0);
    assert_int_equal(out.length, 0);
    buffer_fini(&out);
}

/* ---- forms --------------------------------------------------------------- */

/* All values of the name "a", each followed by a bar; "!" for a bad one. */
static const struct form_row {
    const char *claim;
    struct text form;
    const char *values;
} form_rows[] = {
    /* clang-format off */
    {"nothing",                        BYTES(""),                 ""},
    {"one",                            BYTES("a=1"),              "1|"},
    {"among others",                   BYTES("x=0&a=1&y=2"),      "1|"},
    {"twice",                          BYTES("a=1&b=2&a=3"),      "1|3|"},
    {"none",                           BYTES("b=1&aa=2&A=3"),     ""},
    {"without a value",                BYTES("a"),                "|"},
    {"with an empty value",            BYTES("a=&b=1"),           "|"},
    {"an equals sign in the value",    BYTES("a=b=c"),            "b=c|"},
    {"only ampersands",                BYTES("&&&"),              ""},
    {"a trailing ampersand",           BYTES("a=1&"),             "1|"},
    {"a leading ampersand",            BYTES("&a=1"),             "1|"},
    {"an empty name",                  BYTES("=1&a=2"),           "2|"},
    {"plus is a space",                BYTES("a=1+2"),            "1 2|"},
    {"escapes",                        BYTES("a=%41%2b%26%c3%A8"), "A+&\xc3\xa8|"},
    {"an escaped name",                BYTES("%61=1"),            "1|"},
    {"an escaped ampersand in a name", BYTES("a%26=1"),           ""},
    {"a bad escape",                   BYTES("a=%zz&a=2"),        "!|2|"},
    {"an escape cut off",              BYTES("a=%4"),             "!|"},
    {"an escape cut by the next pair", BYTES("a=%4&1=b"),         "!|"},
    {"a percent sign",                 BYTES("a=100%"),           "!|"},
    {"an escaped NUL",                 BYTES("a=x%00y"),          "!|"},
    {"a NUL",                          BYTES("a=x\0y"),           "!|"},
    {"a bad escape in another value",  BYTES("b=%zz&a=2"),        "2|"},
    {"a bad escape in another name",   BYTES("%zz=1&a=2"),        "2|"},
    {"a name that goes on with NUL",   BYTES("a\0=1"),            ""},
    {"JSON",                           BYTES("a={%22x%22:1}"),    "{\"x\":1}|"},
    /* clang-format on */
};

static void forms_are_read_name_by_name(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(form_rows); i++) {
        struct buffer values;
        size_t cursor = 0;
        bool is_bad = false;

        buffer_init(&values);
        while (form_find(form_rows[i].form, "a", &cursor, &values, &is_bad)) {
            buffer_append_string(&values, is_bad ? "!|" : "|");
            is_bad = false;
        }
        if (!text_is(buffer_text(&values), form_rows[i].values))
            fail_msg("%s: \"%.*s\"", form_rows[i].claim, TEXT_ARGS(values));
        buffer_fini(&values);
    }
}

static const struct segment_row {
    const char *claim;
    struct text segment;
    const char *decoded; /* NULL: refused */
} segment_rows[] = {
    /* clang-format off */
    {"nothing",                        BYTES(""),                 ""},
    {"plain",                          BYTES("cheese.1"),         "cheese.1"},
    {"plus stays",                     BYTES("a+b"),              "a+b"},
    {"escapes",                        BYTES("%2A%2f%c3%a8"),     "*/\xc3\xa8"},
    {"a bad escape",                   BYTES("a%x1"),             NULL},
    {"an escape cut off",              BYTES("a%2"),              NULL},
    {"an escaped NUL",                 BYTES("a%00"),             NULL},
    {"a NUL",                          BYTES("a\0b"),             NULL},
    /* clang-format on */
};

static void segments_are_decoded_or_refused(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(segment_rows); i++) {
        const struct segment_row *row = &segment_rows[i];
        struct buffer out;
        bool is_good;

        buffer_init(&out);
        is_good = percent_decode(row->segment, &out);
        if (is_good != (row->decoded != NULL) ||
            !text_is(buffer_text(&out), is_good ? row->decoded : ""))
            fail_msg("%s: \"%.*s\"", row->claim, TEXT_ARGS(out));
        buffer_fini(&out);
    }
}

/* ---- url_mask.c ------------------------------------------------------------
 */

static const struct mask_row {
    const char *urls, *shown;
} mask_rows[] = {
    /* clang-format off */
    {"",                                   ""},
    {"nats://h:4222",                      "nats://h:4222"},
    {"h:4222,tls://i",                     "h:4222,tls://i"},
    {"nats://u:p@h",                       "nats://***@h"},
    {"nats://token@h:1,nats://u:p@i:2",    "nats://***@h:1,nats://***@i:2"},
    {"u:p@h",                              "***@h"},
    {"nats://u:p@q@h",                     "nats://***@h"},
    {"nats://u:p,q@h,nats://i",            "nats://***@h,nats://i"},
    {"nats://u:p/q@h",                     "nats://***@h"},
    {"nats://h,u:p@i",                     "nats://***@i"},
    {"nats://@",                           "nats://***@"},
    {"://",                                "://"},
    /* clang-format on */
};

static void what_stands_before_an_at_is_not_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mask_rows); i++) {
        struct buffer out;

        buffer_init(&out);
        urls_append_masked(&out, text_of(mask_rows[i].urls));
        if (!text_is(buffer_text(&out), mask_rows[i].shown))
            fail_msg("%s: \"%.*s\"", mask_rows[i].urls,
                     TEXT_ARGS(buffer_text(&out)));
        buffer_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_decoded_however_they_are_cut),
        cmocka_unit_test(what_is_read_over_is_limited),
        cmocka_unit_test(a_body_that_has_ended_takes_no_more),
        cmocka_unit_test(forms_are_read_name_by_name),
        cmocka_unit_test(segments_are_decoded_or_refused),
        cmocka_unit_test(what_stands_before_an_at_is_not_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
