/* fuzz_position.c -- positions, and forms that carry them.
 *
 * A position that is accepted keeps its promises (ranges, channels that are
 * channels) and, written out again, is read as the same.
 */
#include "fuzz.h"

#define ID_MAX UINT64_C(9007199254740991)

static bool is_time_number(uint64_t number)
{
    return number >= UINT64_C(100000000000) &&
           number < UINT64_C(100000000000000);
}

/* As digits or last-N; the words and times below the range have no such form.
 */
static void check_written_again(const struct position *position)
{
    bool is_time = position->kind == POSITION_TIME;
    struct position again;
    struct buffer text;
    const char *why;

    if (is_time && !is_time_number(position->number))
        return;
    buffer_init(&text);
    if (position->kind == POSITION_LAST)
        buffer_append_string(&text, "last-");
    buffer_append_u64(&text, position->number);
    CHECK(position_parse(buffer_text(&text), &again, &why) == ST_OK);
    CHECK(again.kind == position->kind);
    CHECK(again.number == position->number);
    buffer_fini(&text);
}

static void check_number(const struct position *position)
{
    CHECK(position->number <= ID_MAX);
    if (position->kind == POSITION_ID)
        CHECK(!is_time_number(position->number));
    if (position->kind == POSITION_LAST)
        CHECK(position->number >= 1 && position->number <= 10000);
    check_written_again(position);
}

static void check_channels(struct text text, const struct position *position)
{
    struct position one;
    struct text channel;
    size_t cursor = 0;
    unsigned count = 0;

    CHECK(text.length <= 2048);
    CHECK(text_equals(position->json, text));
    while (position_next_channel(position->json, &cursor, &channel, &one)) {
        CHECK(lies_inside(channel, text));
        CHECK(channel_name_is_valid(channel));
        CHECK(one.kind == POSITION_ID || one.kind == POSITION_TIME);
        check_number(&one);
        CHECK(++count <= text.length / 5 + 1); /* "a":1, */
    }
}

static void check_form(struct text form)
{
    struct buffer value;
    size_t cursor = 0, before = 0;
    bool is_bad = false;

    buffer_init(&value);
    while (form_find(form, "lastId", &cursor, &value, &is_bad)) {
        CHECK(cursor > before && cursor <= form.length);
        before = cursor;
    }
    CHECK(value.length <= form.length);
    (void)percent_decode(form, &value);
    buffer_fini(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = text_of_input(data, size);
    struct position position;
    const char *why = NULL;

    if (position_parse(text, &position, &why) != ST_OK)
        CHECK(why != NULL);
    else if (position.kind == POSITION_CHANNELS)
        check_channels(text, &position);
    else if (position.kind != POSITION_LATEST &&
             position.kind != POSITION_EARLIEST)
        check_number(&position);
    check_form(text);
    return 0;
}
