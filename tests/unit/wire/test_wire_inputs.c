/* test_wire_inputs.c -- positions, envelopes and lines of a batch. */
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(literal)                                                         \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

#define SIXTY_FOUR                                                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HUNDRED_28  SIXTY_FOUR SIXTY_FOUR
#define HUNDRED_256 HUNDRED_28 HUNDRED_28

/* ---- positions ----------------------------------------------------------- */

/* What a position is read as: "id 12", "time 5", "channels a:id 12 b:time 5",
 * or "refused". */
static const struct position_row {
    const char *claim;
    struct text text;
    const char *reading;
} position_rows[] = {
    /* clang-format off */
    {"none",                            BYTES(""),                       "latest"},
    {"latest",                          BYTES("latest"),                 "latest"},
    {"earliest",                        BYTES("earliest"),               "earliest"},
    {"zero",                            BYTES("0"),                      "id 0"},
    {"an id",                           BYTES("1844674407370955"),       "id 1844674407370955"},
    {"a small id",                      BYTES("12"),                     "id 12"},
    {"the greatest id",                 BYTES("9007199254740991"),       "id 9007199254740991"},
    {"zeros before",                    BYTES("0012"),                   "id 12"},
    {"just below the times",            BYTES("99999999999"),            "id 99999999999"},
    {"the first time",                  BYTES("100000000000"),           "time 100000000000"},
    {"a time",                          BYTES("1406125522250"),          "time 1406125522250"},
    {"the last time",                   BYTES("99999999999999"),         "time 99999999999999"},
    {"just above the times",            BYTES("100000000000000"),        "id 100000000000000"},
    {"seconds",                         BYTES("rt-1406125522"),          "time 1406125522000"},
    {"seconds and hundredths",          BYTES("rt-1406125522.25"),       "time 1406125522250"},
    {"seconds and milliseconds",        BYTES("rt-1406125522.007"),      "time 1406125522007"},
    {"nanoseconds are cut",             BYTES("rt-1406125522.250999999"), "time 1406125522250"},
    {"second zero",                     BYTES("rt-0"),                   "time 0"},
    {"the last one",                    BYTES("last-1"),                 "last 1"},
    {"the last 10000",                  BYTES("last-10000"),             "last 10000"},
    {"an object",                       BYTES("{\"a\":12,\"b.c\":1406125522250}"), "channels a:id 12 b.c:time 1406125522250"},
    {"an object with strings",          BYTES("{ \"a\" : \"12\" , \"b\" : \"0\" }"), "channels a:id 12 b:id 0"},
    {"an empty object",                 BYTES("{}"),                     "channels"},
    {"beyond 2^53 - 1",                 BYTES("9007199254740992"),       "refused"},
    {"20 digits",                       BYTES("18446744073709551616"),   "refused"},
    {"17 zeros",                        BYTES("00000000000000000"),      "refused"},
    {"a sign",                          BYTES("-1"),                     "refused"},
    {"a plus",                          BYTES("+1"),                     "refused"},
    {"a space before",                  BYTES(" 12"),                    "refused"},
    {"a space behind",                  BYTES("12 "),                    "refused"},
    {"LF behind",                       BYTES("12\n"),                   "refused"},
    {"NUL behind",                      BYTES("12\0"),                   "refused"},
    {"letters behind",                  BYTES("12abc"),                  "refused"},
    {"hexadecimal",                     BYTES("0x12"),                   "refused"},
    {"a fraction",                      BYTES("12.5"),                   "refused"},
    {"an exponent",                     BYTES("1e5"),                    "refused"},
    {"capitals",                        BYTES("Latest"),                 "refused"},
    {"a word",                          BYTES("undefined"),              "refused"},
    {"null",                            BYTES("null"),                   "refused"},
    {"two positions",                   BYTES("12,13"),                  "refused"},
    {"rt- alone",                       BYTES("rt-"),                    "refused"},
    {"rt- and a point",                 BYTES("rt-."),                   "refused"},
    {"rt- without whole seconds",       BYTES("rt-.5"),                  "refused"},
    {"rt- without decimals",            BYTES("rt-5."),                  "refused"},
    {"rt- with ten decimals",           BYTES("rt-5.0123456789"),        "refused"},
    {"rt- with two points",             BYTES("rt-5.1.1"),               "refused"},
    {"rt- with a sign",                 BYTES("rt--5"),                  "refused"},
    {"rt- with an exponent",            BYTES("rt-1e9"),                 "refused"},
    {"rt- too far",                     BYTES("rt-9007199254740"),       "refused"},
    {"rt- in capitals",                 BYTES("RT-5"),                   "refused"},
    {"rt- and NaN",                     BYTES("rt-NaN"),                 "refused"},
    {"last- alone",                     BYTES("last-"),                  "refused"},
    {"the last none",                   BYTES("last-0"),                 "refused"},
    {"the last 10001",                  BYTES("last-10001"),             "refused"},
    {"the last minus 1",                BYTES("last--1"),                "refused"},
    {"the last few",                    BYTES("last-few"),               "refused"},
    {"last without a number",           BYTES("last"),                   "refused"},
    {"an array",                        BYTES("[12]"),                   "refused"},
    {"a JSON string",                   BYTES("\"12\""),                 "refused"},
    {"an object cut off",               BYTES("{\"a\":12"),              "refused"},
    {"an object and more",              BYTES("{\"a\":12}x"),            "refused"},
    {"an object behind a space",        BYTES(" {\"a\":12}"),            "refused"},
    {"a value with a sign",             BYTES("{\"a\":-12}"),            "refused"},
    {"a value with a fraction",         BYTES("{\"a\":12.0}"),           "refused"},
    {"a value with an exponent",        BYTES("{\"a\":1e2}"),            "refused"},
    {"a value of null",                 BYTES("{\"a\":null}"),           "refused"},
    {"a value that is an object",       BYTES("{\"a\":{\"b\":1}}"),      "refused"},
    {"a value that is an array",        BYTES("{\"a\":[1]}"),            "refused"},
    {"an empty string",                 BYTES("{\"a\":\"\"}"),           "refused"},
    {"a string of words",               BYTES("{\"a\":\"latest\"}"),     "refused"},
    {"a string with an escape",         BYTES("{\"a\":\"\\u0031\"}"),    "refused"},
    {"a value beyond 2^53 - 1",         BYTES("{\"a\":9007199254740992}"), "refused"},
    {"a bad second value",              BYTES("{\"a\":1,\"b\":true}"),   "refused"},
    {"a name that is no channel",       BYTES("{\"a b\":12}"),           "refused"},
    {"a name that is a pattern",        BYTES("{\"a.*\":12}"),           "refused"},
    {"an empty name",                   BYTES("{\"\":12}"),              "refused"},
    {"an escaped name",                 BYTES("{\"\\u0061\":12}"),       "refused"},
    {"a channel twice",                 BYTES("{\"a\":12,\"b\":1,\"a\":13}"), "refused"},
    {"a backslash, then a quote",       BYTES("{\"a\\\":12}"),           "refused"},
    /* clang-format on */
};

