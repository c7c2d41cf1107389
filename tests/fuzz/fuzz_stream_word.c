/* fuzz_stream_word.c -- what instances and servers say of a followed stream: words
 * of positions, epochs, the place in a reply subject, and stored rows.
 *
 * What is understood must come back the same when it is written and read again.
 */
#include "fuzz.h"

#include "intake/stream_ids.h"

static void check_word(struct text input)
{
    struct stream_word word, again;
    char text[STREAM_TEXT_MAX];

    if (stream_word_parse(input, &word) != ST_OK)
        return;
    CHECK(stream_word_print(&word, text, sizeof text) > 0);
    CHECK(stream_word_parse(text_of(text), &again) == ST_OK);
    CHECK(word.boot == again.boot && word.asks == again.asks &&
          word.leaves == again.leaves && word.is_settled == again.is_settled);
    CHECK(stream_position_equals(&word.position, &again.position));
    CHECK(!stream_is_further(&word.position, &again.position));
}

static void check_row(struct text input)
{
    struct stream_position position, again;
    unsigned char row[STREAM_ROW_MAX];
    unsigned bytes;

    if (stream_position_decode((const unsigned char *)input.bytes,
                               (unsigned)input.length, &position) != ST_OK)
        return;
    bytes = stream_position_encode(&position, row);
    CHECK(bytes <= sizeof row);
    CHECK(stream_position_decode(row, bytes, &again) == ST_OK);
    CHECK(stream_position_equals(&position, &again));
}

static void check_place(struct text input)
{
    struct stream_place place;

    if (stream_place_parse(input, &place) == ST_OK)
        CHECK(place.message_ns >= 0 && place.consumer.length <= input.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text input = text_of_input(data, size);

    check_word(input);
    check_row(input);
    check_place(input);
    return 0;
}
