/* http_head.c -- is this the head of a request, exactly as RFC 9112 has it?
 *
 * It runs for every request before civetweb sees a byte, because civetweb
 * (1.15, 1.16) accepts heads whose end or whose body another program on the way
 * would see elsewhere: folded lines, bare LF, a 65th header, two lengths, a
 * length with a transfer coding. What is refused here is answered and the
 * connection closed; what passes has one meaning only.
 *
 * Bytes come as the network cuts them, so the call is repeated with more of
 * them until the head is whole. To keep a client that sends single bytes from
 * making us judge the same lines thousands of times, a first look
 * (is_worth_judging) hops from LF to LF and says whether the head has its end,
 * or is already so wrong that waiting for more is pointless. Only then are the
 * lines judged, in one pass: a line's characters eight at a time, the few
 * headers that decide about the connection by table (http_fields.c).
 *
 * Nothing here is limited by total size: the caller stops at 16 KiB.
 */
#include "http_check.h"

#include "../base/seeded_bug.h"

#define EMPTY_LINES_MAX        2
#define REQUEST_LINE_MAX_BYTES (HTTP_TARGET_MAX_BYTES + 32)

static const struct refusal_row {
    unsigned http_status;
    const char *sentence;
} refusal_rows[] = {
#define R(name, http_status, sentence) {http_status, sentence},
    HTTP_REFUSALS(R)
#undef R
};

static bool has_prefix(const char *at, const char *end, const char *prefix)
{
    size_t length = strlen(prefix);

    return (size_t)(end - at) >= length && memcmp(at, prefix, length) == 0;
}

/* Behind the empty lines at the start, as many as may be there. */
static const char *skip_empty_lines(const char *at, const char *end)
{
    unsigned i;

    for (i = 0; i < EMPTY_LINES_MAX && has_prefix(at, end, "\r\n"); i++)
        at += 2;
    return at;
}

/* ---- the first look ------------------------------------------------------ */

/* The first byte of a request line is one of a method; a CR may be the start of
 * an empty line. */
static bool start_is_wrong(const char *at, const char *end)
{
    return !http_is(*at, HTTP_IS_TOKEN) && !(*at == '\r' && end - at == 1);
}

static bool request_line_is_long(const char *at, const char *end)
{
    const char *line_end = memchr(at, '\n', (size_t)(end - at));

    return (line_end != NULL ? line_end : end) - at > REQUEST_LINE_MAX_BYTES;
}

