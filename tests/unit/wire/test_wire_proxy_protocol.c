/* test_wire_proxy_protocol.c -- headers of both versions, whole, cut short and
 * wrong. */
#include <tidings/proxy_protocol.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(string)                                                          \
    {                                                                          \
        string, sizeof string - 1                                              \
    }

/* The client that is named; NULL: none. */
static const struct row {
    struct text header;
    const char *source;
} good[] = {
    {BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"), "192.0.2.1"},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
     "255.255.255.255"},
    {BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 0 1\r\n"), "192.0.2.1"},
    {BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n"), "2001:db8::1"},
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 443\r\n"), "192.0.2.1"},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {BYTES("PROXY UNKNOWN\r\n"), NULL},
    {BYTES("PROXY UNKNOWN ffff::1 anything 65535 65535\r\n"), NULL},
    {BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\x01"
                     "\xbb"),
     "192.0.2.1"},
    {BYTES(SIGNATURE "\x21\x11\0\x0f\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\x01"
                     "\xbb\x04\0\0"),
     "192.0.2.1"},
    {BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x67\x01"
                     "\xbb"),
     "2001:db8::1"},
    {BYTES(SIGNATURE "\x20\0\0\0"), NULL},
    {BYTES(SIGNATURE "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\x01"
                     "\xbb"),
     NULL},
    {BYTES(SIGNATURE "\x20\xff\0\x01x"), NULL},
    {BYTES(SIGNATURE "\x21\0\0\x02xy"), NULL},
    {BYTES(SIGNATURE "\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\x01"
                     "\xbb"),
     NULL},
    {BYTES(SIGNATURE "\x21\x31\0\x03xyz"), NULL},
};

static const struct text bad[] = {
    BYTES("GET / HTTP/1.1\r\n"),
    BYTES("\x16\x03\x01"),
    BYTES("\r\n\r\nGET"),
    BYTES("proxy TCP4 "),
    BYTES("PROXYTCP4"),
    BYTES("PROXY\r\n"),
    BYTES("PROXY \r\n"),
    BYTES("PROXY TCP4\r\n"),
    BYTES("PROXY  TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 443 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 443 x\r\n"),
    BYTES("PROXY TCP4 192.0.2.1  198.51.100.2 4711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 04711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 65536\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 +443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\n"),
    BYTES("PROXY TCP4 192.0.2.256 198.51.100.2 4711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 localhost 4711 443\r\n"),
    BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n"),
    BYTES("PROXY TCP6 192.0.2.1 198.51.100.2 4711 443\r\n"),
    BYTES("PROXY TCP6 2001:db8::1%1 2001:db8::2 4711 443\r\n"),
    BYTES("PROXY UDP4 192.0.2.1 198.51.100.2 4711 443\r\n"),
    BYTES("PROXY unknown\r\n"),
    BYTES("PROXY UNKNOWN "
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
    BYTES(SIGNATURE "\x11\x11\0\x0c"),
    BYTES(SIGNATURE "\x22\x11\0\x0c"),
    BYTES(SIGNATURE "\x31"),
    BYTES(SIGNATURE "\x21\x11\xff\xff"),
    BYTES(SIGNATURE "\x21\x11\x0f\xf1"),
    BYTES(SIGNATURE "\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\x01"),
    BYTES(SIGNATURE "\x21\x21\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\x01"
                    "\xbb"),
    BYTES("\r\n\r\n\0\r\nQUIX"),
};

static void check_source(const struct row *row,
                         const struct proxy_header *header)
{
    struct buffer out;

    assert_int_equal(header->bytes, row->header.length);
    assert_int_equal(header->has_address, row->source != NULL);
    if (row->source == NULL)
        return;
    buffer_init(&out);
    address_append(&out, &header->source);
    buffer_append_char(&out, '\0');
    assert_string_equal(out.bytes, row->source);
    buffer_fini(&out);
}

/* Whole, at each place cut short, and with the client's bytes behind it. */
static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        const struct text whole = good[i].header;
        struct proxy_header header;
        struct buffer longer;

        for (size_t cut = 0; cut < whole.length; cut++)
            assert_int_equal(
                proxy_header_parse((struct text){whole.bytes, cut}, &header),
                ST_EMPTY);
        assert_int_equal(proxy_header_parse(whole, &header), ST_OK);
        check_source(&good[i], &header);
        buffer_init(&longer);
        buffer_append_text(&longer, whole);
        buffer_append_string(&longer, "GET / HTTP/1.1\r\n\r\n");
        assert_int_equal(proxy_header_parse(buffer_text(&longer), &header),
                         ST_OK);
        check_source(&good[i], &header);
        buffer_fini(&longer);
    }
}

static void test_bad(void **state)
{
    struct proxy_header header;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (proxy_header_parse(bad[i], &header) != ST_BAD_INPUT)
            fail_msg("row %zu is no header", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