static int describe_kind(const struct position *position, char *out,
                         size_t out_bytes)
{
    static const char *const words[] = {
        [POSITION_LATEST] = "latest", [POSITION_EARLIEST] = "earliest",
        [POSITION_ID] = "id",         [POSITION_TIME] = "time",
        [POSITION_LAST] = "last",     [POSITION_CHANNELS] = "channels",
    };
    bool has_number = position->kind == POSITION_ID ||
                      position->kind == POSITION_TIME ||
                      position->kind == POSITION_LAST;

    if (!has_number)
        return snprintf(out, out_bytes, "%s", words[position->kind]);
    return snprintf(out, out_bytes, "%s %llu", words[position->kind],
                    (unsigned long long)position->number);
}

static void describe_position(struct text text, char *out, size_t out_bytes)
{
    struct position position, one;
    struct text channel;
    const char *why = NULL;
    size_t cursor = 0;
    int used;

    if (position_parse(text, &position, &why) != ST_OK) {
        assert_non_null(why);
        (void)snprintf(out, out_bytes, "refused");
        return;
    }
    used = describe_kind(&position, out, out_bytes);
    while (position.kind == POSITION_CHANNELS &&
           position_next_channel(position.json, &cursor, &channel, &one)) {
        used += snprintf(out + used, out_bytes - (size_t)used,
                         " %.*s:", TEXT_ARGS(channel));
        used += describe_kind(&one, out + used, out_bytes - (size_t)used);
    }
}

static void positions_are_read_exactly(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(position_rows); i++) {
        char reading[256];

        describe_position(position_rows[i].text, reading, sizeof reading);
        if (strcmp(reading, position_rows[i].reading) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", position_rows[i].claim,
                     reading, position_rows[i].reading);
    }
}

