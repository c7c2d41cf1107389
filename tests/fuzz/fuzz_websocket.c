/* fuzz_websocket.c -- frames give the same in one piece and in many.
 *
 * The first byte of the input says how large the pieces are, the rest is what a
 * client sends. Texts are UTF-8, nothing is over its limit, and what was read is
 * read again after the server's own writer has framed it.
 */
#include "fuzz.h"

#include <tidings/websocket.h>

#include <string.h>

/* A server's frame with a mask of zeros, as a client would send it. */
static void append_masked(struct buffer *out, const struct websocket_item *item)
{
    char head[WEBSOCKET_FRAME_HEAD_MAX];
    char *end = websocket_put_head(head, item->opcode, item->payload.length);

    head[1] = (char)(unsigned char)((unsigned char)head[1] | 0x80u);
    buffer_append(out, head, (size_t)(end - head));
    buffer_append(out, "\0\0\0\0", 4);
    buffer_append_text(out, item->payload);
}

static void check_item(const struct websocket_item *item)
{
    if (item->opcode == WEBSOCKET_TEXT) {
        CHECK(item->payload.length <= WEBSOCKET_MESSAGE_MAX);
        CHECK(utf8_is_valid(item->payload));
    } else {
        CHECK(item->payload.length <= WEBSOCKET_CONTROL_MAX);
    }
    if (item->opcode == WEBSOCKET_CLOSE)
        CHECK(utf8_is_valid(item->payload));
}

struct outcome {
    enum status st;
    size_t used;
    struct buffer items; /* all but closes, framed anew */
    unsigned code;       /* of errors, one after the other */
};

static void take(struct outcome *outcome, const struct websocket_item *item)
{
    check_item(item);
    if (item->opcode != WEBSOCKET_CLOSE)
        append_masked(&outcome->items, item);
}

static struct outcome read_all(struct text bytes, size_t piece)
{
    struct outcome outcome = {.st = ST_EMPTY};
    struct websocket_reader reader;
    struct websocket_item item;
    const char *why = NULL;
    bool goes_on = true;

    buffer_init(&outcome.items);
    websocket_reader_init(&reader);
    while (goes_on && outcome.used < bytes.length) {
        struct text input = {bytes.bytes + outcome.used,
                             bytes.length - outcome.used};
        size_t used;

        if (input.length > piece)
            input.length = piece;
        outcome.st = websocket_read(&reader, input, &used, &item, &why);
        CHECK(used <= input.length);
        CHECK(outcome.st != ST_EMPTY || used == input.length);
        CHECK(reader.payload.length <=
              WEBSOCKET_MESSAGE_MAX + WEBSOCKET_CONTROL_MAX);
        if (outcome.st == ST_OK)
            take(&outcome, &item);
        if (outcome.st == ST_BAD_INPUT) {
            outcome.code = outcome.code * 10000 + item.code;
            goes_on = item.goes_on;
        }
        outcome.used += used;
    }
    websocket_reader_fini(&reader);
    return outcome;
}

static void check_again(const struct buffer *items)
{
    struct outcome again = read_all(buffer_text(items), items->length + 1);

    CHECK(again.code == 0);
    CHECK(text_equals(buffer_text(&again.items), buffer_text(items)));
    buffer_fini(&again.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, pieces;
    struct text bytes;

    if (size == 0)
        return 0;
    bytes = text_of_input(data + 1, size - 1);
    whole = read_all(bytes, size);
    pieces = read_all(bytes, data[0] % 32 + 1u);
    CHECK(whole.code == pieces.code);
    CHECK(text_equals(buffer_text(&whole.items), buffer_text(&pieces.items)));
    check_again(&whole.items);
    buffer_fini(&whole.items);
    buffer_fini(&pieces.items);
    return 0;
}
