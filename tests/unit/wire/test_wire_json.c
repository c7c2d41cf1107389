/* test_wire_json.c -- what is JSON, strings in and out, data as JSON. */
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

#define OPEN_8   "[[[[[[[["
#define CLOSE_8  "]]]]]]]]"
#define OPEN_64  OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8
#define CLOSE_64 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8

struct valid_row {
    const char *claim;
    struct text text;
    bool is_valid;
};

/* clang-format off */
static const struct valid_row valid_rows[] = {
    {"an empty object",                 BYTES("{}"),                      true},
    {"an empty array",                  BYTES("[]"),                      true},
    {"an empty string",                 BYTES("\"\""),                    true},
    {"true",                            BYTES("true"),                    true},
    {"false",                           BYTES("false"),                   true},
    {"null",                            BYTES("null"),                    true},
    {"zero",                            BYTES("0"),                       true},
    {"minus zero",                      BYTES("-0"),                      true},
    {"an integer",                      BYTES("1234567890"),              true},
    {"a fraction",                      BYTES("-0.5"),                    true},
    {"an exponent",                     BYTES("1e5"),                     true},
    {"an exponent with signs",          BYTES("1.5E+05"),                 true},
    {"a negative exponent",             BYTES("1e-5"),                    true},
    {"members",                         BYTES("{\"a\":1,\"b\":[true,null],\"c\":{\"d\":\"e\"}}"), true},
    {"space everywhere",                BYTES(" \t\r\n{ \"a\" : 1 , \"b\" : [ 1 , 2 ] } \n"), true},
    {"an empty name",                   BYTES("{\"\":1}"),                true},
    {"a repeated name",                 BYTES("{\"a\":1,\"a\":2}"),       true},
    {"every escape",                    BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e8\\uABCD\""), true},
    {"half a pair, which the grammar has", BYTES("\"\\ud800\""),          true},
    {"UTF-8 in a string",               BYTES("\"Gruy\xc3\xa8re\""),      true},
    {"DEL in a string",                 BYTES("\"\x7f\""),                true},
    {"64 deep",                         BYTES(OPEN_64 CLOSE_64),          true},
    {"64 deep with a value",            BYTES(OPEN_64 "1" CLOSE_64),      true},
    {"nothing",                         BYTES(""),                        false},
    {"only space",                      BYTES(" \n"),                     false},
    {"65 deep",                         BYTES("[" OPEN_64 CLOSE_64 "]"),  false},
    {"65 deep, an object",              BYTES(OPEN_64 "{}" CLOSE_64),     false},
    {"two values",                      BYTES("1 2"),                     false},
    {"two objects",                     BYTES("{}{}"),                    false},
    {"a comma behind",                  BYTES("{},"),                     false},
    {"a comma last in an array",        BYTES("[1,]"),                    false},
    {"a comma first in an array",       BYTES("[,1]"),                    false},
    {"a comma last in an object",       BYTES("{\"a\":1,}"),              false},
    {"a comma alone",                   BYTES("{,}"),                     false},
    {"no comma",                        BYTES("[1 2]"),                   false},
    {"no colon",                        BYTES("{\"a\" 1}"),               false},
    {"no value",                        BYTES("{\"a\":}"),                false},
    {"no name",                         BYTES("{1}"),                     false},
    {"a name without quotes",           BYTES("{a:1}"),                   false},
    {"a name in single quotes",         BYTES("{'a':1}"),                 false},
    {"a number for a name",             BYTES("{1:1}"),                   false},
    {"a colon in an array",             BYTES("[\"a\":1]"),               false},
    {"closed by the other bracket",     BYTES("[1}"),                     false},
    {"closed by the other brace",       BYTES("{\"a\":1]"),               false},
    {"closed twice",                    BYTES("[1]]"),                    false},
    {"not closed",                      BYTES("[1"),                      false},
    {"an object not closed",            BYTES("{\"a\":1"),                false},
    {"a string not closed",             BYTES("\"a"),                     false},
    {"a string that ends in a backslash", BYTES("\"a\\\""),               false},
    {"only a bracket",                  BYTES("]"),                       false},
    {"an unknown escape",               BYTES("\"\\x41\""),               false},
    {"an escaped single quote",         BYTES("\"\\'\""),                 false},
    {"an escaped NUL byte",             BYTES("\"\\\0\""),                false},
    {"three hexadecimal digits",        BYTES("\"\\u00e\""),              false},
    {"a hexadecimal digit that is none", BYTES("\"\\u00eg\""),            false},
    {"LF in a string",                  BYTES("\"a\nb\""),                false},
    {"a tab in a string",               BYTES("\"a\tb\""),                false},
    {"the last control in a string",    BYTES("\"a\x1f\""),              false},
    {"NUL in a string",                 BYTES("\"a\0b\""),                false},
    {"NUL behind",                      BYTES("{}\0"),                    false},
    {"NUL before",                      BYTES("\0{}"),                    false},
    {"a byte order mark",               BYTES("\xef\xbb\xbf{}"),          false},
    {"a form feed as space",            BYTES("\x0c{}"),                  false},
    {"a no-break space",                BYTES("\xc2\xa0{}"),              false},
    {"not UTF-8 in a string",           BYTES("\"\xff\""),                false},
    {"a surrogate in a string",         BYTES("\"\xed\xa0\x80\""),        false},
    {"a leading zero",                  BYTES("01"),                      false},
    {"a leading plus",                  BYTES("+1"),                      false},
    {"a minus alone",                   BYTES("-"),                       false},
    {"a point first",                   BYTES(".5"),                      false},
    {"a point last",                    BYTES("1."),                      false},
    {"an exponent without digits",      BYTES("1e"),                      false},
    {"an exponent with a sign alone",   BYTES("1e+"),                     false},
    {"two signs",                       BYTES("1e+-5"),                   false},
    {"a hexadecimal number",            BYTES("0x10"),                    false},
    {"NaN",                             BYTES("NaN"),                     false},
    {"Infinity",                        BYTES("-Infinity"),               false},
    {"True",                            BYTES("True"),                    false},
    {"tru",                             BYTES("tru"),                     false},
    {"truest",                          BYTES("truest"),                  false},
    {"undefined",                       BYTES("undefined"),               false},
    {"a word",                          BYTES("hello"),                   false},
    {"a comment",                       BYTES("/* */ {}"),                false},
};