static void a_json_position_is_at_most_2_kib_long(void **state)
{
    char text[4096];
    struct position position;
    const char *why;
    size_t length;

    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"a\":12}", 8);
    for (length = 8; length <= 2048; length++)
        assert_int_equal(
            position_parse((struct text){text, length}, &position, &why),
            ST_OK);
    assert_int_equal(position_parse((struct text){text, 2049}, &position, &why),
                     ST_BAD_INPUT);
}

/* As many channels as fit: one letter each, then two. */
static void a_json_position_may_be_full_of_channels(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    struct position position, one;
    struct text channel;
    struct buffer text;
    unsigned count = 0, i = 0;
    const char *why;
    size_t cursor = 0;

    (void)state;
    buffer_init(&text);
    buffer_append_char(&text, '{');
    while (text.length < 2035) {
        buffer_append_string(&text, i == 0 ? "\"" : ",\"");
        buffer_append_char(&text, letters[i % 64]);
        if (i >= 64)
            buffer_append_char(&text, letters[i / 64]);
        buffer_append_string(&text, "\":1");
        i++;
    }
    buffer_append_char(&text, '}');
    assert_int_equal(position_parse(buffer_text(&text), &position, &why),
                     ST_OK);
    while (position_next_channel(position.json, &cursor, &channel, &one))
        count++;
    assert_int_equal(count, i);
    buffer_fini(&text);
}

/* ---- envelopes ----------------------------------------------------------- */

static const struct envelope_row {
    const char *claim;
    struct text payload;
    const char *type; /* NULL: not an envelope */
    const char *data;
} envelope_rows[] = {
    /* clang-format off */
    {"data that is an object",          BYTES("{\"type\":\"t\",\"data\":{\"a\": [1, 2]}}"), "t", "{\"a\": [1, 2]}"},
    {"the other order",                 BYTES("{\"data\":[1],\"type\":\"t\"}"), "t", "[1]"},
    {"data that is a number",           BYTES("{\"type\":\"t\",\"data\":1.50}"), "t", "1.50"},
    {"data that is null",               BYTES("{\"type\":\"t\",\"data\":null}"), "t", "null"},
    {"data that is a string",           BYTES("{\"type\":\"t\",\"data\":\"text\"}"), "t", "text"},
    {"data that is an empty string",    BYTES("{\"type\":\"t\",\"data\":\"\"}"), "t", ""},
    {"data that is an empty object",    BYTES("{\"type\":\"t\",\"data\":{}}"), "t", "{}"},
    {"strings with escapes",            BYTES("{\"type\":\"\\u00e8!\",\"data\":\"a\\n\\\"b\\\"\"}"), "\xc3\xa8!", "a\n\"b\""},
    {"escapes in a type and in much data", BYTES("{\"type\":\"\\u0074\",\"data\":\"\\t" HUNDRED_256 HUNDRED_256 "\"}"), "t", "\t" HUNDRED_256 HUNDRED_256},
    {"an empty type",                   BYTES("{\"type\":\"\",\"data\":1}"), "", "1"},
    {"escaped names",                   BYTES("{\"ty\\u0070e\":\"t\",\"\\u0064ata\":1}"), "t", "1"},
    {"space everywhere",                BYTES(" {\n\"type\" : \"t\" ,\r\n\"data\" : { } }\t"), "t", "{ }"},
    {"brackets and quotes in strings",  BYTES("{\"data\":{\"a\":\"]}\\\"\",\"b\":[\"{\"]},\"type\":\"t\"}"), "t", "{\"a\":\"]}\\\"\",\"b\":[\"{\"]}"},
    {"an envelope inside",              BYTES("{\"type\":\"t\",\"data\":{\"type\":\"u\",\"data\":1}}"), "t", "{\"type\":\"u\",\"data\":1}"},
    {"a type of 128 bytes",             BYTES("{\"type\":\"" HUNDRED_28 "\",\"data\":1}"), HUNDRED_28, "1"},
    {"a reserved type, the caller's to refuse", BYTES("{\"type\":\"tidings.gap\",\"data\":1}"), "tidings.gap", "1"},
    {"nothing",                         BYTES(""), NULL, NULL},
    {"text",                            BYTES("hello"), NULL, NULL},
    {"an array",                        BYTES("[\"type\",\"data\"]"), NULL, NULL},
    {"an empty object",                 BYTES("{}"), NULL, NULL},
    {"only a type",                     BYTES("{\"type\":\"t\"}"), NULL, NULL},
    {"only data",                       BYTES("{\"data\":1}"), NULL, NULL},
    {"a third member",                  BYTES("{\"type\":\"t\",\"data\":1,\"id\":2}"), NULL, NULL},
    {"another third member",            BYTES("{\"x\":{\"type\":1},\"type\":\"t\",\"data\":1}"), NULL, NULL},
    {"the type twice",                  BYTES("{\"type\":\"t\",\"data\":1,\"type\":\"u\"}"), NULL, NULL},
    {"the data twice",                  BYTES("{\"type\":\"t\",\"data\":1,\"data\":1}"), NULL, NULL},
    {"the type twice, once escaped",    BYTES("{\"type\":\"t\",\"data\":1,\"\\u0074ype\":\"u\"}"), NULL, NULL},
    {"names in capitals",               BYTES("{\"Type\":\"t\",\"Data\":1}"), NULL, NULL},
    {"a type that is a number",         BYTES("{\"type\":1,\"data\":1}"), NULL, NULL},
    {"a type that is null",             BYTES("{\"type\":null,\"data\":1}"), NULL, NULL},
    {"a type with LF",                  BYTES("{\"type\":\"a\\nb\",\"data\":1}"), NULL, NULL},
    {"a type with NUL",                 BYTES("{\"type\":\"a\\u0000\",\"data\":1}"), NULL, NULL},
    {"a type of 129 bytes",             BYTES("{\"type\":\"" HUNDRED_28 "1\",\"data\":1}"), NULL, NULL},
    {"a type that is half a pair",      BYTES("{\"type\":\"\\ud800\",\"data\":1}"), NULL, NULL},
    {"data that is half a pair",        BYTES("{\"type\":\"t\",\"data\":\"\\ud800\"}"), NULL, NULL},
    {"bad JSON",                        BYTES("{\"type\":\"t\",\"data\":1,}"), NULL, NULL},
    {"more behind",                     BYTES("{\"type\":\"t\",\"data\":1} {}"), NULL, NULL},
    {"not UTF-8",                       BYTES("{\"type\":\"t\",\"data\":\"\xff\"}"), NULL, NULL},
    /* clang-format on */
};

