/* test_wire_address.c -- what an address is, and which network it is in. */
#include <tidings/address.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static const struct {
    const char *text, *written;
} nodes[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"192.0.2.1:80", "192.0.2.1"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255:65535", "255.255.255.255"},
    {"2001:db8::1", "2001:db8::1"},
    {"2001:DB8:0:0::1", "2001:db8::1"},
    {"[2001:db8::1]", "2001:db8::1"},
    {"[2001:db8::1]:443", "2001:db8::1"},
    {"::1", "::1"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"[::ffff:192.0.2.1]:1", "192.0.2.1"},
    {"::ffff:c000:201", "192.0.2.1"},
    {"::", "::"},
};

static const char *const no_nodes[] = {
    "",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.1.1",
    "192.0.02.1",
    "192.0.2.1:",
    "192.0.2.1:123456",
    "192.0.2.1:x",
    "192.0.2.1:80:80",
    " 192.0.2.1",
    "192.0.2.1 ",
    "192.0.2.1,",
    "[192.0.2.1]",
    "[2001:db8::1",
    "2001:db8::1]",
    "[2001:db8::1]443",
    "[2001:db8::1]:",
    "[]",
    "[:]",
    ":",
    "2001:db8:::1",
    "2001:db8::1%eth0",
    "fe80::1%1",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "localhost",
    "unknown",
    "_hidden",
    "0x7f.1",
    "2130706433",
    "1:2:3:4:5:6:255.255.255.255:80:1111111111111111111111111",
};

static void test_nodes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(nodes); i++) {
        struct address address, again;
        struct buffer out;

        buffer_init(&out);
        assert_true(address_parse_node(text_of(nodes[i].text), &address));
        address_append(&out, &address);
        assert_int_equal(out.length, strlen(nodes[i].written));
        assert_memory_equal(out.bytes, nodes[i].written, out.length);
        assert_true(address_parse(buffer_text(&out), &again));
        assert_true(address_equals(&address, &again));
        buffer_fini(&out);
    }
    for (size_t i = 0; i < COUNT(no_nodes); i++) {
        struct address address;

        if (address_parse_node(text_of(no_nodes[i]), &address))
            fail_msg("\"%s\" is no address", no_nodes[i]);
    }
}

static struct address address_from(const char *text)
{
    struct address address;

    assert_true(address_parse(text_of(text), &address));
    return address;
}

static void test_who_is_one_client(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } pairs[] = {
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"2001:db8::1", "2001:db8::ffff:0:0:2", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::1", "127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const struct address a = address_from(pairs[i].a);
        const struct address b = address_from(pairs[i].b);
        const struct address client_a = address_client(&a);
        const struct address client_b = address_client(&b);

        assert_int_equal(address_equals(&client_a, &client_b),
                         pairs[i].is_same);
    }
}

static void test_loopback(void **state)
{
    static const char *const local[] = {"127.0.0.1", "127.255.255.255", "::1",
                                        "::ffff:127.0.0.1"};
    static const char *const far[] = {
        "128.0.0.1", "::2",         "::",     "0.0.0.0",
        "10.0.0.1",  "::127.0.0.1", "fe80::1"};
    struct address address;

    (void)state;
    for (size_t i = 0; i < COUNT(local); i++) {
        address = address_from(local[i]);
        assert_true(address_is_loopback(&address));
    }
    for (size_t i = 0; i < COUNT(far); i++) {
        address = address_from(far[i]);
        assert_false(address_is_loopback(&address));
    }
}

static void test_networks(void **state)
{
    static const struct {
        const char *network, *address;
        bool is_inside;
    } rows[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"10.0.0.0/8", "a00::", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.129", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1/32", "192.0.2.0", false},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "1.2.3.4", true},
        {"::/0", "2001:db8::1", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
        {"::1/128", "::2", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct address address = address_from(rows[i].address);
        struct network network;

        assert_true(network_parse(text_of(rows[i].network), &network));
        if (network_contains(&network, &address) != rows[i].is_inside)
            fail_msg("%s in %s", rows[i].address, rows[i].network);
    }
}

static void test_lists(void **state)
{
    static const char *const good[] = {"", "10.0.0.0/8", "::1, 127.0.0.0/8",
                                       " 10.0.0.1 ,2001:db8::/32"};
    static const char *const bad[] = {",",
                                      "10.0.0.0/8,",
                                      "10.0.0.0/8,,::1",
                                      "10.0.0.1/8",
                                      "10.0.0.0/33",
                                      "::/129",
                                      "10.0.0.0/",
                                      "10.0.0.0/08",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/8x",
                                      "localhost",
                                      "10.0.0.0 /8",
                                      "2001:db8::1/32",
                                      "*",
                                      "10.0.0.0/8 ::1"};
    const struct address inside = address_from("2001:db8:5::9");
    const struct address outside = address_from("192.0.2.1");
    struct networks networks;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(network_list_is_valid(text_of(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (network_list_is_valid(text_of(bad[i])))
            fail_msg("\"%s\" is no list", bad[i]);
    networks_init(&networks, text_of(good[3]));
    assert_int_equal(networks.count, 2);
    assert_true(networks_contain(&networks, &inside));
    assert_false(networks_contain(&networks, &outside));
    networks_fini(&networks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_who_is_one_client),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