struct text_row {
    const char *claim;
    struct text in;
    const char *out; /* NULL: refused */
};

static const struct text_row string_rows[] = {
    {"nothing",                         BYTES(""),                        "\"\""},
    {"plain text",                      BYTES("plain"),                   "\"plain\""},
    {"quote and backslash",             BYTES("a\"b\\c/"),                "\"a\\\"b\\\\c/\""},
    {"the short escapes",               BYTES("\b\f\n\r\t"),              "\"\\b\\f\\n\\r\\t\""},
    {"other controls",                  BYTES("\x01\x1f\x7f"),            "\"\\u0001\\u001f\\u007f\""},
    {"NUL",                             BYTES("a\0b"),                    "\"a\\u0000b\""},
    {"what HTML minds",                 BYTES("</script>&"),              "\"\\u003c/script\\u003e\\u0026\""},
    {"line separators",                 BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\""},
    {"their neighbours",                BYTES("\xe2\x80\xa7\xe2\x80\xaa"), "\"\xe2\x80\xa7\xe2\x80\xaa\""},
    {"other characters",                BYTES("Gruy\xc3\xa8re \xf0\x9f\xa7\x80"), "\"Gruy\xc3\xa8re \xf0\x9f\xa7\x80\""},
};

static const struct text_row unescape_rows[] = {
    {"nothing",                         BYTES(""),                        ""},
    {"plain text",                      BYTES("plain"),                   "plain"},
    {"the short escapes",               BYTES("\\\"\\\\\\/\\b\\f\\n\\r\\t"), "\"\\/\b\f\n\r\t"},
    {"text around an escape",           BYTES("ab\\ncd"),                 "ab\ncd"},
    {"one byte",                        BYTES("\\u0041\\u007f"),          "A\x7f"},
    {"two bytes",                       BYTES("Gruy\\u00e8re"),           "Gruy\xc3\xa8re"},
    {"three bytes",                     BYTES("\\u20AC\\uFFFF"),          "\xe2\x82\xac\xef\xbf\xbf"},
    {"a pair",                          BYTES("\\ud83e\\uddC0!"),         "\xf0\x9f\xa7\x80!"},
    {"the greatest pair",               BYTES("\\udbff\\udfff"),          "\xf4\x8f\xbf\xbf"},
    {"a high half alone",               BYTES("a\\ud83e"),                NULL},
    {"a high half before text",         BYTES("\\ud83ex12345"),           NULL},
    {"a high half before another",      BYTES("\\ud83e\\ud83e"),          NULL},
    {"a high half before U+E000",       BYTES("\\ud83e\\ue000"),          NULL},
    {"a high half before U+DBFF",       BYTES("\\ud83e\\udbff"),          NULL},
    {"a high half before another escape", BYTES("\\ud83e\\n12345"),       NULL},
    {"a low half alone",                BYTES("\\uddc0"),                 NULL},
    {"a backslash at the end",          BYTES("a\\"),                     NULL},
    {"a bad escape",                    BYTES("\\x"),                     NULL},
    {"a short escape",                  BYTES("\\u00e"),                  NULL},
    {"a pair cut off",                  BYTES("\\ud83e\\uddc"),           NULL},
};