static void check_envelope(const struct envelope_row *row,
                           enum envelope_mode mode)
{
    bool is_taken_apart = row->type != NULL && mode != ENVELOPE_NEVER;
    bool is_refused = row->type == NULL && mode == ENVELOPE_ALWAYS;
    struct envelope envelope;
    const char *why = NULL;
    enum status st = envelope_parse(row->payload, mode, &envelope, &why);
    bool is_right =
        is_refused == (st == ST_BAD_INPUT) && is_refused == (why != NULL);

    if (is_taken_apart)
        is_right = is_right && text_is(envelope.type, row->type) &&
                   text_is(envelope.data, row->data);
    else if (!is_refused)
        is_right = is_right && envelope.type.length == 0 &&
                   text_equals(envelope.data, row->payload);
    if (!is_right)
        fail_msg("%s, mode %d: status %d, type \"%.*s\", data \"%.*s\"",
                 row->claim, (int)mode, (int)st, TEXT_ARGS(envelope.type),
                 TEXT_ARGS(envelope.data));
    buffer_fini(&envelope.scratch);
}

static void exactly_type_and_data_is_an_envelope(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(envelope_rows); i++)
        check_envelope(&envelope_rows[i], ENVELOPE_AUTO);
}

static void what_must_be_an_envelope_is_refused_otherwise(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(envelope_rows); i++)
        check_envelope(&envelope_rows[i], ENVELOPE_ALWAYS);
}

static void what_is_never_an_envelope_is_left_alone(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(envelope_rows); i++)
        check_envelope(&envelope_rows[i], ENVELOPE_NEVER);
}

/* ---- lines of a batch ---------------------------------------------------- */

