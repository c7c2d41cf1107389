/* fuzz_chunked.c -- a chunked body gives the same in one piece and in many.
 *
 * The first byte of the input says how large the pieces are, the rest is the
 * body.
 */
#include "fuzz.h"

#define LIMIT 4096

struct outcome {
    enum status st;
    size_t used;
    struct buffer data;
};

static struct outcome decode(struct text body, size_t piece)
{
    struct outcome outcome = {.st = ST_EMPTY};
    struct chunked chunked = {0, 0, 0};

    buffer_init(&outcome.data);
    while (outcome.st == ST_EMPTY && outcome.used < body.length) {
        struct text input = {body.bytes + outcome.used,
                             body.length - outcome.used};
        size_t used;

        if (input.length > piece)
            input.length = piece;
        outcome.st =
            chunked_decode(&chunked, input, LIMIT, &outcome.data, &used);
        CHECK(used <= input.length);
        CHECK(outcome.st != ST_EMPTY || used == input.length);
        outcome.used += used;
    }
    CHECK(outcome.data.length <= LIMIT);
    return outcome;
}

/* What was decoded, put into a chunk, is decoded again. */
static void check_again(const struct buffer *data)
{
    struct buffer coded;
    struct outcome outcome;

    buffer_init(&coded);
    if (data->length > 0) {
        buffer_append_hex(&coded, data->length);
        buffer_append_string(&coded, "\r\n");
        buffer_append_text(&coded, buffer_text(data));
        buffer_append_string(&coded, "\r\n");
    }
    buffer_append_string(&coded, "0\r\n\r\n");
    outcome = decode(buffer_text(&coded), coded.length);
    CHECK(outcome.st == ST_OK);
    CHECK(outcome.used == coded.length);
    CHECK(text_equals(buffer_text(&outcome.data), buffer_text(data)));
    buffer_fini(&outcome.data);
    buffer_fini(&coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, pieces;
    struct text body;

    if (size == 0)
        return 0;
    body = text_of_input(data + 1, size - 1);
    whole = decode(body, size);
    pieces = decode(body, data[0] % 32 + 1u);
    CHECK(whole.st == pieces.st);
    CHECK(whole.used == pieces.used);
    CHECK(text_equals(buffer_text(&whole.data), buffer_text(&pieces.data)));
    if (whole.st == ST_OK)
        check_again(&whole.data);
    buffer_fini(&whole.data);
    buffer_fini(&pieces.data);
    return 0;
}
