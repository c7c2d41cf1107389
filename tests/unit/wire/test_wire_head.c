/* test_wire_head.c -- which heads are let in, and how the rest is answered.
 *
 * Two tables: heads that are accepted and what is read from them, heads that
 * are refused and their status. Every row is also fed byte by byte: an accepted
 * head must be asked for more until its last byte, a refused one must get the
 * same status however it was cut.
 */
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES(literal) (literal), sizeof(literal) - 1

#define HOST "Host: a.example\r\n"
#define GET  "GET /events/a HTTP/1.1\r\n" HOST
#define POST "POST /publish/a HTTP/1.1\r\n" HOST
#define GET0 "GET /events/a HTTP/1.0\r\n"
#define END  "\r\n"

#define FIELDS_4  "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n"
#define FIELDS_16 FIELDS_4 FIELDS_4 FIELDS_4 FIELDS_4
#define FIELDS_63                                                              \
    FIELDS_16 FIELDS_16 FIELDS_16 FIELDS_4 FIELDS_4 FIELDS_4                   \
        "x: 1\r\ny: 2\r\nz: 3\r\n"

#define TEXT_64                                                                \
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
struct accepted_row {
    const char *claim;
    const char *bytes;
    size_t length;
    const char *reading; /* see describe() */
};

/* clang-format off */
static const struct accepted_row accepted_rows[] = {
    /* claim                                  head                              reading */
    {"the smallest request of 1.1",           BYTES(GET END),                   "1.1 none keep"},
    {"the smallest request of 1.0",           BYTES("GET / HTTP/1.0\r\n\r\n"),  "1.0 none close"},
    {"1.0 with a host",                       BYTES(GET0 HOST END),             "1.0 none close"},
    {"1.0 that asks to be kept",              BYTES(GET0 "Connection: keep-alive\r\n\r\n"), "1.0 none keep"},
    {"1.0, keep-alive in capitals",           BYTES(GET0 "CONNECTION: Keep-Alive\r\n\r\n"), "1.0 none keep"},
    {"1.0, close wins over keep-alive",       BYTES(GET0 "Connection: keep-alive, close\r\n\r\n"), "1.0 none close"},
    {"1.1 that asks to be closed",            BYTES(GET "Connection: close\r\n\r\n"), "1.1 none close"},
    {"close among other options",             BYTES(GET "Connection: upgrade , Close\r\n\r\n"), "1.1 none close"},
    {"close in a second Connection",          BYTES(GET "Connection: x\r\nConnection: close\r\n\r\n"), "1.1 none close"},
    {"an option that only starts like close", BYTES(GET "Connection: closed\r\n\r\n"), "1.1 none keep"},
    {"an empty Connection",                   BYTES(GET "Connection:\r\n\r\n"), "1.1 none keep"},
    {"an upgrade to WebSocket",               BYTES(GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "1.1 none keep"},
    {"HEAD",                                  BYTES("HEAD /a HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"DELETE",                                BYTES("DELETE /a HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"OPTIONS of a path",                     BYTES("OPTIONS /a HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"PATCH",                                 BYTES("PATCH /a HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"PUT with a length",                     BYTES("PUT /a HTTP/1.1\r\n" HOST "Content-Length: 7\r\n\r\n"), "1.1 length 7 keep"},
    {"POST without a body",                   BYTES(POST END),                  "1.1 none keep"},
    {"POST of no bytes has no body",          BYTES(POST "Content-Length: 0\r\n\r\n"), "1.1 none keep"},
    {"POST with a length",                    BYTES(POST "Content-Length: 5\r\n\r\n"), "1.1 length 5 keep"},
    {"1.0 POST with a length",                BYTES("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n"), "1.0 length 5 close"},
    {"1.0 POST of no bytes",                  BYTES("POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n"), "1.0 none close"},
    {"GET with a body",                       BYTES(GET "Content-Length: 5\r\n\r\n"), "1.1 length 5 keep"},
    {"a length with zeros before it",         BYTES(POST "Content-Length: 0005\r\n\r\n"), "1.1 length 5 keep"},
    {"a length in a header in small letters", BYTES(POST "content-length:5\r\n\r\n"), "1.1 length 5 keep"},
    {"the greatest length",                   BYTES(POST "Content-Length: 9223372036854775807\r\n\r\n"), "1.1 length 9223372036854775807 keep"},
    {"spaces and tabs around a length",       BYTES(POST "Content-Length: \t 5 \t\r\n\r\n"), "1.1 length 5 keep untidy"},
    {"a chunked body",                        BYTES(POST "Transfer-Encoding: chunked\r\n\r\n"), "1.1 chunked keep"},
    {"chunked in capitals",                   BYTES(POST "TRANSFER-ENCODING: CHUNKED\r\n\r\n"), "1.1 chunked keep"},
    {"chunked between spaces",                BYTES(POST "Transfer-Encoding:  chunked  \r\n\r\n"), "1.1 chunked keep untidy"},
    {"an expectation with a length",          BYTES(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"), "1.1 length 5 keep expects"},
    {"an expectation with chunks",            BYTES(POST "Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n"), "1.1 chunked keep expects"},
    {"an expectation without a body is void", BYTES(POST "Expect: 100-continue\r\n\r\n"), "1.1 none keep"},
    {"an expectation in 1.0 is void",         BYTES("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"), "1.0 length 5 close"},
    {"one empty line before",                 BYTES("\r\n" GET END),            "1.1 none keep"},
    {"two empty lines before",                BYTES("\r\n\r\n" GET END),        "1.1 none keep"},
    {"an empty Host",                         BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "1.1 none keep"},
    {"a host with a port",                    BYTES("GET / HTTP/1.1\r\nhOST: localhost:8080\r\n\r\n"), "1.1 none keep"},
    {"a host of IPv6",                        BYTES("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), "1.1 none keep"},
    {"a host with an underscore",             BYTES("GET / HTTP/1.1\r\nHost: my_host\r\n\r\n"), "1.1 none keep"},
    {"a header without a value",              BYTES(GET "X-Nothing:\r\n\r\n"),  "1.1 none keep"},
    {"a value without a space before it",     BYTES(GET "A:b\r\n\r\n"),         "1.1 none keep"},
    {"a name of all the odd characters",      BYTES(GET "!#$%&'*+-.^_`|~: 1\r\n\r\n"), "1.1 none keep"},
    {"a value with bytes beyond ASCII",       BYTES(GET "X-Name: Gruy\xc3\xa8re\xff\r\n\r\n"), "1.1 none keep"},
    {"a value with a tab in it",              BYTES(GET "X-Tab: a\tb\r\n\r\n"), "1.1 none keep untidy"},
    {"a value with a tab deep in it",         BYTES(GET "X-Tab: " TEXT_64 "\tb\r\n\r\n"), "1.1 none keep untidy"},
    {"a value with a colon in it",            BYTES(GET "X-Colon: a: b :c\r\n\r\n"), "1.1 none keep"},
    {"64 headers",                            BYTES(GET FIELDS_63 END),         "1.1 none keep"},
    {"a query",                               BYTES("GET /events?channel=a&channel=b HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a bare question mark",                  BYTES("GET /events/a? HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a trailing empty segment",              BYTES("GET /events/a/?x=1 HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"characters of JSON in the query",       BYTES("GET /e?last_event_id={%22a%22:12} HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a bad escape in the query",             BYTES("GET /e?a=100% HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"an escaped NUL in the query",           BYTES("GET /e?a=%00 HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a backslash in the query",              BYTES("GET /e?a=\\b HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a second question mark",                BYTES("GET /e?a=?b HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"good escapes in the path",              BYTES("GET /%41%2f%C3%a8%20%7e HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a selector with star and greater",      BYTES("GET /events/a.*,b.> HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"two slashes at the start",              BYTES("GET //events HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a header that looks like a length",     BYTES(GET "Content-Lengths: 5\r\n\r\n"), "1.1 none keep"},
    {"a length with an underscore is other",  BYTES(GET "Content_Length: 5\r\n\r\n"), "1.1 none keep"},
    {"an absolute target",                    BYTES("GET http://a.example/ HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"an absolute target of TLS",             BYTES("GET https://a.example/ HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a star",                                BYTES("OPTIONS * HTTP/1.1\r\n" HOST END), "1.1 none keep"},
    {"a repeated header that decides nothing", BYTES(GET "Accept: a\r\nAccept: b\r\n\r\n"), "1.1 none keep"},
};

struct refused_row {
    const char *claim;
    const char *bytes;
    size_t length;
    unsigned http_status;
};

static const struct refused_row refused_rows[] = {
    /* where the body ends */
    {"length and chunks",                     BYTES(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"chunks and length",                     BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400},
    {"length 0 and chunks",                   BYTES(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"length and an unknown coding",          BYTES(POST "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n"), 400},
    {"two lengths",                           BYTES(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400},
    {"two equal lengths",                     BYTES(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400},
    {"two lengths, spelled differently",      BYTES(POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n"), 400},
    {"two lengths in a list",                 BYTES(POST "Content-Length: 5, 5\r\n\r\n"), 400},
    {"a length with letters behind it",       BYTES(POST "Content-Length: 3abc\r\n\r\n"), 400},
    {"a length with a plus",                  BYTES(POST "Content-Length: +3\r\n\r\n"), 400},
    {"a negative length",                     BYTES(POST "Content-Length: -3\r\n\r\n"), 400},
    {"a hexadecimal length",                  BYTES(POST "Content-Length: 0x10\r\n\r\n"), 400},
    {"a length with a fraction",              BYTES(POST "Content-Length: 3.0\r\n\r\n"), 400},
    {"a length with a space in it",           BYTES(POST "Content-Length: 1 0\r\n\r\n"), 400},
    {"a quoted length",                       BYTES(POST "Content-Length: \"5\"\r\n\r\n"), 400},
    {"an empty length",                       BYTES(POST "Content-Length:\r\n\r\n"), 400},
    {"a length of 2^63",                      BYTES(POST "Content-Length: 9223372036854775808\r\n\r\n"), 400},
    {"a length of 2^64 + 5",                  BYTES(POST "Content-Length: 18446744073709551621\r\n\r\n"), 400},
    {"a length of 30 digits",                 BYTES(POST "Content-Length: 100000000000000000000000000005\r\n\r\n"), 400},
    {"a length of other digits",              BYTES(POST "Content-Length: \xd9\xa5\r\n\r\n"), 400},
    {"a GET with two lengths",                BYTES(GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400},
    {"chunked twice in one header",           BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400},
    {"chunked in two headers",                BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"identity, then chunked in two headers", BYTES(POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"the coding identity",                   BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), 400},
    {"chunked, then another coding",          BYTES(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"), 400},
    {"chunked with a parameter",              BYTES(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), 400},
    {"chunked in quotes",                     BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400},
    {"an empty element before chunked",       BYTES(POST "Transfer-Encoding: ,chunked\r\n\r\n"), 400},
    {"an empty element behind chunked",       BYTES(POST "Transfer-Encoding: chunked,\r\n\r\n"), 400},
    {"an empty coding",                       BYTES(POST "Transfer-Encoding:\r\n\r\n"), 400},
    {"chunked behind a vertical tab",         BYTES(POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n"), 400},
    {"chunked behind a no-break space",       BYTES(POST "Transfer-Encoding: \xc2\xa0" "chunked\r\n\r\n"), 400},
    {"two words for a coding",                BYTES(POST "Transfer-Encoding: chunked gzip\r\n\r\n"), 400},
    {"gzip, then chunked",                    BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501},
    {"gzip alone",                            BYTES(POST "Transfer-Encoding: gzip\r\n\r\n"), 501},
    {"a coding that ends like chunked",       BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n"), 501},
    {"a coding that starts like chunked",     BYTES(POST "Transfer-Encoding: chunkedx\r\n\r\n"), 501},
    {"chunks over 1.0",                       BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"chunks over 1.0 that is kept",          BYTES("POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"an unknown coding over 1.0",            BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n"), 400},
    {"1.0 POST without a length",             BYTES("POST / HTTP/1.0\r\n\r\n"), 411},
    {"1.0 PUT without a length",              BYTES("PUT / HTTP/1.0\r\nHost: a\r\n\r\n"), 411},

    /* whom it is for */
    {"1.1 without a host",                    BYTES("GET / HTTP/1.1\r\n\r\n"), 400},
    {"1.1 without a host but other headers",  BYTES("GET / HTTP/1.1\r\nAccept: a\r\n\r\n"), 400},
    {"two hosts",                             BYTES(GET "Host: b.example\r\n\r\n"), 400},
    {"two equal hosts",                       BYTES(GET HOST END), 400},
    {"1.0 with two hosts",                    BYTES(GET0 HOST HOST END), 400},
    {"a host with a path",                    BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
    {"a host with a user",                    BYTES("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400},
    {"a host with a space",                   BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
    {"a host with a tab",                     BYTES("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n"), 400},
    {"a host beyond ASCII",                   BYTES("GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n"), 400},
    {"a host with a port of letters",         BYTES("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), 400},
    {"a host with two ports",                 BYTES("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"), 400},
    {"a host of IPv6 without brackets",       BYTES("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"), 400},
    {"a host with an open bracket",           BYTES("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400},
    {"a host with empty brackets",            BYTES("GET / HTTP/1.1\r\nHost: []\r\n\r\n"), 400},
    {"a host with more behind its brackets",  BYTES("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"), 400},
    {"a host with a cut escape",              BYTES("GET / HTTP/1.1\r\nHost: a%4\r\n\r\n"), 400},
    {"two types of a body",                   BYTES(POST "Content-Type: a\r\ncontent-type: b\r\n\r\n"), 400},
    {"two equal origins",                     BYTES(POST "Origin: a\r\nOrigin: a\r\n\r\n"), 400},
    {"a body that is packed",                 BYTES(POST "Content-Encoding: gzip\r\n\r\n"), 415},
    {"a host with a question mark",           BYTES("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"), 400},

    /* where a line ends */
    {"a folded header",                       BYTES(GET "X-A: 1\r\n 2\r\n\r\n"), 400},
    {"a header folded with a tab",            BYTES(GET "X-A: 1\r\n\t2\r\n\r\n"), 400},
    {"a folded length",                       BYTES(POST "X-A: 1\r\n Content-Length: 5\r\n\r\n"), 400},
    {"a line of one space",                   BYTES(GET " \r\n\r\n"), 400},
    {"a space before the first header",       BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400},
    {"bare LF after the request line",        BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
    {"bare LF after a header",                BYTES("GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n"), 400},
    {"bare LF everywhere",                    BYTES("GET / HTTP/1.1\nHost: a\n\n"), 400},
    {"bare LF as the last line",              BYTES(GET "\n"), 400},
    {"bare LF before the request",            BYTES("\n" GET END), 400},
    {"CR LF LF at the end",                   BYTES("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400},
    {"a bare CR in a value",                  BYTES(GET "X-A: 1\rX-B: 2\r\n\r\n"), 400},
    {"a bare CR at the start of a value",     BYTES(GET "X-A:\r1\r\n\r\n"), 400},
    {"CR CR LF",                              BYTES(GET "X-A: 1\r\r\n\r\n"), 400},
    {"a bare CR in the request line",         BYTES("GET /\r HTTP/1.1\r\n" HOST END), 400},
    {"a bare CR in a name",                   BYTES(GET "X-\rA: 1\r\n\r\n"), 400},
    {"a line of CR",                          BYTES(GET "\r\r\n\r\n"), 400},
    {"three empty lines before",              BYTES("\r\n\r\n\r\n" GET END), 400},

    /* names and values */
    {"a space before the colon",              BYTES(POST "Transfer-Encoding : chunked\r\n\r\n"), 400},
    {"a tab before the colon",                BYTES(POST "Content-Length\t: 5\r\n\r\n"), 400},
    {"an empty name",                         BYTES(GET ": 1\r\n\r\n"), 400},
    {"a header without a colon",              BYTES(GET "X-A\r\n\r\n"), 400},
    {"a header of words without a colon",     BYTES(GET "what is this\r\n\r\n"), 400},
    {"a name with a space in it",             BYTES(GET "X A: 1\r\n\r\n"), 400},
    {"a name with brackets",                  BYTES(GET "X(A): 1\r\n\r\n"), 400},
    {"a name with a slash",                   BYTES(GET "X/A: 1\r\n\r\n"), 400},
    {"a name in quotes",                      BYTES(GET "\"X\": 1\r\n\r\n"), 400},
    {"a name beyond ASCII",                   BYTES(GET "Gruy\xc3\xa8re: 1\r\n\r\n"), 400},
    {"a name with NUL",                       BYTES(GET "X\0A: 1\r\n\r\n"), 400},
    {"a value with NUL",                      BYTES(GET "X-A: a\0b\r\n\r\n"), 400},
    {"a value with NUL among much",           BYTES(GET "X-A: " TEXT_64 "\0" TEXT_64 "\r\n\r\n"), 400},
    {"a value with DEL",                      BYTES(GET "X-A: a\x7f\r\n\r\n"), 400},
    {"a value with DEL among much",           BYTES(GET "X-A: " TEXT_64 "\x7f" TEXT_64 "\r\n\r\n"), 400},
    {"a value with ESC",                      BYTES(GET "X-A: a\x1b[2J\r\n\r\n"), 400},
    {"a value with a form feed",              BYTES(GET "X-A: a\x0c\r\n\r\n"), 400},
    {"a value with unit separator",           BYTES(GET "X-A: 1234567\x1f" "1234567\r\n\r\n"), 400},
    {"65 headers",                            BYTES(GET FIELDS_63 "one: more\r\n\r\n"), 431},
    {"a length as the 65th header",           BYTES(POST FIELDS_63 "Content-Length: 5\r\n\r\n"), 431},
    {"a hundred headers",                     BYTES(GET FIELDS_16 FIELDS_16 FIELDS_16 FIELDS_16 FIELDS_16 FIELDS_16 END), 431},
    {"headers without end",                   BYTES(GET FIELDS_16 FIELDS_16 FIELDS_16 FIELDS_16 FIELDS_16), 431},
    {"an unknown expectation",                BYTES(POST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\n"), 417},
    {"an empty expectation",                  BYTES(POST "Expect:\r\nContent-Length: 5\r\n\r\n"), 417},
    {"an expectation and more",               BYTES(POST "Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\n"), 417},

    /* the request line */
    {"an absolute target without a host",     BYTES("GET http:///a HTTP/1.1\r\n" HOST END), 400},
    {"an absolute target of a port alone",    BYTES("GET http://:80/a HTTP/1.1\r\n" HOST END), 400},
    {"an absolute target with a user",        BYTES("GET http://u@a/ HTTP/1.1\r\n" HOST END), 400},
    {"an absolute target of another scheme",  BYTES("GET ftp://a/ HTTP/1.1\r\n" HOST END), 400},
    {"an escaped NUL in an absolute target",  BYTES("GET http://a/%00 HTTP/1.1\r\n" HOST END), 400},
    {"a star of GET",                         BYTES("GET * HTTP/1.1\r\n" HOST END), 400},
    {"a target without a slash",              BYTES("GET events HTTP/1.1\r\n" HOST END), 400},
    {"a target of a query alone",             BYTES("GET ?a=b HTTP/1.1\r\n" HOST END), 400},
    {"no target",                             BYTES("GET HTTP/1.1\r\n" HOST END), 400},
    {"an empty target",                       BYTES("GET  HTTP/1.1\r\n" HOST END), 400},
    {"no version",                            BYTES("GET /\r\n" HOST END), 400},
    {"a space and no version",                BYTES("GET / \r\n" HOST END), 400},
    {"only a method",                         BYTES("GET\r\n\r\n"), 400},
    {"two spaces before the target",          BYTES("GET  / HTTP/1.1\r\n" HOST END), 400},
    {"two spaces before the version",         BYTES("GET /  HTTP/1.1\r\n" HOST END), 400},
    {"a space behind the version",            BYTES("GET / HTTP/1.1 \r\n" HOST END), 400},
    {"a tab before the target",               BYTES("GET\t/ HTTP/1.1\r\n" HOST END), 400},
    {"a tab before the version",              BYTES("GET /\tHTTP/1.1\r\n" HOST END), 400},
    {"a space before the method",             BYTES(" GET / HTTP/1.1\r\n" HOST END), 400},
    {"a space in the target",                 BYTES("GET /a b HTTP/1.1\r\n" HOST END), 400},
    {"a fragment",                            BYTES("GET /a#b HTTP/1.1\r\n" HOST END), 400},
    {"NUL in the target",                     BYTES("GET /a\0b HTTP/1.1\r\n" HOST END), 400},
    {"DEL in the target",                     BYTES("GET /a\x7f HTTP/1.1\r\n" HOST END), 400},
    {"bytes beyond ASCII in the target",      BYTES("GET /caf\xc3\xa9 HTTP/1.1\r\n" HOST END), 400},
    {"a backslash in the path",               BYTES("GET /a\\..\\b HTTP/1.1\r\n" HOST END), 400},
    {"an escaped NUL in the path",            BYTES("GET /a%00b HTTP/1.1\r\n" HOST END), 400},
    {"an escaped CR in the path",             BYTES("GET /a%0db HTTP/1.1\r\n" HOST END), 400},
    {"an escaped LF in the path",             BYTES("GET /a%0Ab HTTP/1.1\r\n" HOST END), 400},
    {"escaped CR LF and a header",            BYTES("GET /a%0d%0aX:1 HTTP/1.1\r\n" HOST END), 400},
    {"an escaped ESC in the path",            BYTES("GET /a%1b HTTP/1.1\r\n" HOST END), 400},
    {"an escaped DEL in the path",            BYTES("GET /a%7f HTTP/1.1\r\n" HOST END), 400},
    {"an escape of letters that are no hex",  BYTES("GET /a%zz HTTP/1.1\r\n" HOST END), 400},
    {"an escape with a sign",                 BYTES("GET /a%+1 HTTP/1.1\r\n" HOST END), 400},
    {"an escape cut by the query",            BYTES("GET /a%4?1 HTTP/1.1\r\n" HOST END), 400},
    {"an escape cut by the end",              BYTES("GET /a%4 HTTP/1.1\r\n" HOST END), 400},
    {"a percent sign at the end",             BYTES("GET /a% HTTP/1.1\r\n" HOST END), 400},
    {"HTTP/2.0",                              BYTES("GET / HTTP/2.0\r\n" HOST END), 505},
    {"the preface of HTTP/2",                 BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
    {"HTTP/1.2",                              BYTES("GET / HTTP/1.2\r\n" HOST END), 505},
    {"HTTP/0.9",                              BYTES("GET / HTTP/0.9\r\n" HOST END), 505},
    {"HTTP/1.10",                             BYTES("GET / HTTP/1.10\r\n" HOST END), 505},
    {"HTTP/1",                                BYTES("GET / HTTP/1\r\n" HOST END), 505},
    {"another protocol",                      BYTES("GET / ICY/1.1\r\n" HOST END), 400},
    {"the version in small letters",          BYTES("GET / http/1.1\r\n" HOST END), 400},
    {"CONNECT",                               BYTES("CONNECT a.example:443 HTTP/1.1\r\n" HOST END), 405},
    {"TRACE",                                 BYTES("TRACE / HTTP/1.1\r\n" HOST END), 405},
    {"an unknown method",                     BYTES("BREW / HTTP/1.1\r\n" HOST END), 501},
    {"a method in small letters",             BYTES("get / HTTP/1.1\r\n" HOST END), 501},
    {"a method with a bracket",               BYTES("GE[T / HTTP/1.1\r\n" HOST END), 400},
    {"a TLS handshake",                       BYTES("\x16\x03\x01\x02\x00\x01\x00\x01"), 400},
    {"a head of NULs",                        BYTES("\0\0\0\0"), 400},
};
/* clang-format on */

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static enum status check(const char *bytes, size_t length,
                         struct http_head *head, unsigned *http_status)
{
    const char *why = NULL;
    enum status st;

    st = http_head_check((struct text){bytes, length}, head, http_status, &why);
    assert_true((st == ST_BAD_INPUT) == (why != NULL));
    return st;
}

/* "1.1 length 5 keep expects untidy" */
static void describe(const struct http_head *head, char *out, size_t out_bytes)
{
    char body[64] = "none";

    if (head->body == HTTP_BODY_CHUNKED)
        (void)snprintf(body, sizeof body, "chunked");
    if (head->body == HTTP_BODY_LENGTH)
        (void)snprintf(body, sizeof body, "length %llu",
                       (unsigned long long)head->content_length);
    (void)snprintf(out, out_bytes, "%s %s %s%s%s",
                   head->is_http_10 ? "1.0" : "1.1", body,
                   head->keeps_alive ? "keep" : "close",
                   head->expects_continue ? " expects" : "",
                   head->is_untidy ? " untidy" : "");
}

static void check_accepted(const struct accepted_row *row)
{
    struct http_head head;
    unsigned http_status = 0;
    char reading[128] = "refused";

    if (check(row->bytes, row->length, &head, &http_status) == ST_OK)
        describe(&head, reading, sizeof reading);
    if (strcmp(reading, row->reading) != 0)
        fail_msg("%s: \"%s\" instead of \"%s\" (%u)", row->claim, reading,
                 row->reading, http_status);
    if (head.bytes != row->length)
        fail_msg("%s: %zu bytes instead of %zu", row->claim, head.bytes,
                 row->length);
}

static void accepted_heads_are_read_rightly(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(accepted_rows); i++)
        check_accepted(&accepted_rows[i]);
}

static void accepted_heads_are_waited_for(void **state)
{
    size_t i, length;

    (void)state;
    for (i = 0; i < COUNT(accepted_rows); i++) {
        const struct accepted_row *row = &accepted_rows[i];
        struct http_head head;
        unsigned http_status = 0;

        for (length = 0; length < row->length; length++)
            if (check(row->bytes, length, &head, &http_status) != ST_EMPTY)
                fail_msg("%s: not waited for after %zu bytes (%u)", row->claim,
                         length, http_status);
    }
}

static void what_follows_a_head_is_not_looked_at(void **state)
{
    static const char *const followers[] = {"x", "\n", "\r\n", " \r\n\r\n",
                                            "GET / HTTP/9\r\n\r\n"};
    char *bytes = malloc(65536);
    size_t i, j;

    (void)state;
    assert_non_null(bytes);
    for (i = 0; i < COUNT(accepted_rows); i++) {
        for (j = 0; j < COUNT(followers); j++) {
            const struct accepted_row *row = &accepted_rows[i];
            size_t more = strlen(followers[j]);
            struct http_head head;
            unsigned http_status = 0;

            memcpy(bytes, row->bytes, row->length);
            memcpy(bytes + row->length, followers[j], more);
            if (check(bytes, row->length + more, &head, &http_status) != ST_OK)
                fail_msg("%s: refused for what follows", row->claim);
            assert_int_equal(head.bytes, row->length);
        }
    }
    free(bytes);
}

static void refused_heads_get_their_status(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(refused_rows); i++) {
        const struct refused_row *row = &refused_rows[i];
        struct http_head head;
        unsigned http_status = 0;
        enum status st = check(row->bytes, row->length, &head, &http_status);

        if (st != ST_BAD_INPUT || http_status != row->http_status)
            fail_msg("%s: status %d, %u instead of %u", row->claim, (int)st,
                     http_status, row->http_status);
    }
}

static void refused_heads_get_it_however_they_are_cut(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(refused_rows); i++) {
        const struct refused_row *row = &refused_rows[i];
        enum status st = ST_EMPTY;
        unsigned http_status = 0;
        struct http_head head;
        size_t length;

        for (length = 0; st == ST_EMPTY && length <= row->length; length++)
            st = check(row->bytes, length, &head, &http_status);
        if (st != ST_BAD_INPUT || http_status != row->http_status)
            fail_msg("%s: byte by byte %d, %u instead of %u", row->claim,
                     (int)st, http_status, row->http_status);
    }
}

/* `target` bytes of target, and then `rest`. */
static enum status check_long(size_t target, const char *start,
                              const char *rest, unsigned *http_status)
{
    size_t length = 4 + target + strlen(rest);
    char *bytes = malloc(length + 1);
    struct http_head head;
    enum status st;

    assert_non_null(bytes);
    memset(bytes, 'a', length);
    memcpy(bytes, start, strlen(start));
    memcpy(bytes + 4 + target, rest, strlen(rest));
    st = check(bytes, length, &head, http_status);
    free(bytes);
    return st;
}

static void a_target_is_at_most_8_kib_long(void **state)
{
    static const char rest[] = " HTTP/1.1\r\n" HOST END;
    unsigned http_status = 0;

    (void)state;
    assert_int_equal(check_long(8192, "GET /", rest, &http_status), ST_OK);
    assert_int_equal(check_long(8192, "GET /?", rest, &http_status), ST_OK);

    assert_int_equal(check_long(8193, "GET /", rest, &http_status),
                     ST_BAD_INPUT);
    assert_int_equal(http_status, 414);
    http_status = 0;
    assert_int_equal(check_long(8193, "GET /?", rest, &http_status),
                     ST_BAD_INPUT);
    assert_int_equal(http_status, 414);
}

static void a_target_without_end_is_not_waited_for(void **state)
{
    unsigned http_status = 0;

    (void)state;
    assert_int_equal(check_long(8192, "GET /", "", &http_status), ST_EMPTY);
    assert_int_equal(check_long(8300, "GET /", "", &http_status), ST_BAD_INPUT);
    assert_int_equal(http_status, 414);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_heads_are_read_rightly),
        cmocka_unit_test(accepted_heads_are_waited_for),
        cmocka_unit_test(what_follows_a_head_is_not_looked_at),
        cmocka_unit_test(refused_heads_get_their_status),
        cmocka_unit_test(refused_heads_get_it_however_they_are_cut),
        cmocka_unit_test(a_target_is_at_most_8_kib_long),
        cmocka_unit_test(a_target_without_end_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
