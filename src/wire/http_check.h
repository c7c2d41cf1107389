/* http_check.h -- what the checkers of a request's head share.
 *
 * Threads   Any.
 * Memory    None.
 * Units     Bytes.
 * Errors    ST_BAD_INPUT with `refusal` set: a row of the table below.
 */
#ifndef WIRE_HTTP_CHECK_H
#define WIRE_HTTP_CHECK_H

#include <tidings/status.h>
#include <tidings/text.h>
#include <tidings/wire.h>

#define HTTP_TARGET_MAX_BYTES 8192

/* clang-format off */
/*    name              status  sentence                                      */
#define HTTP_REFUSALS(R)                                                       \
    R(EMPTY_LINES,       400, "more than two empty lines before a request")    \
    R(BARE_LF,           400, "a line of the head does not end with CR LF")    \
    R(CONTROL,           400, "the head has a control character in it")        \
    R(REQUEST_LINE,      400, "the request line must be a method, a target and a version, each after one space") \
    R(METHOD,            501, "the methods here are GET, HEAD, POST, PUT, DELETE, OPTIONS and PATCH") \
    R(METHOD_NEVER,      405, "neither tunnels nor echoes are made here")      \
    R(TARGET_LONG,       414, "the request's target is longer than 8 KiB")     \
    R(TARGET_FORM,       400, "the request's target must be a path, or http:// or https:// with a host and a path") \
    R(TARGET_CHARACTER,  400, "the request's target has a character that must be percent-encoded") \
    R(TARGET_ESCAPE,     400, "the path has a percent sign without two hexadecimal digits") \
    R(TARGET_CONTROL,    400, "the path has a percent-encoded control character") \
    R(VERSION,           505, "the versions here are HTTP/1.0 and HTTP/1.1")   \
    R(FOLDED,            400, "a header goes on in a second line")             \
    R(FIELD_NAME,        400, "a header's name is empty or has a character that no name may have") \
    R(FIELD_SPACE,       400, "a header has a space before its colon")         \
    R(FIELD_COLON,       400, "a header has no colon")                         \
    R(FIELD_COUNT,       431, "the head has more than 64 headers")             \
    R(HOST_COUNT,        400, "a request has exactly one Host header")         \
    R(HOST_FORM,         400, "the Host header is not a host with perhaps a port") \
    R(FIELD_TWICE,       400, "the request has a header twice that means one thing") \
    R(LENGTH_TWICE,      400, "the request has two Content-Length headers")    \
    R(LENGTH_FORM,       400, "the Content-Length is not a number of bytes")   \
    R(LENGTH_AND_CODING, 400, "the request has both Content-Length and Transfer-Encoding") \
    R(LENGTH_MISSING,    411, "a request with a body over HTTP/1.0 needs a Content-Length") \
    R(CODING_TWICE,      400, "the request has two Transfer-Encoding headers") \
    R(CODING_FORM,       400, "the Transfer-Encoding must be chunked, once and at its end") \
    R(CODING_VERSION,    400, "HTTP/1.0 has no Transfer-Encoding")             \
    R(CODING_UNKNOWN,    501, "the only Transfer-Encoding here is chunked")    \
    R(PACKED,            415, "the only Content-Encoding of a request here is identity") \
    R(EXPECT,            417, "the only expectation here is 100-continue")
/* clang-format on */

enum http_refusal {
#define R(name, http_status, sentence) REFUSED_##name,
    HTTP_REFUSALS(R)
#undef R
};

struct http_check {
    struct http_head head;
    enum http_refusal refusal; /* valid after ST_BAD_INPUT */

    unsigned field_count, host_count, length_count, coding_count;
    unsigned singles_seen; /* a bit for each row of SINGLES */
    bool has_unknown_coding;
    bool says_close, says_keep_alive;
    bool is_for_body; /* a method whose body means something */
};

static inline enum status http_refuse(struct http_check *check,
                                      enum http_refusal refusal)
{
    check->refusal = refusal;
    return ST_BAD_INPUT;
}

/* ---- characters (http_request_line.c) ----------------------------------- */

#define HTTP_IS_TOKEN  1u /* RFC 9110, 5.6.2 */
#define HTTP_IS_TARGET 2u /* visible ASCII but `#` */
#define HTTP_IS_HOST   4u /* RFC 3986, 3.2.2, and the port's colon */

extern const unsigned char http_characters[256];

static inline bool http_is(char c, unsigned kinds)
{
    return (http_characters[(unsigned char)c] & kinds) != 0;
}

/* A host and perhaps a port, or nothing (http_fields.c). */
bool http_is_authority(struct text text);

/* The first line, without its CR LF. */
enum status http_check_request_line(struct http_check *check,
                                    struct text line) MUST_USE;

/* The headers that decide about the connection and the body; called for every
 * header. `value` is trimmed. */
enum status http_check_field(struct http_check *check, struct text name,
                             struct text value) MUST_USE;

/* What can only be said when all headers are known. */
enum status http_check_fields_together(struct http_check *check) MUST_USE;

#endif