static const struct batch_row {
    const char *claim;
    struct text line;
    const char *reading; /* channel|type|key|time|data; NULL: refused */
} batch_rows[] = {
    /* clang-format off */
    {"data alone",                      BYTES("{\"data\":{\"a\":1}}"), "|||0|{\"a\":1}"},
    {"everything",                      BYTES("{\"channel\":\"a.b\",\"type\":\"t\",\"data\":[1],\"key\":\"k 1\",\"time\":1406125522250}"), "a.b|t|k 1|1406125522250|[1]"},
    {"any order",                       BYTES("{\"time\":5,\"data\":\"x\",\"channel\":\"a\"}"), "a|||5|x"},
    {"escapes in each string",          BYTES("{\"type\":\"\\u0074\",\"data\":\"d\\td\",\"key\":\"\\\"k\\\"\",\"channel\":\"\\u0061\"}"), "a|t|\"k\"|0|d\td"},
    {"an empty type and key",           BYTES("{\"type\":\"\",\"key\":\"\",\"data\":1}"), "|||0|1"},
    {"space around",                    BYTES("  { \"data\" : 1 } \r"), "|||0|1"},
    {"a key of 256 bytes",              BYTES("{\"data\":1,\"key\":\"" HUNDRED_256 "\"}"), "||" HUNDRED_256 "|0|1"},
    {"the greatest time",               BYTES("{\"data\":1,\"time\":9007199254740991}"), "|||9007199254740991|1"},
    {"nothing",                         BYTES(""), NULL},
    {"an empty object",                 BYTES("{}"), NULL},
    {"no data",                         BYTES("{\"type\":\"t\"}"), NULL},
    {"not an object",                   BYTES("[1]"), NULL},
    {"text",                            BYTES("hello"), NULL},
    {"two objects",                     BYTES("{\"data\":1}{\"data\":2}"), NULL},
    {"an unknown member",               BYTES("{\"data\":1,\"id\":2}"), NULL},
    {"the data twice",                  BYTES("{\"data\":1,\"data\":1}"), NULL},
    {"the key twice",                   BYTES("{\"key\":\"a\",\"data\":1,\"key\":\"a\"}"), NULL},
    {"a bad channel",                   BYTES("{\"channel\":\"a b\",\"data\":1}"), NULL},
    {"an empty channel",                BYTES("{\"channel\":\"\",\"data\":1}"), NULL},
    {"a pattern for a channel",         BYTES("{\"channel\":\"a.*\",\"data\":1}"), NULL},
    {"a channel that is null",          BYTES("{\"channel\":null,\"data\":1}"), NULL},
    {"a type with LF",                  BYTES("{\"type\":\"a\\nb\",\"data\":1}"), NULL},
    {"a type that is a number",         BYTES("{\"type\":1,\"data\":1}"), NULL},
    {"a key that is a number",          BYTES("{\"key\":1,\"data\":1}"), NULL},
    {"a key of 257 bytes",              BYTES("{\"data\":1,\"key\":\"" HUNDRED_256 "1\"}"), NULL},
    {"a time that is a string",         BYTES("{\"data\":1,\"time\":\"5\"}"), NULL},
    {"a negative time",                 BYTES("{\"data\":1,\"time\":-5}"), NULL},
    {"a time with a fraction",          BYTES("{\"data\":1,\"time\":5.5}"), NULL},
    {"a time with an exponent",         BYTES("{\"data\":1,\"time\":1e12}"), NULL},
    {"a time beyond 2^53 - 1",          BYTES("{\"data\":1,\"time\":9007199254740992}"), NULL},
    {"a time of 20 digits",             BYTES("{\"data\":1,\"time\":18446744073709551617}"), NULL},
    {"data that is half a pair",        BYTES("{\"data\":\"\\udc00\"}"), NULL},
    {"not UTF-8",                       BYTES("{\"data\":\"\xff\"}"), NULL},
    /* clang-format on */
};

static void check_batch_line(const struct batch_row *row)
{
    char reading[1024] = "refused";
    const char *wanted = row->reading != NULL ? row->reading : "refused";
    struct batch_line line;
    const char *why = NULL;

    if (batch_line_parse(row->line, &line, &why) == ST_OK)
        (void)snprintf(reading, sizeof reading, "%.*s|%.*s|%.*s|%lld|%.*s",
                       TEXT_ARGS(line.channel), TEXT_ARGS(line.type),
                       TEXT_ARGS(line.key), (long long)line.time_ms,
                       TEXT_ARGS(line.data));
    if (strcmp(reading, wanted) != 0 || (why != NULL) == (row->reading != NULL))
        fail_msg("%s: \"%s\" instead of \"%s\"", row->claim, reading, wanted);
    buffer_fini(&line.scratch);
}

static void lines_of_a_batch_have_known_members_once(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(batch_rows); i++)
        check_batch_line(&batch_rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_are_read_exactly),
        cmocka_unit_test(a_json_position_is_at_most_2_kib_long),
        cmocka_unit_test(a_json_position_may_be_full_of_channels),
        cmocka_unit_test(exactly_type_and_data_is_an_envelope),
        cmocka_unit_test(what_must_be_an_envelope_is_refused_otherwise),
        cmocka_unit_test(what_is_never_an_envelope_is_left_alone),
        cmocka_unit_test(lines_of_a_batch_have_known_members_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
