/* origin.c -- scheme://host[:port], taken apart and compared.
 *
 * Nothing is decoded and no name is resolved: browsers send an origin in one
 * spelling only, so two are the same if their parts are the same letters in any
 * case. What is no origin (`null`, `*`, a URL with a path, a host with a user
 * before it) has no parts and is therefore equal to nothing.
 */
#include <tidings/origin.h>

#include <strings.h>

/* clang-format off */
#define OWN_PORTS(P) P("http", ":80") P("https", ":443") P("ws", ":80") P("wss", ":443")
/* clang-format on */

struct parts {
    struct text scheme;
    struct text host; /* with brackets around an IPv6 address */
    struct text port; /* with its colon; empty if it is the scheme's own */
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool consists_of(struct text text, const char *marks)
{
    for (size_t i = 0; i < text.length; i++)
        if (!is_letter(text.bytes[i]) && !is_digit(text.bytes[i]) &&
            (text.bytes[i] == '\0' || strchr(marks, text.bytes[i]) == NULL))
            return false;
    return text.length > 0;
}

static bool is_same_word(struct text a, struct text b)
{
    return a.length == b.length &&
           (a.length == 0 || strncasecmp(a.bytes, b.bytes, a.length) == 0);
}

static struct text part(struct text whole, size_t from, size_t to)
{
    return (struct text){whole.bytes + from, to - from};
}

/* Where the port begins, with its colon; the length if there is none. */
static size_t port_start(struct text authority)
{
    size_t at = authority.length;

    while (at > 0 && is_digit(authority.bytes[at - 1]))
        at--;
    return at > 0 && authority.bytes[at - 1] == ':' ? at - 1 : authority.length;
}

static bool is_port(struct text port)
{
    unsigned number = 0;

    if (port.length == 0)
        return true;
    if (port.length < 2 || port.length > 6 || port.bytes[1] == '0')
        return false;
    for (size_t i = 1; i < port.length; i++)
        number = number * 10 + (unsigned)(port.bytes[i] - '0');
    return number <= 65535;
}

static bool is_host(struct text host)
{
    if (host.length > 2 && host.bytes[0] == '[' &&
        host.bytes[host.length - 1] == ']')
        return consists_of(part(host, 1, host.length - 1), ":.");
    return consists_of(host, "._-");
}

static struct text own_port(struct text scheme)
{
#define P(name, port)                                                          \
    if (is_same_word(scheme, text_of(name)))                                   \
        return text_of(port);
    OWN_PORTS(P)
#undef P
    return text_of("");
}

/* host[:port] of a page that came by `scheme`. */
static bool take_authority(struct text authority, struct text scheme,
                           struct parts *parts)
{
    size_t colon = port_start(authority);

    parts->scheme = scheme;
    parts->host = part(authority, 0, colon);
    parts->port = part(authority, colon, authority.length);
    if (!is_host(parts->host) || !is_port(parts->port))
        return false;
    if (text_equals(parts->port, own_port(scheme)))
        parts->port = text_of("");
    return true;
}

static bool take_apart(struct text origin, struct parts *parts)
{
    size_t colon = 0;
    struct text scheme;

    while (colon < origin.length && origin.bytes[colon] != ':')
        colon++;
    if (colon == 0 || origin.length - colon < 3 ||
        memcmp(origin.bytes + colon, "://", 3) != 0)
        return false;
    scheme = part(origin, 0, colon);
    return is_letter(scheme.bytes[0]) && consists_of(scheme, "+-.") &&
           take_authority(part(origin, colon + 3, origin.length), scheme,
                          parts);
}

bool origin_is_valid(struct text origin)
{
    struct parts parts;

    return take_apart(origin, &parts);
}

bool origin_equals(struct text a, struct text b)
{
    struct parts of_a, of_b;

    return take_apart(a, &of_a) && take_apart(b, &of_b) &&
           is_same_word(of_a.scheme, of_b.scheme) &&
           is_same_word(of_a.host, of_b.host) &&
           text_equals(of_a.port, of_b.port);
}

bool origin_is_of_host(struct text origin, struct text host)
{
    struct parts page, server;

    return take_apart(origin, &page) &&
           take_authority(host, page.scheme, &server) &&
           is_same_word(page.host, server.host) &&
           text_equals(page.port, server.port);
}

static void append_lower(struct buffer *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.bytes[i];

        buffer_append_char(out,
                           c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c);
    }
}

void origin_append(struct buffer *out, struct text origin)
{
    struct parts parts;

    if (!take_apart(origin, &parts))
        return;
    append_lower(out, parts.scheme);
    buffer_append_string(out, "://");
    append_lower(out, parts.host);
    buffer_append_text(out, parts.port);
}

/* ---- a list --------------------------------------------------------------
 */

static struct text without_spaces(struct text text)
{
    while (text.length > 0 && text.bytes[0] == ' ')
        text = part(text, 1, text.length);
    while (text.length > 0 && text.bytes[text.length - 1] == ' ')
        text.length--;
    return text;
}

bool origin_list_next(struct text list, size_t *cursor, struct text *origin_out)
{
    size_t from = *cursor, to = from;

    if (from >= list.length)
        return false;
    while (to < list.length && list.bytes[to] != ',')
        to++;
    *cursor = to + 1;
    *origin_out = without_spaces(part(list, from, to));
    return true;
}

bool origin_list_is_valid(struct text list)
{
    struct text origin;
    size_t cursor = 0;

    while (origin_list_next(list, &cursor, &origin))
        if (!origin_is_valid(origin))
            return false;
    return list.length == 0 || list.bytes[list.length - 1] != ',';
}

unsigned origin_list_find(struct text list, struct text origin)
{
    struct text listed;
    size_t cursor = 0;

    for (unsigned i = 1; origin_list_next(list, &cursor, &listed); i++)
        if (origin_equals(listed, origin))
            return i;
    return 0;
}
