/* http_request_line.c -- method, target and version of a request.
 *
 * The line is taken apart at its two spaces without looking at what the parts
 * mean, then each part is judged. The version comes first: whoever speaks
 * another protocol is to hear that, and not that his target is odd.
 *
 * A target is a path with a query; or the same behind `http://host`, as a proxy
 * is asked and any server must understand (RFC 9112, 3.2.2); or the `*` of an
 * OPTIONS. Whoever wants a tunnel (CONNECT) or an echo (TRACE, which would show
 * a page the cookies that it may not see) is told that there is none.
 *
 * Characters that browsers send in a query without escaping, `{` `}` `|` and the like, are let through.
 * A `#`, or a backslash in a path, is not: servers and proxies disagree about
 * what it means. In a path every escape must be one, and none may hide a
 * control character: %00 would cut the path short, %0d%0a would end a line for
 * whoever decodes it. The query's escapes are judged where it is decoded
 * (form.c).
 */
#include "http_check.h"

#include "hex.h"

/* clang-format off */
const unsigned char http_characters[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* controls    */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 7, 2, 1, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 2, /*  !"#$%&'()*+,-./ */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 2, 6, 2, 2, /* 0123456789:;<=>? */
    2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* @ABCDEFGHIJKLMNO */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 2, 6, 3, 7, /* PQRSTUVWXYZ[\]^_ */
    3, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* `abcdefghijklmno */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 3, 2, 7, 0, /* pqrstuvwxyz{|}~  */
    /* the rest, all above ASCII, is 0 */
};

/*    method     has a body that means something                              */
#define METHODS(M)                                                             \
    M("GET",     false)                                                        \
    M("HEAD",    false)                                                        \
    M("POST",    true)                                                         \
    M("PUT",     true)                                                         \
    M("DELETE",  false)                                                        \
    M("OPTIONS", false)                                                        \
    M("PATCH",   true)
/* clang-format on */

static const struct method_row {
    const char *name;
    size_t length;
    bool has_body;
} method_rows[] = {
#define M(name, has_body) {name, sizeof name - 1, has_body},
    METHODS(M)
#undef M
};

static const char *skip(const char *at, const char *end, unsigned kinds)
{
    while (at < end && http_is(*at, kinds))
        at++;
    return at;
}

static enum status check_version(struct http_check *check, struct text version)
{
    static const char prefix[] = "HTTP/";

    if (text_is(version, "HTTP/1.1"))
        return ST_OK;
    check->head.is_http_10 = text_is(version, "HTTP/1.0");
    if (check->head.is_http_10)
        return ST_OK;
    if (version.length < sizeof prefix ||
        memcmp(version.bytes, prefix, sizeof prefix - 1) != 0 ||
        memchr(version.bytes, ' ', version.length) != NULL)
        return http_refuse(check, REFUSED_REQUEST_LINE);
    return http_refuse(check, REFUSED_VERSION);
}

static enum status check_method(struct http_check *check, struct text method)
{
    size_t i;

    if (text_is(method, "CONNECT") || text_is(method, "TRACE"))
        return http_refuse(check, REFUSED_METHOD_NEVER);

    for (i = 0; i < sizeof method_rows / sizeof method_rows[0]; i++) {
        const struct method_row *row = &method_rows[i];

        if (row->length == method.length &&
            memcmp(row->name, method.bytes, method.length) == 0) {
            check->is_for_body = row->has_body;
            return ST_OK;
        }
    }
    return http_refuse(check, REFUSED_METHOD);
}

static enum status check_escapes(struct http_check *check, const char *at,
                                 const char *end)
{
    while ((at = memchr(at, '%', (size_t)(end - at))) != NULL) {
        int high = end - at >= 3 ? hex_value(at[1]) : -1;
        int low = end - at >= 3 ? hex_value(at[2]) : -1;

        if (high < 0 || low < 0)
            return http_refuse(check, REFUSED_TARGET_ESCAPE);
        if (high < 2 || (high == 7 && low == 15))
            return http_refuse(check, REFUSED_TARGET_CONTROL);
        at += 3;
    }
    return ST_OK;
}

static bool take_prefix(struct text *target, const char *small)
{
    size_t length = strlen(small);
    size_t i;

    if (target->length < length)
        return false;
    for (i = 0; i < length; i++)
        if (((unsigned char)target->bytes[i] | 0x20) !=
            ((unsigned char)small[i] | 0x20))
            return false;
    target->bytes += length;
    target->length -= length;
    return true;
}

/* Takes `http://host:port` off the front of an absolute target. An empty host
 * must be refused (RFC 9110, 4.2.1), and so are users with passwords (4.2.4). */
static bool take_authority(struct text *target)
{
    struct text authority = {target->bytes, 0};

    if (!take_prefix(target, "http://") && !take_prefix(target, "https://"))
        return false;
    authority.bytes = target->bytes;
    while (target->length > 0 && *target->bytes != '/' &&
           *target->bytes != '?') {
        target->bytes++;
        target->length--;
        authority.length++;
    }
    return authority.length > 0 && authority.bytes[0] != ':' &&
           http_is_authority(authority);
}

static enum status check_target(struct http_check *check, struct text method,
                                struct text target)
{
    const char *query;
    size_t path_bytes;

    if (target.length == 0)
        return http_refuse(check, REFUSED_REQUEST_LINE);
    if (text_is(target, "*") && text_is(method, "OPTIONS"))
        return ST_OK;
    if (target.bytes[0] != '/' && !take_authority(&target))
        return http_refuse(check, REFUSED_TARGET_FORM);
    if (target.length == 0)
        return ST_OK; /* http://host */

    query = memchr(target.bytes, '?', target.length);
    path_bytes = query != NULL ? (size_t)(query - target.bytes) : target.length;
    if (memchr(target.bytes, '\\', path_bytes) != NULL)
        return http_refuse(check, REFUSED_TARGET_CHARACTER);
    return check_escapes(check, target.bytes, target.bytes + path_bytes);
}

enum status http_check_request_line(struct http_check *check, struct text line)
{
    const char *end = line.bytes + line.length;
    const char *method_end = skip(line.bytes, end, HTTP_IS_TOKEN);
    const char *start, *target_end;
    struct text method, target, version;
    enum status st;

    if (method_end == line.bytes || method_end == end || *method_end != ' ')
        return http_refuse(check, REFUSED_REQUEST_LINE);
    start = method_end + 1;
    target_end = skip(start, end, HTTP_IS_TARGET);
    check->head.target_bytes = (size_t)(target_end - start);
    if (target_end - start > HTTP_TARGET_MAX_BYTES)
        return http_refuse(check, REFUSED_TARGET_LONG);
    if (target_end == end)
        return http_refuse(check, REFUSED_REQUEST_LINE);
    if (*target_end != ' ')
        return http_refuse(check, REFUSED_TARGET_CHARACTER);

    method = (struct text){line.bytes, (size_t)(method_end - line.bytes)};
    target = (struct text){start, (size_t)(target_end - start)};
    version = (struct text){target_end + 1, (size_t)(end - target_end - 1)};
    st = check_version(check, version);
    if (st == ST_OK)
        st = check_method(check, method);
    if (st == ST_OK)
        st = check_target(check, method, target);
    return st;
}
