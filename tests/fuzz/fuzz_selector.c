/* fuzz_selector.c -- selectors: which match, and which cover others.
 *
 * The input is lines: a right, what is asked, a channel, a list. A right that
 * covers what is asked matches every channel that it matches, and for a channel
 * the two questions are one.
 */
#include "fuzz.h"

static struct text take_line(struct text *input)
{
    const char *end =
        input->length > 0 ? memchr(input->bytes, '\n', input->length) : NULL;
    struct text line = *input;

    if (end == NULL) {
        input->bytes += input->length;
        input->length = 0;
        return line;
    }
    line.length = (size_t)(end - input->bytes);
    input->bytes = end + 1;
    input->length -= line.length + 1;
    return line;
}

static void check_one(struct text selector)
{
    CHECK(selector_covers(selector, selector));
    CHECK(selector_covers(text_of(">"), selector));
    CHECK(selector_is_pattern(selector) != channel_name_is_valid(selector));
}

static void check_three(struct text right, struct text asked,
                        struct text channel)
{
    if (!selector_is_valid(right) || !selector_is_valid(asked))
        return;
    check_one(right);
    check_one(asked);
    if (!selector_is_pattern(asked))
        CHECK(selector_covers(right, asked) == selector_matches(right, asked));
    if (!selector_is_pattern(right))
        CHECK(selector_covers(right, asked) == text_equals(right, asked));
    if (selector_covers(right, asked) && selector_covers(asked, right))
        CHECK(text_equals(right, asked));
    if (!channel_name_is_valid(channel))
        return;
    CHECK(selector_covers(right, channel) == selector_matches(right, channel));
    if (selector_covers(right, asked) && selector_matches(asked, channel))
        CHECK(selector_matches(right, channel));
}

static void check_list(struct text list)
{
    bool are_valid = true;
    struct text item;
    size_t cursor = 0, before = 0;

    while (list_next(list, &cursor, &item)) {
        CHECK(cursor > before);
        CHECK(lies_inside(item, list));
        CHECK(item.length == 0 || memchr(item.bytes, ',', item.length) == NULL);
        are_valid = are_valid && selector_is_valid(item);
        before = cursor;
    }
    if (selector_list_is_valid(list))
        CHECK(are_valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = text_of_input(data, size);
    const struct text right = take_line(&input);
    const struct text asked = take_line(&input);

    check_three(right, asked, take_line(&input));
    check_list(input);
    return 0;
}
