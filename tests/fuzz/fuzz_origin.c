/* fuzz_origin.c -- Origin and Host headers, and the list that they are sought in.
 *
 * The input is three lines: a list, an origin, a host. An origin that is accepted
 * is written into answers: it must not hold what ends a line, and what is written
 * must be the same origin.
 */
#include "fuzz.h"

#include <tidings/origin.h>

static struct text take_line(struct text *input)
{
    size_t end = 0;
    struct text line;

    while (end < input->length && input->bytes[end] != '\n')
        end++;
    line = (struct text){input->bytes, end};
    if (end < input->length)
        end++;
    input->bytes += end;
    input->length -= end;
    return line;
}

static void check_written(struct text origin)
{
    struct buffer first, second;

    buffer_init(&first);
    buffer_init(&second);
    origin_append(&first, origin);
    CHECK(first.length <= origin.length);
    for (size_t i = 0; i < first.length; i++)
        CHECK(first.bytes[i] > ' ' && first.bytes[i] < 0x7f &&
              first.bytes[i] != ',');
    CHECK(origin_equals(buffer_text(&first), origin));
    origin_append(&second, buffer_text(&first));
    CHECK(text_equals(buffer_text(&first), buffer_text(&second)));
    buffer_fini(&second);
    buffer_fini(&first);
}

static void check_origin(struct text origin, struct text host)
{
    if (!origin_is_valid(origin)) {
        CHECK(!origin_equals(origin, origin));
        CHECK(!origin_is_of_host(origin, host));
        return;
    }
    CHECK(origin_equals(origin, origin));
    check_written(origin);
    for (size_t i = 3; i < origin.length; i++)
        if (memcmp(origin.bytes + i - 3, "://", 3) == 0)
            CHECK(origin_is_of_host(
                origin, (struct text){origin.bytes + i, origin.length - i}));
    (void)origin_is_of_host(origin, host);
}

static void check_list(struct text list, struct text origin)
{
    unsigned count = 0, place = origin_list_find(list, origin);
    struct text listed;
    size_t cursor = 0;

    while (origin_list_next(list, &cursor, &listed)) {
        CHECK(lies_inside(listed, list));
        if (++count == place)
            CHECK(origin_equals(listed, origin));
        else if (place == 0 || count < place)
            CHECK(!origin_equals(listed, origin));
    }
    CHECK(place <= count);
    (void)origin_list_is_valid(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = text_of_input(data, size);
    struct text list = take_line(&input);
    struct text origin = take_line(&input);

    check_origin(origin, take_line(&input));
    check_list(list, origin);
    return 0;
}
