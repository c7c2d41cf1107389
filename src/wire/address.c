/* address.c -- addresses out of text and back, networks and who is in them.
 *
 * One form for both families, so one comparison: a prefix of n bits of IPv4 is
 * one of 96 + n bits. The system's own reader takes the digits apart; what it
 * does not know (ports, brackets, prefixes) is taken off before, and what it
 * would let through for convenience (a zone) is refused.
 */
#include <tidings/address.h>
#include <tidings/check.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/seeded_bug.h"

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct address address_of_ipv4(const uint8_t bytes[4])
{
    struct address address;

    memcpy(address.bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(address.bytes + sizeof mapped_prefix, bytes, 4);
    return address;
}

bool address_is_ipv4(const struct address *address)
{
    return memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t one[16] = {[15] = 1};

    if (address_is_ipv4(address))
        return address->bytes[12] == 127;
    return memcmp(address->bytes, one, sizeof one) == 0;
}

bool address_equals(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct address address_client(const struct address *address)
{
    struct address client = *address;

    if (!address_is_ipv4(address) && !seeded_bug("limits-whole-ipv6"))
        memset(client.bytes + 8, 0, 8);
    return client;
}

/* ---- text ---------------------------------------------------------------- */

bool address_parse(struct text text, struct address *address_out)
{
    char string[ADDRESS_TEXT_MAX + 1];
    uint8_t four[4];

    if (text.length == 0 || text.length >= sizeof string)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (strchr("0123456789abcdefABCDEF:.", text.bytes[i]) == NULL ||
            text.bytes[i] == '\0')
            return false;
    memcpy(string, text.bytes, text.length);
    string[text.length] = '\0';
    if (inet_pton(AF_INET, string, four) == 1) {
        *address_out = address_of_ipv4(four);
        return true;
    }
    return inet_pton(AF_INET6, string, address_out->bytes) == 1;
}

static bool is_port(struct text text)
{
    if (text.length == 0 || text.length > 5)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return true;
}

static struct text from(struct text text, size_t at)
{
    return (struct text){text.bytes + at, text.length - at};
}

static bool parse_bracketed(struct text text, struct address *address_out)
{
    const char *end = memchr(text.bytes, ']', text.length);
    struct text inner, rest;

    if (end == NULL)
        return false;
    inner = (struct text){text.bytes + 1, (size_t)(end - text.bytes) - 1};
    rest = from(text, inner.length + 2);
    if (rest.length > 0 && (rest.bytes[0] != ':' || !is_port(from(rest, 1))))
        return false;
    return memchr(inner.bytes, ':', inner.length) != NULL &&
           address_parse(inner, address_out);
}

bool address_parse_node(struct text text, struct address *address_out)
{
    const char *colon;
    struct text host = text;

    if (text.length > 0 && text.bytes[0] == '[')
        return parse_bracketed(text, address_out);
    colon = text.length > 0 ? memchr(text.bytes, ':', text.length) : NULL;
    if (colon != NULL && memchr(text.bytes, '.', text.length) != NULL &&
        memchr(colon + 1, ':',
               text.length - (size_t)(colon + 1 - text.bytes)) == NULL) {
        host.length = (size_t)(colon - text.bytes);
        if (!is_port(from(text, host.length + 1)))
            return false;
    }
    return address_parse(host, address_out);
}

void address_append(struct buffer *out, const struct address *address)
{
    char string[ADDRESS_TEXT_MAX + 1];
    const bool is_four = address_is_ipv4(address);

    CHECK(inet_ntop(is_four ? AF_INET : AF_INET6,
                    is_four ? address->bytes + 12 : address->bytes, string,
                    sizeof string) != NULL);
    buffer_append_string(out, string);
}

/* ---- sockets -------------------------------------------------------------- */

struct address address_of_socket(const struct sockaddr_storage *socket)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct address address = {{0}};
    uint8_t bytes[4];

    if (socket->ss_family == AF_INET) {
        memcpy(&four, socket, sizeof four);
        memcpy(bytes, &four.sin_addr, sizeof bytes);
        return address_of_ipv4(bytes);
    }
    if (socket->ss_family == AF_INET6) {
        memcpy(&six, socket, sizeof six);
        memcpy(address.bytes, &six.sin6_addr, sizeof address.bytes);
    }
    return address;
}

void address_to_socket(const struct address *address,
                       struct sockaddr_storage *socket)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    memset(socket, 0, sizeof *socket);
    if (address_is_ipv4(address)) {
        memcpy(&four.sin_addr, address->bytes + 12, 4);
        memcpy(socket, &four, sizeof four);
    } else {
        memcpy(&six.sin6_addr, address->bytes, sizeof address->bytes);
        memcpy(socket, &six, sizeof six);
    }
}

