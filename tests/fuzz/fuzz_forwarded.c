/* fuzz_forwarded.c -- what proxies write about their clients: headers, the PROXY
 * protocol, and the lists of networks that say who is believed.
 *
 * The first byte chooses. An address that comes out must be the same one when it
 * is written and read again; a client that is named must not be a trusted proxy
 * unless every hop is; and a PROXY header that is whole must be whole, and say
 * the same, with more bytes behind it, and need more at every place before.
 */
#include "fuzz.h"

#include <tidings/forwarded.h>
#include <tidings/proxy_protocol.h>

static void check_address(const struct address *address)
{
    struct address again;
    struct buffer out;

    buffer_init(&out);
    address_append(&out, address);
    CHECK(out.length <= ADDRESS_TEXT_MAX);
    CHECK(address_parse(buffer_text(&out), &again));
    CHECK(address_equals(address, &again));
    buffer_fini(&out);
}

static void check_node(struct text input)
{
    struct address address, client;

    if (!address_parse_node(input, &address))
        return;
    check_address(&address);
    client = address_client(&address);
    CHECK(address_is_ipv4(&client) == address_is_ipv4(&address));
}

static void check_networks(struct text input)
{
    static const uint8_t bytes[4] = {10, 1, 2, 3};
    const struct address address = address_of_ipv4(bytes);
    struct networks networks;

    if (!network_list_is_valid(input))
        return;
    networks_init(&networks, input);
    for (unsigned i = 0; i < networks.count; i++)
        CHECK(networks_contain(&networks, &networks.rows[i].address));
    (void)networks_contain(&networks, &address);
    networks_fini(&networks);
}

static void check_header(struct text input, bool is_rfc)
{
    static const uint8_t bytes[4] = {10, 0, 0, 1};
    const struct address peer = address_of_ipv4(bytes);
    struct forwarded forwarded = {.count = 0};
    struct networks trusted;
    struct address client;
    bool is_trusted;

    networks_init(&trusted, text_of("10.0.0.0/8, 2001:db8::/32"));
    if (is_rfc)
        forwarded_add_rfc(&forwarded, input);
    else
        forwarded_add_x(&forwarded, input);
    CHECK(forwarded.count >= 1 && forwarded.count <= FORWARDED_HOPS);
    client = forwarded_client(&forwarded, &trusted, &peer);
    check_address(&client);
    is_trusted = networks_contain(&trusted, &client);
    if (forwarded.is_known[forwarded.count - 1] &&
        !networks_contain(&trusted, &forwarded.hops[forwarded.count - 1]))
        CHECK(!is_trusted);
    networks_fini(&trusted);
}

static void check_proxy_header(struct text input)
{
    struct proxy_header header, again;
    struct buffer longer;

    if (proxy_header_parse(input, &header) != ST_OK)
        return;
    CHECK(header.bytes > 0 && header.bytes <= input.length);
    CHECK(header.bytes <= PROXY_HEADER_MAX_BYTES);
    for (size_t cut = 0; cut < header.bytes; cut++)
        CHECK(proxy_header_parse((struct text){input.bytes, cut}, &again) ==
              ST_EMPTY);
    buffer_init(&longer);
    buffer_append(&longer, input.bytes, header.bytes);
    buffer_append_string(&longer, "\r\nPROXY");
    CHECK(proxy_header_parse(buffer_text(&longer), &again) == ST_OK);
    CHECK(again.bytes == header.bytes);
    CHECK(again.has_address == header.has_address);
    if (header.has_address) {
        CHECK(address_equals(&header.source, &again.source));
        check_address(&header.source);
    }
    buffer_fini(&longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input;

    if (size == 0)
        return 0;
    input = text_of_input(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        check_node(input);
        break;
    case 1:
        check_networks(input);
        break;
    case 2:
        check_header(input, false);
        break;
    case 3:
        check_header(input, true);
        break;
    case 4:
        check_proxy_header(input);
        break;
    }
    return 0;
}