static const struct text_row data_rows[] = {
    {"an object as it is",              BYTES("{\"a\": 1.0}"),            "{\"a\": 1.0}"},
    {"a number as it is",               BYTES("1e5"),                     "1e5"},
    {"a string as it is",               BYTES("\"<\\u00e8>\""),           "\"<\\u00e8>\""},
    {"on several lines",                BYTES("{\r\n \"a\":\n1}\n"),      "{   \"a\": 1} "},
    {"nothing, which is no JSON",       BYTES(""),                        "\"\""},
    {"text",                            BYTES("hello"),                   "\"hello\""},
    {"lines of text",                   BYTES("a\r\nb"),                  "\"a\\r\\nb\""},
    {"a bad object",                    BYTES("{\"a\":1,}"),              "\"{\\\"a\\\":1,}\""},
    {"too deep",                        BYTES("[" OPEN_64 CLOSE_64 "]"),  "\"[" OPEN_64 CLOSE_64 "]\""},
};
/* clang-format on */

static void json_is_as_rfc_8259_has_it(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(valid_rows); i++)
        if (json_is_valid(valid_rows[i].text) != valid_rows[i].is_valid)
            fail_msg("%s: should be %s", valid_rows[i].claim,
                     valid_rows[i].is_valid ? "JSON" : "refused");
}

static void no_prefix_of_a_container_or_string_is_json(void **state)
{
    static const char whole[] = "{\"a\":[1,{\"b\":\"c\\u00e8\"},null]}";
    size_t length;

    (void)state;
    for (length = 0; length < sizeof whole - 1; length++)
        assert_false(json_is_valid((struct text){whole, length}));
    assert_true(json_is_valid((struct text){whole, length}));
}

/* Appends behind bytes that are there already, which must stay. */
static void check_text(const struct text_row *row,
                       enum status (*append)(struct text in,
                                             struct buffer *out))
{
    struct buffer out;
    bool is_right;

    buffer_init(&out);
    buffer_append_string(&out, "kept");
    if (append(row->in, &out) == ST_OK && row->out != NULL)
        is_right = out.length == 4 + strlen(row->out) &&
                   memcmp(out.bytes + 4, row->out, out.length - 4) == 0;
    else
        is_right = row->out == NULL && out.length == 4;
    is_right = is_right && memcmp(out.bytes, "kept", 4) == 0;
    if (!is_right)
        fail_msg("%s: %.*s", row->claim, TEXT_ARGS(out));
    buffer_fini(&out);
}

static enum status append_string(struct text in, struct buffer *out)
{
    json_append_string(out, in);
    return ST_OK;
}

static enum status append_data(struct text in, struct buffer *out)
{
    json_append_data(out, in);
    return ST_OK;
}

static void text_becomes_a_json_string(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(string_rows); i++)
        check_text(&string_rows[i], append_string);
}

static void a_json_string_becomes_text(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(unescape_rows); i++)
        check_text(&unescape_rows[i], json_unescape);
}

static void an_escaped_nul_is_a_nul(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out);
    assert_int_equal(json_unescape(text_of("a\\u0000b"), &out), ST_OK);
    assert_int_equal(out.length, 3);
    assert_memory_equal(out.bytes, "a\0b", 3);
    buffer_fini(&out);
}

static void data_becomes_one_line_of_json(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(data_rows); i++)
        check_text(&data_rows[i], append_data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_as_rfc_8259_has_it),
        cmocka_unit_test(no_prefix_of_a_container_or_string_is_json),
        cmocka_unit_test(text_becomes_a_json_string),
        cmocka_unit_test(a_json_string_becomes_text),
        cmocka_unit_test(an_escaped_nul_is_a_nul),
        cmocka_unit_test(data_becomes_one_line_of_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
