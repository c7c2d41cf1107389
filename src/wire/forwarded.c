/* forwarded.c -- X-Forwarded-For, and Forwarded of RFC 7239.
 *
 *     X-Forwarded-For: 198.51.100.1, 203.0.113.7:4711
 *     Forwarded: for=198.51.100.1;proto=https, for="[2001:db8::7]:4711"
 *
 * Lists are read forward, since a quoted text may contain the comma, and the
 * newest hops are kept. A hop that is hidden, unknown or malformed stays in its
 * place as one that nobody knows: behind it nothing is believed, and the proxy
 * that told of it is taken for the client.
 */
#include <tidings/forwarded.h>

#include "base/seeded_bug.h"

#include <strings.h>

static void add(struct forwarded *forwarded, struct text node)
{
    struct address address = {{0}};
    const bool is_known = address_parse_node(node, &address);

    if (forwarded->count == FORWARDED_HOPS) {
        forwarded->count--;
        memmove(forwarded->hops, forwarded->hops + 1,
                forwarded->count * sizeof *forwarded->hops);
        memmove(forwarded->is_known, forwarded->is_known + 1,
                forwarded->count * sizeof *forwarded->is_known);
    }
    forwarded->hops[forwarded->count] = address;
    forwarded->is_known[forwarded->count++] = is_known;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trimmed(struct text text)
{
    while (text.length > 0 && is_blank(text.bytes[0])) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && is_blank(text.bytes[text.length - 1]))
        text.length--;
    return text;
}

/* Cuts what is in front of the mark off `rest`, quoted texts being whole; false:
 * nothing was left. */
static bool take_upto(struct text *rest, char mark, struct text *part_out)
{
    bool is_quoted = false;
    size_t end = 0;

    if (rest->bytes == NULL)
        return false;
    for (; end < rest->length; end++) {
        const char c = rest->bytes[end];

        if (is_quoted && c == '\\')
            end++;
        else if (c == '"')
            is_quoted = !is_quoted;
        else if (c == mark && !is_quoted)
            break;
    }
    if (end >= rest->length) {
        *part_out = trimmed(*rest);
        *rest = (struct text){NULL, 0};
        return true;
    }
    *part_out = trimmed((struct text){rest->bytes, end});
    *rest = (struct text){rest->bytes + end + 1, rest->length - end - 1};
    return true;
}

/* ---- X-Forwarded-For ------------------------------------------------------- */

void forwarded_add_x(struct forwarded *forwarded, struct text value)
{
    struct text node;
    const char *comma;

    while ((comma = value.length > 0 ? memchr(value.bytes, ',', value.length)
                                     : NULL) != NULL) {
        node = (struct text){value.bytes, (size_t)(comma - value.bytes)};
        add(forwarded, trimmed(node));
        value = (struct text){comma + 1, value.length - node.length - 1};
    }
    add(forwarded, trimmed(value));
}

/* ---- Forwarded -------------------------------------------------------------- */

/* The node of `for=`; empty if the pair is another or malformed. */
static struct text node_of(struct text pair)
{
    static const char name[] = "for=";
    const size_t length = sizeof name - 1;
    struct text value;

    if (pair.length <= length || strncasecmp(pair.bytes, name, length) != 0)
        return (struct text){NULL, 0};
    value = (struct text){pair.bytes + length, pair.length - length};
    if (value.bytes[0] != '"')
        return value;
    if (value.length < 2 || value.bytes[value.length - 1] != '"')
        return (struct text){NULL, 0};
    /* No address has anything to escape. */
    return (struct text){value.bytes + 1, value.length - 2};
}

static void add_element(struct forwarded *forwarded, struct text element)
{
    struct text pair, node = {NULL, 0};
    unsigned count = 0;

    while (take_upto(&element, ';', &pair)) {
        struct text found = node_of(pair);

        if (found.length == 0)
            continue;
        node = found;
        count++;
    }
    add(forwarded, count == 1 ? node : (struct text){NULL, 0});
}

void forwarded_add_rfc(struct forwarded *forwarded, struct text value)
{
    struct text element;

    if (value.bytes == NULL || value.length == 0) {
        add(forwarded, (struct text){NULL, 0});
        return;
    }
    while (take_upto(&value, ',', &element))
        add_element(forwarded, element);
}

/* ---- who it is --------------------------------------------------------------- */

struct address forwarded_client(const struct forwarded *forwarded,
                                const struct networks *trusted,
                                const struct address *peer)
{
    struct address client = *peer;

    for (unsigned i = forwarded->count; i > 0; i--) {
        if (!forwarded->is_known[i - 1])
            return client;
        client = forwarded->hops[i - 1];
        if (!networks_contain(trusted, &client) &&
            !seeded_bug("limits-leftmost-hop"))
            return client;
    }
    return client;
}
