/* test_wire_forwarded.c -- which of the addresses that proxies name is the
 * client's. */
#include <tidings/forwarded.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* The proxies are 10.0.0.0/8 and 2001:db8:1::/48, the request came from
 * 10.0.0.1. A second header line stands behind a line feed. */
static const struct row {
    const char *value, *client;
} x_rows[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"192.0.2.1:4711", "192.0.2.1"},
    {"[2001:db8::7]:4711", "2001:db8::7"},
    {"2001:db8::7", "2001:db8::7"},
    {"198.51.100.9, 192.0.2.1", "192.0.2.1"},
    {"198.51.100.9,192.0.2.1", "192.0.2.1"},
    {"198.51.100.9 ,\t192.0.2.1 ", "192.0.2.1"},
    {"192.0.2.1, 10.1.1.1", "192.0.2.1"},
    {"127.0.0.1, 192.0.2.1, 10.1.1.1, 2001:db8:1::5", "192.0.2.1"},
    {"127.0.0.1\n192.0.2.1", "192.0.2.1"},
    {"192.0.2.1\n10.0.0.7", "192.0.2.1"},
    {"10.1.1.1", "10.1.1.1"},
    {"10.1.1.1, 10.2.2.2", "10.1.1.1"},
    /* what nobody knows: the proxy that told of it */
    {"", "10.0.0.1"},
    {"unknown", "10.0.0.1"},
    {"192.0.2.1, unknown", "10.0.0.1"},
    {"192.0.2.1,", "10.0.0.1"},
    {"192.0.2.1, unknown, 10.1.1.1", "10.1.1.1"},
    {"192.0.2.1 198.51.100.9", "10.0.0.1"},
    {"\"192.0.2.1\"", "10.0.0.1"},
    {"<script>", "10.0.0.1"},
    /* more than are kept */
    {"192.0.2.1,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,"
     "10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2",
     "192.0.2.1"},
    {"192.0.2.1,10.0.0.3,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,"
     "10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,"
     "10.0.0.2",
     "10.0.0.3"},
};

static const struct row rfc_rows[] = {
    {"for=192.0.2.1", "192.0.2.1"},
    {"For=192.0.2.1;Proto=http;by=203.0.113.43", "192.0.2.1"},
    {"proto=https; for=192.0.2.1", "192.0.2.1"},
    {"for=\"192.0.2.1:4711\"", "192.0.2.1"},
    {"for=\"[2001:db8::7]:4711\"", "2001:db8::7"},
    {"for=\"[2001:db8::7]\"", "2001:db8::7"},
    {"for=198.51.100.9, for=192.0.2.1", "192.0.2.1"},
    {"for=192.0.2.1, for=10.1.1.1", "192.0.2.1"},
    {"for=198.51.100.9;ext=\"a,b;for=1.1.1.1\", for=192.0.2.1", "192.0.2.1"},
    {"for=192.0.2.1;ext=\"\\\",for=127.0.0.1\"", "192.0.2.1"},
    {"for=127.0.0.1\nfor=192.0.2.1", "192.0.2.1"},
    {"", "10.0.0.1"},
    {"for=unknown", "10.0.0.1"},
    {"for=_secret", "10.0.0.1"},
    {"for=192.0.2.1, for=_secret", "10.0.0.1"},
    {"by=203.0.113.43", "10.0.0.1"},
    {"for=192.0.2.1;for=127.0.0.1", "10.0.0.1"},
    {"for=\"192.0.2.1", "10.0.0.1"},
    {"for=\"192.0.2.1\\\"", "10.0.0.1"},
    {"for = 192.0.2.1", "10.0.0.1"},
    {"for=192.0.2.1,", "10.0.0.1"},
    {"192.0.2.1", "10.0.0.1"},
};

static void add_lines(struct forwarded *forwarded, const char *value,
                      void (*add)(struct forwarded *, struct text))
{
    const char *end;

    while ((end = strchr(value, '\n')) != NULL) {
        add(forwarded, (struct text){value, (size_t)(end - value)});
        value = end + 1;
    }
    add(forwarded, text_of(value));
}

static void check(const struct row *rows, size_t count,
                  void (*add)(struct forwarded *, struct text))
{
    const uint8_t bytes[4] = {10, 0, 0, 1};
    const struct address peer = address_of_ipv4(bytes);
    struct networks trusted;

    networks_init(&trusted, text_of("10.0.0.0/8, 2001:db8:1::/48"));
    for (size_t i = 0; i < count; i++) {
        struct forwarded forwarded = {.count = 0};
        struct address client;
        struct buffer out;

        buffer_init(&out);
        add_lines(&forwarded, rows[i].value, add);
        client = forwarded_client(&forwarded, &trusted, &peer);
        address_append(&out, &client);
        buffer_append_char(&out, '\0');
        assert_string_equal(out.bytes, rows[i].client);
        buffer_fini(&out);
    }
    networks_fini(&trusted);
}

static void test_x_forwarded_for(void **state)
{
    (void)state;
    check(x_rows, COUNT(x_rows), forwarded_add_x);
}

static void test_forwarded(void **state)
{
    (void)state;
    check(rfc_rows, COUNT(rfc_rows), forwarded_add_rfc);
}

static void test_nothing_said(void **state)
{
    const uint8_t bytes[4] = {10, 0, 0, 1};
    const struct address peer = address_of_ipv4(bytes);
    const struct forwarded nothing = {.count = 0};
    const struct networks trusted = {NULL, 0};
    const struct address client = forwarded_client(&nothing, &trusted, &peer);

    (void)state;
    assert_true(address_equals(&client, &peer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x_forwarded_for),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_nothing_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
