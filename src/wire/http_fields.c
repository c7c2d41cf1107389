/* http_fields.c -- the headers that decide where a request ends.
 *
 * Two readers of one connection (a proxy and we, or we and civetweb) must agree
 * about where a body ends, or one of them takes part of a body for a request:
 * that is request smuggling. So nothing about these headers is guessed. A
 * length is digits, once; a transfer coding is `chunked`, once; never both.
 *
 * A row of the table names a header and the function that judges its value. All
 * other headers only have their form checked (http_head.c).
 */
#include "http_check.h"

#include "../base/seeded_bug.h"
#include "hex.h"

#define LENGTH_MAX UINT64_C(9223372036854775807) /* civetweb's is signed */

/* Letters and hyphens: setting bit 5 makes a letter small and changes no other
 * character of a token into one. */
static bool equals_ignoring_case(struct text a, const char *small)
{
    size_t i;

    for (i = 0; i < a.length; i++)
        if (((unsigned char)a.bytes[i] | 0x20) != (unsigned char)small[i])
            return false;
    return small[i] == '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The element of a comma-separated list at `*cursor`, trimmed. False at the end
 * of the list. */
static bool next_element(struct text list, size_t *cursor,
                         struct text *element_out)
{
    size_t start = *cursor;
    size_t end;

    if (start > list.length)
        return false;
    for (end = start; end < list.length && list.bytes[end] != ','; end++)
        ;
    *cursor = end + 1;
    while (start < end && is_blank(list.bytes[start]))
        start++;
    while (end > start && is_blank(list.bytes[end - 1]))
        end--;
    element_out->bytes = list.bytes + start;
    element_out->length = end - start;
    return true;
}

/* ---- Host (RFC 3986, 3.2.2) ----------------------------------------------- */

static bool is_port(struct text text)
{
    size_t i;

    for (i = 0; i < text.length; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return true;
}

/* Bytes of the address in brackets at the start, with them; 0: it is none. */
static size_t bracketed_bytes(struct text text)
{
    size_t i;

    for (i = 1; i < text.length; i++) {
        if (text.bytes[i] == ']')
            return i > 1 ? i + 1 : 0;
        if (!http_is(text.bytes[i], HTTP_IS_HOST) || text.bytes[i] == '[')
            return 0;
    }
    return 0;
}

/* Bytes of the name at the start; an escape in it must be one. */
static size_t name_bytes(struct text text)
{
    size_t i;

    for (i = 0; i < text.length && text.bytes[i] != ':'; i++) {
        char c = text.bytes[i];

        if (!http_is(c, HTTP_IS_HOST) || c == '[' || c == ']')
            break;
        if (c == '%' &&
            (text.length - i < 3 || hex_value(text.bytes[i + 1]) < 0 ||
             hex_value(text.bytes[i + 2]) < 0))
            break;
    }
    return i;
}

bool http_is_authority(struct text text)
{
    size_t host;

    if (text.length == 0)
        return true;
    host = text.bytes[0] == '[' ? bracketed_bytes(text) : name_bytes(text);
    if (text.bytes[0] == '[' && host == 0)
        return false;
    if (host == text.length)
        return true;
    return text.bytes[host] == ':' &&
           is_port(
               (struct text){text.bytes + host + 1, text.length - host - 1});
}

static enum status on_host(struct http_check *check, struct text value)
{
    if (++check->host_count > 1)
        return http_refuse(check, REFUSED_HOST_COUNT);
    if (!http_is_authority(value))
        return http_refuse(check, REFUSED_HOST_FORM);
    return ST_OK;
}

/* ---- the others ----------------------------------------------------------- */

static enum status on_content_length(struct http_check *check,
                                     struct text value)
{
    uint64_t length = 0;
    size_t i;

    if (++check->length_count > 1)
        return http_refuse(check, REFUSED_LENGTH_TWICE);
    for (i = 0; i < value.length; i++) {
        unsigned digit = (unsigned)(unsigned char)value.bytes[i] - '0';

        if (digit > 9 || length > (LENGTH_MAX - digit) / 10)
            return http_refuse(check, REFUSED_LENGTH_FORM);
        length = length * 10 + digit;
    }
    if (value.length == 0)
        return http_refuse(check, REFUSED_LENGTH_FORM);
    check->head.content_length = length;
    return ST_OK;
}

static bool is_token(struct text text)
{
    size_t i;

    for (i = 0; i < text.length; i++)
        if (!http_is(text.bytes[i], HTTP_IS_TOKEN))
            return false;
    return text.length > 0;
}

/* An unknown coding is noted and answered last: with a second fault beside it
 * the request is malformed, not merely ahead of us. */
static enum status on_transfer_encoding(struct http_check *check,
                                        struct text value)
{
    struct text coding;
    size_t cursor = 0;
    bool is_chunked = false;

    if (++check->coding_count > 1)
        return http_refuse(check, REFUSED_CODING_TWICE);
    while (next_element(value, &cursor, &coding)) {
        if (is_chunked || !is_token(coding) ||
            equals_ignoring_case(coding, "identity"))
            return http_refuse(check, REFUSED_CODING_FORM);
        is_chunked = equals_ignoring_case(coding, "chunked");
        check->has_unknown_coding |= !is_chunked;
    }
    return ST_OK;
}

static enum status on_connection(struct http_check *check, struct text value)
{
    struct text option;
    size_t cursor = 0;

    while (next_element(value, &cursor, &option)) {
        check->says_close |= equals_ignoring_case(option, "close");
        check->says_keep_alive |= equals_ignoring_case(option, "keep-alive");
    }
    return ST_OK;
}

static enum status on_expect(struct http_check *check, struct text value)
{
    if (!equals_ignoring_case(value, "100-continue"))
        return http_refuse(check, REFUSED_EXPECT);
    check->head.expects_continue = true;
    return ST_OK;
}

/* To store what is packed as if it were text would be wrong either way. */
static enum status on_content_encoding(struct http_check *check,
                                       struct text value)
{
    if (value.length > 0 && !equals_ignoring_case(value, "identity"))
        return http_refuse(check, REFUSED_PACKED);
    return ST_OK;
}

/* clang-format off */
/* Headers that mean one thing and that somebody acts upon, here or before us:
 * of two, one program takes the first and another the last.                  */
#define SINGLES(S)                                                             \
    S("authorization") S("content-type") S("event-time") S("event-type")       \
    S("idempotency-key") S("last-event-id") S("origin")                        \
    S("sec-websocket-key") S("sec-websocket-version")

/*    name, small           judged by                                         */
#define FIELDS(F)                                                              \
    F("host",               on_host)                                           \
    F("content-length",     on_content_length)                                 \
    F("transfer-encoding",  on_transfer_encoding)                              \
    F("connection",         on_connection)                                     \
    F("expect",             on_expect)                                         \
    F("content-encoding",   on_content_encoding)
/* clang-format on */

static const struct single_row {
    const char *name;
    size_t length;
} single_rows[] = {
#define S(name) {name, sizeof name - 1},
    SINGLES(S)
#undef S
};

static const struct field_row {
    const char *name;
    size_t length;
    enum status (*judge)(struct http_check *check, struct text value);
} field_rows[] = {
#define F(name, judge) {name, sizeof name - 1, judge},
    FIELDS(F)
#undef F
};

static enum status check_single(struct http_check *check, struct text name)
{
    size_t i;

    for (i = 0; i < sizeof single_rows / sizeof single_rows[0]; i++) {
        if (single_rows[i].length != name.length ||
            !equals_ignoring_case(name, single_rows[i].name))
            continue;
        if ((check->singles_seen & 1u << i) != 0)
            return http_refuse(check, REFUSED_FIELD_TWICE);
        check->singles_seen |= 1u << i;
    }
    return ST_OK;
}

enum status http_check_field(struct http_check *check, struct text name,
                             struct text value)
{
    size_t i;

    for (i = 0; i < sizeof field_rows / sizeof field_rows[0]; i++)
        if (field_rows[i].length == name.length &&
            equals_ignoring_case(name, field_rows[i].name))
            return field_rows[i].judge(check, value);
    return check_single(check, name);
}

static enum status check_coding(struct http_check *check)
{
    if (check->length_count > 0 && !seeded_bug("length-and-coding-taken"))
        return http_refuse(check, REFUSED_LENGTH_AND_CODING);
    if (check->head.is_http_10)
        return http_refuse(check, REFUSED_CODING_VERSION);
    if (check->has_unknown_coding)
        return http_refuse(check, REFUSED_CODING_UNKNOWN);
    check->head.body = HTTP_BODY_CHUNKED;
    return ST_OK;
}

enum status http_check_fields_together(struct http_check *check)
{
    struct http_head *head = &check->head;
    enum status st = ST_OK;

    if (check->host_count != 1 && !head->is_http_10)
        return http_refuse(check, REFUSED_HOST_COUNT);
    if (check->coding_count > 0)
        st = check_coding(check);
    else if (check->length_count == 0 && head->is_http_10 && check->is_for_body)
        st = http_refuse(check, REFUSED_LENGTH_MISSING);
    else if (head->content_length > 0)
        head->body = HTTP_BODY_LENGTH;
    if (st != ST_OK)
        return st;

    head->keeps_alive =
        !check->says_close && (!head->is_http_10 || check->says_keep_alive);
    if (head->is_http_10 || head->body == HTTP_BODY_NONE)
        head->expects_continue = false; /* RFC 9110, 10.1.1 */
    return ST_OK;
}
