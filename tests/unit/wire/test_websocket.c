/* test_websocket.c -- the handshake and the frames of RFC 6455.
 *
 * Frames are written with a mask of zeros, so that a table can be read; that
 * masks are applied is a test of its own. Every row is fed in one piece and byte
 * by byte, which must tell the same.
 */
#include <tidings/websocket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal)                                                         \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define NO_MASK     "\0\0\0\0"

/* ---- the handshake ---------------------------------------------------------
 */

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

struct header {
    const char *name, *value;
};

static const struct handshake_row {
    const char *claim;
    struct header headers[7];
    struct websocket_request request;
    unsigned http_status; /* 0: 101 */
    bool has_protocol;
} handshake_rows[] = {
    /* clang-format off */
    {"as the RFC has it", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 0, false},
    {"any case, and lists", {{"upgrade", "h2c, WebSocket"}, {"connection", "keep-alive,upgrade"}, {"SEC-WEBSOCKET-KEY", KEY}, {"sec-websocket-version", " 13 "}}, {true, false, false}, 0, false},
    {"lists over several headers", {{"Connection", "keep-alive"}, {"Connection", "Upgrade"}, {"Upgrade", "h2c"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 0, false},
    {"our protocol", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Protocol", "chat, tidings.v1"}}, {true, false, false}, 0, true},
    {"our protocol in a second header", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Protocol", "chat"}, {"Sec-WebSocket-Protocol", "tidings.v1"}}, {true, false, false}, 0, true},
    {"other protocols", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Protocol", "chat, TIDINGS.V1"}}, {true, false, false}, 0, false},
    {"no upgrade", {{"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 426, false},
    {"another upgrade", {{"Upgrade", "websockets"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 426, false},
    {"no Connection", {{"Upgrade", "websocket"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    {"Connection without upgrade", {{"Upgrade", "websocket"}, {"Connection", "keep-alive"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    {"HEAD or POST", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {false, false, false}, 400, false},
    {"HTTP/1.0", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, true, false}, 400, false},
    {"with a body", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, true}, 400, false},
    {"no version", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}}, {true, false, false}, 426, false},
    {"an old version", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "8"}}, {true, false, false}, 426, false},
    {"two versions", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 426, false},
    {"no key", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    {"two keys", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Key", KEY}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    {"an empty key", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", ""}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    {"a key of 15 bytes", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    {"a key of 17 bytes", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZTE="}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    {"a key that is no base64", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", "dGhlIHNhb*BsZSBub25jZQ=="}, {"Sec-WebSocket-Version", "13"}}, {true, false, false}, 400, false},
    /* clang-format on */
};

static void a_handshake_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(handshake_rows); i++) {
        const struct handshake_row *row = &handshake_rows[i];
        struct websocket_handshake handshake = {0};
        unsigned http_status = 0;
        const char *why = "";

        for (size_t h = 0; h < COUNT(row->headers); h++)
            if (row->headers[h].name != NULL)
                websocket_note_header(&handshake, text_of(row->headers[h].name),
                                      text_of(row->headers[h].value));
        print_message("%s\n", row->claim);
        assert_int_equal(
            websocket_check(&handshake, &row->request, &http_status, &why),
            row->http_status == 0 ? ST_OK : ST_BAD_INPUT);
        assert_int_equal(http_status, row->http_status);
        assert_int_equal(handshake.has_protocol, row->has_protocol);
    }
}

static void the_key_is_answered_as_in_the_rfc(void **state)
{
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];

    (void)state;
    websocket_accept(text_of(KEY), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/* ---- frames in --------------------------------------------------------------
 */

/* "\x80" masked, "\x85" masked and five bytes. */
static const struct frame_row {
    const char *claim;
    struct text bytes;
    const char *told; /* items, each in brackets; the last may be an error */
} frame_rows[] = {
    /* clang-format off */
    {"nothing",                 BYTES(""), ""},
    {"an empty text",           BYTES("\x81\x80" NO_MASK), "[text ]"},
    {"a text",                  BYTES("\x81\x85" NO_MASK "Hello"), "[text Hello]"},
    {"a mask",                  BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "[text Hello]"},
    {"two texts",               BYTES("\x81\x81" NO_MASK "a\x81\x81" NO_MASK "b"), "[text a][text b]"},
    {"half a head",             BYTES("\x81"), ""},
    {"half a mask",             BYTES("\x81\x81\0\0"), ""},
    {"half a text",             BYTES("\x81\x85" NO_MASK "Hel"), ""},
    {"two fragments",           BYTES("\x01\x83" NO_MASK "Hel\x80\x82" NO_MASK "lo"), "[text Hello]"},
    {"empty fragments",         BYTES("\x01\x80" NO_MASK "\0\x80" NO_MASK "\x80\x80" NO_MASK), "[text ]"},
    {"a ping between fragments", BYTES("\x01\x83" NO_MASK "Hel\x89\x82" NO_MASK "hi\x80\x82" NO_MASK "lo"), "[ping hi][text Hello]"},
    {"pings between bytes",     BYTES("\x01\x81" NO_MASK "a\x89\x81" NO_MASK "1\0\x81" NO_MASK "b\x89\x80" NO_MASK "\x80\x81" NO_MASK "c"), "[ping 1][ping ][text abc]"},
    {"a pong",                  BYTES("\x8a\x81" NO_MASK "x"), "[pong x]"},
    {"an empty close",          BYTES("\x88\x80" NO_MASK), "[close 0 ]"},
    {"a close",                 BYTES("\x88\x85" NO_MASK "\x03\xe8" "bye"), "[close 1000 bye]"},
    {"a close inside a message", BYTES("\x01\x81" NO_MASK "a\x88\x82" NO_MASK "\x0f\xa0"), "[close 4000 ]"},
    {"half a code",             BYTES("\x88\x81" NO_MASK "\x03"), "[error 1002]"},
    {"a reason that is no UTF-8", BYTES("\x88\x83" NO_MASK "\x03\xe8\xff"), "[error 1007]"},
    {"a reason cut off",        BYTES("\x88\x83" NO_MASK "\x03\xe8\xc3"), "[error 1007]"},
    {"without a mask",          BYTES("\x81\x01" "a"), "[error 1002]"},
    {"a ping without a mask",   BYTES("\x89\x00"), "[error 1002]"},
    {"the first reserved bit",  BYTES("\xc1\x80" NO_MASK), "[error 1002]"},
    {"the second",              BYTES("\xa1\x80" NO_MASK), "[error 1002]"},
    {"the third",               BYTES("\x99\x80" NO_MASK), "[error 1002]"},
    {"opcode 3",                BYTES("\x83\x80" NO_MASK), "[error 1002]"},
    {"opcode 7",                BYTES("\x87\x80" NO_MASK), "[error 1002]"},
    {"opcode 11",               BYTES("\x8b\x80" NO_MASK), "[error 1002]"},
    {"opcode 15",               BYTES("\x8f\x80" NO_MASK), "[error 1002]"},
    {"an item before the error", BYTES("\x81\x81" NO_MASK "a\x83"), "[text a][error 1002]"},
    {"binary",                  BYTES("\x82\x80" NO_MASK), "[error 1003]"},
    {"binary in fragments",     BYTES("\x02\x80" NO_MASK), "[error 1003]"},
    {"a ping in fragments",     BYTES("\x09\x80" NO_MASK), "[error 1002]"},
    {"a close in fragments",    BYTES("\x08\x80" NO_MASK), "[error 1002]"},
    {"a ping of 126",           BYTES("\x89\xfe\x00\x7e" NO_MASK), "[error 1002]"},
    {"a pong with 64 bits",     BYTES("\x8a\xff"), "[error 1002]"},
    {"a continuation alone",    BYTES("\x80\x80" NO_MASK), "[error 1002]"},
    {"a continuation after the end", BYTES("\x81\x80" NO_MASK "\x80"), "[text ][error 1002]"},
    {"a text inside a message", BYTES("\x01\x80" NO_MASK "\x81\x80" NO_MASK), "[error 1002]"},
    {"125 in 16 bits",          BYTES("\x81\xfe\x00\x7d" NO_MASK), "[error 1002]"},
    {"0 in 64 bits",            BYTES("\x81\xff\0\0\0\0\0\0\0\0" NO_MASK), "[error 1002]"},
    {"65535 in 64 bits",        BYTES("\x81\xff\0\0\0\0\0\0\xff\xff" NO_MASK), "[error 1002]"},
    {"65537",                   BYTES("\x81\xff\0\0\0\0\0\1\0\1"), "[error 1009]"},
    {"2^63 - 1",                BYTES("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), "[error 1009]"},
    {"2^63",                    BYTES("\x81\xff\x80\0\0\0\0\0\0\0"), "[error 1002]"},
    {"fragments over the limit", BYTES("\x01\x81" NO_MASK "a\x80\xff\0\0\0\0\0\1\0\0"), "[error 1009]"},
    {"text that is no UTF-8",   BYTES("\x81\x81" NO_MASK "\xff"), "[error 1007]"},
    {"no UTF-8, told at once",  BYTES("\x81\x8a" NO_MASK "a\xf4\x90"), "[error 1007]"},
    {"a character cut off",     BYTES("\x81\x82" NO_MASK "a\xc3"), "[error 1007]"},
    {"a character over fragments", BYTES("\x01\x81" NO_MASK "\xc3\x89\x80" NO_MASK "\x80\x81" NO_MASK "\xa9"), "[ping ][text \xc3\xa9]"},
    {"a close behind binary",   BYTES("\x82\x83" NO_MASK "\x88\x80\0\x88\x82" NO_MASK "\x03\xeb"), "[error 1003][close 1003 ]"},
    {"a close behind fragments of binary", BYTES("\x02\x81" NO_MASK "a\0\x81" NO_MASK "b\x80\x80" NO_MASK "\x88\x80" NO_MASK), "[error 1003][close 0 ]"},
    {"a close behind no UTF-8", BYTES("\x81\x84" NO_MASK "\xff\xff\xff\xff\x88\x80" NO_MASK), "[error 1007][close 0 ]"},
    {"a close behind half a character", BYTES("\x81\x81" NO_MASK "\xc3\x88\x80" NO_MASK), "[error 1007][close 0 ]"},
    {"an error behind binary",  BYTES("\x82\x80" NO_MASK "\xc1"), "[error 1003][error 1002]"},
    {"no UTF-8 in a ping is fine", BYTES("\x89\x81" NO_MASK "\xff"), "[ping \xff]"},
    /* clang-format on */
};

static void append_item(struct buffer *told, const struct websocket_item *item)
{
    static const char *const names[] = {[WEBSOCKET_TEXT] = "text",
                                        [WEBSOCKET_PING] = "ping",
                                        [WEBSOCKET_PONG] = "pong",
                                        [WEBSOCKET_CLOSE] = "close"};

    buffer_printf(told, "[%s ", names[item->opcode]);
    if (item->opcode == WEBSOCKET_CLOSE)
        buffer_printf(told, "%u ", item->code);
    buffer_append_text(told, item->payload);
    buffer_append_char(told, ']');
}

/* What a reader tells of these bytes when they come in pieces of that size. */
static void read_in_pieces(struct text bytes, size_t piece, struct buffer *told)
{
    struct websocket_reader reader;
    struct websocket_item item;
    size_t at = 0, used = 0;
    const char *why = "";

    websocket_reader_init(&reader);
    while (at < bytes.length) {
        struct text input = {bytes.bytes + at, bytes.length - at};
        enum status st;

        if (input.length > piece)
            input.length = piece;
        st = websocket_read(&reader, input, &used, &item, &why);
        at += used;
        if (st == ST_OK) {
            append_item(told, &item);
        } else if (st == ST_BAD_INPUT) {
            assert_true(strlen(why) > 0);
            buffer_printf(told, "[error %u]", item.code);
            if (!item.goes_on)
                break;
        } else {
            assert_int_equal(used, input.length);
        }
    }
    websocket_reader_fini(&reader);
}

static void check_told(const char *claim, struct text bytes, const char *told)
{
    const size_t pieces[] = {bytes.length + 1, 1, 3};

    print_message("%s\n", claim);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buffer really;

        buffer_init(&really);
        read_in_pieces(bytes, pieces[i], &really);
        buffer_append_char(&really, '\0');
        assert_string_equal(really.bytes, told);
        buffer_fini(&really);
    }
}

static void frames_are_read_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(frame_rows); i++)
        check_told(frame_rows[i].claim, frame_rows[i].bytes,
                   frame_rows[i].told);
}

/* Appends a frame of a client: what the server's writer makes, masked. */
static void append_masked(struct buffer *out, unsigned first,
                          struct text payload)
{
    char head[WEBSOCKET_FRAME_HEAD_MAX];
    char *end = websocket_put_head(head, WEBSOCKET_TEXT, payload.length);

    head[0] = (char)(unsigned char)first;
    head[1] = (char)(unsigned char)((unsigned char)head[1] | 0x80u);
    buffer_append(out, head, (size_t)(end - head));
    buffer_append(out, NO_MASK, 4);
    buffer_append_text(out, payload);
}

static void lengths_of_every_form_are_read_back(void **state)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536};

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buffer payload, frame, told;

        buffer_init(&payload);
        buffer_init(&frame);
        buffer_init(&told);
        buffer_append_string(&told, "[text ");
        for (size_t n = 0; n < lengths[i]; n++)
            buffer_append_char(&payload, (char)('a' + n % 26));
        buffer_append_text(&told, buffer_text(&payload));
        buffer_append(&told, "]", 2);
        append_masked(&frame, 0x81, buffer_text(&payload));
        check_told("a length", buffer_text(&frame), told.bytes);
        buffer_fini(&payload);
        buffer_fini(&frame);
        buffer_fini(&told);
    }
}

/* A message of 65537 bytes, then a close. */
static void a_close_is_found_behind_what_is_too_big(void **state)
{
    struct buffer bytes;

    (void)state;
    buffer_init(&bytes);
    buffer_append(&bytes, "\x81\xff\0\0\0\0\0\1\0\1" NO_MASK, 14);
    for (size_t i = 0; i < 65537; i++)
        buffer_append_char(&bytes, '\x88');
    buffer_append(&bytes, "\x88\x82" NO_MASK "\x03\xf1", 8);
    check_told("too big", buffer_text(&bytes), "[error 1009][close 1009 ]");
    buffer_fini(&bytes);
}

static void only_registered_close_codes_are_taken(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool may =
            (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
            (code >= 3000 && code <= 4999);
        const char frame[] = {'\x88',    '\x82', 0, 0, 0, 0, (char)(code >> 8),
                              (char)code};
        struct websocket_reader reader;
        struct websocket_item item;
        const char *why;
        size_t used;

        websocket_reader_init(&reader);
        assert_int_equal(websocket_read(&reader,
                                        (struct text){frame, sizeof frame},
                                        &used, &item, &why),
                         may ? ST_OK : ST_BAD_INPUT);
        assert_int_equal(item.code, may ? code : WEBSOCKET_CLOSE_PROTOCOL);
        websocket_reader_fini(&reader);
    }
}

/* A head that announces 64 KiB makes nothing grow; nor does an idle reader. */
static void memory_is_taken_for_what_came_only(void **state)
{
    static const char head[] = "\x81\xff\0\0\0\0\0\1\0\0" NO_MASK;
    static const char next[] = "\x81";
    struct websocket_reader reader;
    struct websocket_item item;
    const char *why;
    size_t used;

    (void)state;
    websocket_reader_init(&reader);
    assert_int_equal(websocket_read(&reader,
                                    (struct text){head, sizeof head - 1}, &used,
                                    &item, &why),
                     ST_EMPTY);
    assert_null(reader.payload.bytes);
    assert_int_equal(
        websocket_read(&reader, (struct text){"abcd", 4}, &used, &item, &why),
        ST_EMPTY);
    assert_true(reader.payload.capacity < 1024);
    websocket_reader_fini(&reader);

    websocket_reader_init(&reader);
    assert_int_equal(websocket_read(&reader,
                                    (struct text)BYTES("\x81\x81" NO_MASK "a"),
                                    &used, &item, &why),
                     ST_OK);
    assert_int_equal(
        websocket_read(&reader, (struct text){next, 1}, &used, &item, &why),
        ST_EMPTY);
    assert_null(reader.payload.bytes);
    assert_true(sizeof reader <= 64);
    websocket_reader_fini(&reader);
}

/* ---- frames out -------------------------------------------------------------
 */

static void server_frames_are_not_masked(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out);
    websocket_append_frame(&out, WEBSOCKET_TEXT, text_of("Hello"));
    websocket_append_frame(&out, WEBSOCKET_PONG, text_of(""));
    websocket_append_close(&out, 1001, text_of("bye"));
    websocket_append_close(&out, 0, text_of(""));
    assert_int_equal(out.length, 7 + 2 + 7 + 2);
    assert_memory_equal(out.bytes,
                        "\x81\x05Hello\x8a\x00\x88\x05\x03\xe9"
                        "bye\x88\x00",
                        out.length);
    buffer_fini(&out);
}

static void a_head_takes_the_least_bytes(void **state)
{
    static const struct {
        uint64_t length;
        struct text head;
    } rows[] = {
        {125, BYTES("\x81\x7d")},
        {126, BYTES("\x81\x7e\x00\x7e")},
        {65535, BYTES("\x81\x7e\xff\xff")},
        {65536, BYTES("\x81\x7f\0\0\0\0\0\1\0\0")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char head[WEBSOCKET_FRAME_HEAD_MAX];
        char *end = websocket_put_head(head, WEBSOCKET_TEXT, rows[i].length);

        assert_int_equal(end - head, rows[i].head.length);
        assert_memory_equal(head, rows[i].head.bytes, rows[i].head.length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_is_checked),
        cmocka_unit_test(the_key_is_answered_as_in_the_rfc),
        cmocka_unit_test(frames_are_read_however_they_are_cut),
        cmocka_unit_test(lengths_of_every_form_are_read_back),
        cmocka_unit_test(a_close_is_found_behind_what_is_too_big),
        cmocka_unit_test(only_registered_close_codes_are_taken),
        cmocka_unit_test(memory_is_taken_for_what_came_only),
        cmocka_unit_test(server_frames_are_not_masked),
        cmocka_unit_test(a_head_takes_the_least_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