/* ---- networks ------------------------------------------------------------ */

static bool parse_bits(struct text text, unsigned most, unsigned *bits_out)
{
    unsigned bits = 0;

    if (text.length == 0 || text.length > 3 ||
        (text.bytes[0] == '0' && text.length > 1))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(text.bytes[i] - '0');
    }
    *bits_out = bits;
    return bits <= most;
}

static bool has_bits_behind(const struct address *address, unsigned bits)
{
    for (unsigned i = bits; i < 128; i++)
        if ((address->bytes[i / 8] >> (7 - i % 8) & 1) != 0)
            return true;
    return false;
}

bool network_parse(struct text text, struct network *network_out)
{
    const char *slash =
        text.length > 0 ? memchr(text.bytes, '/', text.length) : NULL;
    struct text host = text;
    struct address address;
    unsigned most, bits;

    if (slash != NULL)
        host.length = (size_t)(slash - text.bytes);
    if (!address_parse(host, &address))
        return false;
    most = address_is_ipv4(&address) ? 32 : 128;
    bits = most;
    if (slash != NULL && !parse_bits(from(text, host.length + 1), most, &bits))
        return false;
    bits += 128 - most;
    if (has_bits_behind(&address, bits))
        return false;
    *network_out = (struct network){address, (uint8_t)bits};
    return true;
}

bool network_contains(const struct network *network,
                      const struct address *address)
{
    const unsigned whole = network->bits / 8, rest = network->bits % 8;
    const unsigned mask = 0xffu << (8 - rest) & 0xffu;

    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 ||
           ((network->address.bytes[whole] ^ address->bytes[whole]) & mask) ==
               0;
}

/* The next of the list without spaces around; false at its end. */
static bool next_item(struct text list, size_t *cursor, struct text *item_out)
{
    size_t begin = *cursor, end = begin;

    if (begin >= list.length)
        return false;
    while (end < list.length && list.bytes[end] != ',')
        end++;
    *cursor = end + 1;
    while (begin < end && list.bytes[begin] == ' ')
        begin++;
    while (end > begin && list.bytes[end - 1] == ' ')
        end--;
    *item_out = (struct text){list.bytes + begin, end - begin};
    return true;
}

bool network_list_is_valid(struct text list)
{
    struct network network;
    struct text item;
    size_t cursor = 0;

    while (next_item(list, &cursor, &item))
        if (!network_parse(item, &network))
            return false;
    return list.length == 0 || list.bytes[list.length - 1] != ',';
}

void networks_init(struct networks *networks, struct text list)
{
    struct text item;
    size_t cursor = 0;

    networks->rows = NULL;
    networks->count = 0;
    while (next_item(list, &cursor, &item)) {
        networks->rows = must_realloc(
            networks->rows, (networks->count + 1u) * sizeof *networks->rows);
        CHECK(network_parse(item, &networks->rows[networks->count]));
        networks->count++;
    }
}

void networks_fini(struct networks *networks)
{
    free(networks->rows);
    networks->rows = NULL;
    networks->count = 0;
}

bool networks_contain(const struct networks *networks,
                      const struct address *address)
{
    for (unsigned i = 0; i < networks->count; i++)
        if (network_contains(&networks->rows[i], address))
            return true;
    return false;
}
