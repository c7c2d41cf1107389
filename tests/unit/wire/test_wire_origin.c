/* test_wire_origin.c -- what an origin is, and when two are the same. */
#include <tidings/origin.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static const char *const valid[] = {
    "http://a",
    "https://www.example.org",
    "http://localhost:3000",
    "http://127.0.0.1:1",
    "http://[::1]:8080",
    "https://[2001:db8::1]",
    "https://xn--bcher-kva.example",
    "https://A.Example:65535",
    "chrome-extension://abcdefghijklmnop",
    "capacitor://localhost",
};

static const char *const invalid[] = {
    "",
    "*",
    "null",
    "a",
    "www.example.org",
    "//a",
    "://a",
    "http:",
    "http:/a",
    "http://",
    "http://a/",
    "http://a/path",
    "http://a?x",
    "http://a#x",
    "http://a b",
    "http://*.example.org",
    "http://user@a",
    "http://user:pass@a",
    "http://a:",
    "http://a:0",
    "http://a:080",
    "http://a:65536",
    "http://a:123456",
    "http://a:8x",
    "http://a:80:80",
    "http://::1",
    "http://[]",
    "http://[::1",
    "http://::1]",
    "http://[a b]",
    "http://b\xc3\xbc"
    "cher.example",
    "1http://a",
    "ht tp://a",
    "http://a\r\nX: y",
    "http://a,http://b",
};

static void test_an_origin_is_scheme_host_and_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++)
        if (!origin_is_valid(text_of(valid[i])))
            fail_msg("%s", valid[i]);
    for (size_t i = 0; i < COUNT(invalid); i++)
        if (origin_is_valid(text_of(invalid[i])))
            fail_msg("%s", invalid[i]);
    assert_false(origin_is_valid((struct text){"http://a\0b", 10}));
}

static void test_what_is_no_origin_equals_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(invalid); i++) {
        struct text origin = text_of(invalid[i]);

        assert_false(origin_equals(origin, origin));
        assert_false(origin_is_of_host(origin, origin));
        assert_int_equal(origin_list_find(origin, origin), 0);
    }
}

/* clang-format off */
static const struct {
    const char *a, *b;
    bool is_same;
} pairs[] = {
    {"http://a",         "http://a",          true},
    {"HTTP://A.Example", "http://a.example",  true},
    {"http://a:80",      "http://a",          true},
    {"https://a:443",    "https://a",         true},
    {"https://a:80",     "https://a",         false},
    {"http://a:443",     "http://a",          false},
    {"http://a",         "https://a",         false},
    {"http://a:81",      "http://a:82",       false},
    {"http://a",         "http://a.b",        false},
    {"http://a.b",       "http://b",          false},
    {"http://ab",        "http://a",          false},
    {"http://a.",        "http://a",          false},
    {"http://[::1]",     "http://[::1]:80",   true},
};
/* clang-format on */

static void test_letters_in_any_case_and_own_ports_do_not_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct text a = text_of(pairs[i].a), b = text_of(pairs[i].b);

        if (origin_equals(a, b) != pairs[i].is_same ||
            origin_equals(b, a) != pairs[i].is_same)
            fail_msg("%s, %s", pairs[i].a, pairs[i].b);
    }
}

/* clang-format off */
static const struct {
    const char *origin, *host;
    bool is_own;
} hosts[] = {
    {"http://a",        "a",          true},
    {"https://a",       "a",          true}, /* a proxy took TLS off */
    {"http://a:8080",   "A:8080",     true},
    {"http://a",        "a:80",       true},
    {"https://a",       "a:443",      true},
    {"http://[::1]:9",  "[::1]:9",    true},
    {"http://a",        "a:8080",     false},
    {"http://a:8080",   "a",          false},
    {"https://a",       "a:80",       false},
    {"http://a",        "b",          false},
    {"http://a",        "",           false},
    {"http://a.evil",   "a",          false},
    {"http://a",        "a.evil",     false},
    {"http://a",        "x@a",        false},
};
/* clang-format on */

static void test_a_page_of_the_host_itself_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++)
        if (origin_is_of_host(text_of(hosts[i].origin),
                              text_of(hosts[i].host)) != hosts[i].is_own)
            fail_msg("%s, %s", hosts[i].origin, hosts[i].host);
}

static void test_an_origin_is_written_as_browsers_do(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out);
    origin_append(&out, text_of("HTTPS://WWW.Example.org:443"));
    buffer_append_char(&out, ' ');
    origin_append(&out, text_of("http://A:3000"));
    assert_true(
        text_is(buffer_text(&out), "https://www.example.org http://a:3000"));
    buffer_fini(&out);
}

/* clang-format off */
static const struct {
    const char *list;
    bool is_valid;
} lists[] = {
    {"",                      true},
    {"http://a",              true},
    {"http://a,https://b:1",  true},
    {" http://a , http://b ", true},
    {"*",                     false},
    {"http://a,*",            false},
    {"null",                  false},
    {"http://a,",             false},
    {",http://a",             false},
    {"http://a,,http://b",    false},
    {"http://a http://b",     false},
    {" ",                     false},
};
/* clang-format on */

static void test_a_list_has_commas_and_nothing_else_between(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++)
        if (origin_list_is_valid(text_of(lists[i].list)) != lists[i].is_valid)
            fail_msg("\"%s\"", lists[i].list);
}

static void test_a_listed_origin_has_its_place(void **state)
{
    struct text list = text_of("http://a, https://B:443 ,http://c:3000");

    (void)state;
    assert_int_equal(origin_list_find(list, text_of("http://a")), 1);
    assert_int_equal(origin_list_find(list, text_of("https://b")), 2);
    assert_int_equal(origin_list_find(list, text_of("http://c:3000")), 3);
    assert_int_equal(origin_list_find(list, text_of("http://c")), 0);
    assert_int_equal(origin_list_find(list, text_of("https://a")), 0);
    assert_int_equal(origin_list_find(text_of(""), text_of("http://a")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_origin_is_scheme_host_and_port),
        cmocka_unit_test(test_what_is_no_origin_equals_nothing),
        cmocka_unit_test(test_letters_in_any_case_and_own_ports_do_not_differ),
        cmocka_unit_test(test_a_page_of_the_host_itself_is_known),
        cmocka_unit_test(test_an_origin_is_written_as_browsers_do),
        cmocka_unit_test(test_a_list_has_commas_and_nothing_else_between),
        cmocka_unit_test(test_a_listed_origin_has_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