/* Is there an empty line, or a fault that more bytes cannot mend? */
static bool has_end_or_fault(const char *at, const char *end)
{
    const char *line_end;
    unsigned lines = 0;

    while (at < end &&
           (line_end = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (line_end == at || line_end[-1] != '\r')
            return true; /* a bare LF */
        if (has_prefix(line_end + 1, end, "\r\n"))
            return true;
        if (++lines > HTTP_HEADERS_MAX + 1)
            return true;
        at = line_end + 1;
    }
    return false;
}

static bool is_worth_judging(struct text bytes)
{
    const char *end = bytes.bytes + bytes.length;
    const char *at;

    if (bytes.length == 0)
        return false;
    /* The usual case: a request without a body, all of it. */
    if (bytes.length >= 4 && memcmp(end - 4, "\r\n\r\n", 4) == 0)
        return true;
    at = skip_empty_lines(bytes.bytes, end);
    return at < end &&
           (start_is_wrong(at, end) || request_line_is_long(at, end) ||
            has_end_or_fault(at, end));
}

/* ---- lines --------------------------------------------------------------- */

/* The line at `*at` without its CR LF. ST_EMPTY: its end is not here yet. */
static enum status next_line(struct http_check *check, const char **at,
                             const char *end, struct text *line_out)
{
    const char *start = *at;
    const char *line_feed;

    if (start == end)
        return ST_EMPTY;
    line_feed = memchr(start, '\n', (size_t)(end - start));
    if (line_feed == NULL)
        return ST_EMPTY;
    if (line_feed == start || line_feed[-1] != '\r')
        return http_refuse(check, REFUSED_BARE_LF);
    line_out->bytes = start;
    line_out->length = (size_t)(line_feed - start) - 1;
    *at = line_feed + 1;
    return ST_OK;
}

/* Has one of the eight bytes a value below 0x20, or 0x7f? */
static bool has_control(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones << 7;
    uint64_t eight, as_del;

    memcpy(&eight, at, sizeof eight);
    as_del = eight ^ (ones * 0x7f);
    return ((((eight - ones * 0x20) & ~eight) | ((as_del - ones) & ~as_del)) &
            tops) != 0;
}

static enum status check_value(struct http_check *check, struct text value)
{
    const char *at = value.bytes;
    const char *end = value.bytes + value.length;

    while (at < end) {
        if (end - at >= 8 && !has_control(at)) {
            at += 8;
            continue;
        }
        if (*at == '\t')
            check->head.is_untidy = true;
        else if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return http_refuse(check, REFUSED_CONTROL);
        at++;
    }
    return ST_OK;
}

static struct text trim(struct text value)
{
    while (value.length > 0 &&
           (value.bytes[0] == ' ' || value.bytes[0] == '\t')) {
        value.bytes++;
        value.length--;
    }
    while (value.length > 0 && (value.bytes[value.length - 1] == ' ' ||
                                value.bytes[value.length - 1] == '\t'))
        value.length--;
    return value;
}

static enum http_refusal name_refusal(char c)
{
    return c == ' ' || c == '\t' ? REFUSED_FIELD_SPACE : REFUSED_FIELD_NAME;
}

/* One header. The line is not empty. */
static enum status check_line(struct http_check *check, struct text line)
{
    struct text name = {line.bytes, 0};
    struct text value;
    enum status st;

    if (line.bytes[0] == ' ' || line.bytes[0] == '\t')
        return seeded_bug("fold-taken") ? ST_OK
                                        : http_refuse(check, REFUSED_FOLDED);
    while (name.length < line.length &&
           http_is(line.bytes[name.length], HTTP_IS_TOKEN))
        name.length++;
    if (name.length == line.length)
        return http_refuse(check, REFUSED_FIELD_COLON);
    if (name.length == 0 || line.bytes[name.length] != ':')
        return http_refuse(check, name_refusal(line.bytes[name.length]));
    if (++check->field_count > HTTP_HEADERS_MAX)
        return http_refuse(check, REFUSED_FIELD_COUNT);

    value.bytes = line.bytes + name.length + 1;
    value.length = line.length - name.length - 1;
    check->head.is_untidy |= line.bytes[line.length - 1] == ' ';
    st = check_value(check, value);
    if (st != ST_OK)
        return st;
    return http_check_field(check, name, trim(value));
}

/* ---- the head ------------------------------------------------------------ */

static enum status check_start(struct http_check *check, const char **at,
                               const char *end)
{
    const char *start = skip_empty_lines(*at, end);
    struct text line;
    enum status st;

    *at = start;
    if (start == end)
        return ST_EMPTY;
    if (has_prefix(start, end, "\r\n"))
        return http_refuse(check, REFUSED_EMPTY_LINES);
    if (start_is_wrong(start, end))
        return http_refuse(check, REFUSED_REQUEST_LINE);
    if (request_line_is_long(start, end))
        return http_refuse(check, REFUSED_TARGET_LONG);
    st = next_line(check, at, end, &line);
    if (st != ST_OK)
        return st;
    return http_check_request_line(check, line);
}

static enum status check_head(struct http_check *check, struct text bytes)
{
    const char *at = bytes.bytes;
    const char *end = bytes.bytes + bytes.length;
    struct text line;
    enum status st = check_start(check, &at, end);

    while (st == ST_OK) {
        st = next_line(check, &at, end, &line);
        if (st != ST_OK)
            return st;
        if (line.length == 0)
            break;
        st = check_line(check, line);
    }
    if (st != ST_OK)
        return st;
    check->head.bytes = (size_t)(at - bytes.bytes);
    check->head.header_count = check->field_count;
    return http_check_fields_together(check);
}

enum status http_head_check(struct text bytes, struct http_head *head_out,
                            unsigned *http_status_out, const char **why_out)
{
    struct http_check check;
    enum status st;

    if (!is_worth_judging(bytes))
        return ST_EMPTY;
    memset(&check, 0, sizeof check);
    st = check_head(&check, bytes);
    if (st == ST_OK) {
        *head_out = check.head;
    } else if (st == ST_BAD_INPUT) {
        *http_status_out = refusal_rows[check.refusal].http_status;
        *why_out = refusal_rows[check.refusal].sentence;
    }
    return st;
}
