/* test_wire_base64url.c -- each value has one spelling, and no other is read. */
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])

/* clang-format off */
static const struct {
    const char *text;
    struct text bytes;
} good[] = { /* RFC 4648, section 10, and the two letters that are not base64's */
    {"",         {"", 0}},
    {"Zg",       {"f", 1}},
    {"Zm8",      {"fo", 2}},
    {"Zm9v",     {"foo", 3}},
    {"Zm9vYg",   {"foob", 4}},
    {"Zm9vYmE",  {"fooba", 5}},
    {"Zm9vYmFy", {"foobar", 6}},
    {"-_8",      {"\xfb\xff", 2}},
    {"AAA",      {"\0\0", 2}},
};

static const char *const bad[] = {
    "Z", "Zm9vY", "Zg==", "Zg=", "=", "Zh", "Zm9", "Zm8A=", "Zm 8", " Zg",
    "Zg\n", "+_8", "-/8", "Zm9v.", "Zm9v%", "Z\xc3\xa9", "____\x7f",
};
/* clang-format on */

static void test_each_value_has_its_spelling(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct buffer bytes, text;

        buffer_init(&bytes);
        buffer_init(&text);
        assert_true(base64url_decode(text_of(good[i].text), &bytes));
        assert_true(text_equals(buffer_text(&bytes), good[i].bytes));
        base64url_append(&text, good[i].bytes);
        assert_true(text_is(buffer_text(&text), good[i].text));
        buffer_fini(&bytes);
        buffer_fini(&text);
    }
}

static void test_no_other_spelling_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buffer bytes;

        buffer_init(&bytes);
        buffer_append_string(&bytes, "kept");
        if (base64url_decode(text_of(bad[i]), &bytes))
            fail_msg("\"%s\" was read", bad[i]);
        assert_true(text_is(buffer_text(&bytes), "kept"));
        buffer_fini(&bytes);
    }
}

/* Every pair of bytes, at every place in a group of three. */
static void test_what_is_written_is_read(void **state)
{
    struct buffer text, bytes;

    (void)state;
    buffer_init(&text);
    buffer_init(&bytes);
    for (unsigned pair = 0; pair < 65536; pair++) {
        const char both[] = {'a', (char)(pair >> 8), (char)(pair & 0xff)};
        const struct text input = {both + pair % 2, sizeof both - pair % 2};

        text.length = bytes.length = 0;
        base64url_append(&text, input);
        assert_true(base64url_decode(buffer_text(&text), &bytes));
        assert_true(text_equals(buffer_text(&bytes), input));
    }
    buffer_fini(&text);
    buffer_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_value_has_its_spelling),
        cmocka_unit_test(test_no_other_spelling_is_read),
        cmocka_unit_test(test_what_is_written_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
