/* handoff_head.c -- the pieces of a request head that is about to be lent.
 *
 * Civetweb decodes the target in place, so the path that the client sent is
 * found here, before. Three forms of target need more than civetweb does:
 *
 *   http://host/path   civetweb closes, unless it thinks that the host is
 *                      itself. RFC 9112 wants it served: lent as /path, with
 *                      this host for the Host that came (3.2.2).
 *   *                  civetweb closes. Of an OPTIONS it is right: lent as `/`.
 *   /a%00b, /a%0db     civetweb cuts the path at the first and gives the
 *                      second to the handler. Control bytes are refused.
 *
 * Everything else that may be wrong with a head civetweb refuses itself, or the
 * strict check before did.
 */
#include "handoff_head.h"

#include <ctype.h>
#include <strings.h>

static struct text first(struct text text, size_t count)
{
    return (struct text){text.bytes, count};
}

static struct text skip(struct text text, size_t count)
{
    return (struct text){text.bytes + count, text.length - count};
}

static struct text without_empty_lines(struct text head)
{
    while (head.length > 0 && (*head.bytes == '\r' || *head.bytes == '\n'))
        head = skip(head, 1);
    return head;
}

/* The bytes up to the first of `ends`, or all. */
static struct text take_until(struct text text, const char *ends)
{
    size_t length = 0;

    while (length < text.length && strchr(ends, text.bytes[length]) == NULL)
        length += 1;
    return first(text, length);
}

static bool starts_with(struct text text, const char *scheme)
{
    const size_t length = strlen(scheme);

    return text.length >= length &&
           strncasecmp(text.bytes, scheme, length) == 0;
}

/* Bytes of `http://authority` at the start of an absolute target, else 0. */
static size_t authority_bytes(struct text target)
{
    size_t scheme;

    if (target.length > 0 && *target.bytes == '/')
        return 0;
    if (starts_with(target, "http://"))
        scheme = strlen("http://");
    else if (starts_with(target, "https://"))
        scheme = strlen("https://");
    else
        return 0;
    return scheme + take_until(skip(target, scheme), "/?").length;
}

/* What is left of `http://authority`. */
static struct text without_scheme(struct text absolute)
{
    const size_t scheme = take_until(absolute, ":").length;

    return absolute.length == 0 ? absolute : skip(absolute, scheme + 3);
}

/* A percent sign before the digits of a control byte; DEL is one. */
static bool has_escaped_control(struct text path)
{
    const char *end = path.bytes + path.length;
    const char *at = memchr(path.bytes, '%', path.length);

    for (; at != NULL; at = memchr(at + 1, '%', (size_t)(end - at) - 1)) {
        if (end - at < 3 || !isxdigit((unsigned char)at[2]))
            continue;
        if (at[1] == '0' || at[1] == '1')
            return true;
        if (at[1] == '7' && (at[2] == 'f' || at[2] == 'F'))
            return true;
    }
    return false;
}

int handoff_head_read(struct text bytes, struct handoff_head *head_out)
{
    const struct text head = without_empty_lines(bytes);
    const struct text method = take_until(head, " \r\n");
    const size_t before = method.length + (method.length < head.length);
    const struct text sent = take_until(skip(head, before), " \r\n");
    const bool is_asterisk = text_is(sent, "*") && text_is(method, "OPTIONS");
    const size_t absolute = authority_bytes(sent);
    const struct text target =
        is_asterisk ? text_of("/") : skip(sent, absolute);
    const struct text path = take_until(target, "?");

    if (has_escaped_control(path))
        return 400;
    head_out->before = first(head, before);
    head_out->slash = text_of(path.length == 0 && sent.length > 0 ? "/" : "");
    head_out->target = target;
    head_out->after = skip(head, before + sent.length);
    head_out->path = is_asterisk        ? sent
                     : path.length == 0 ? text_of("/")
                                        : path;
    head_out->authority = without_scheme(first(sent, absolute));
    head_out->is_asterisk = is_asterisk;
    return 0;
}
