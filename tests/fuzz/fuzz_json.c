/* fuzz_json.c -- JSON strings there and back, and a second opinion on JSON.
 *
 * Text that becomes a JSON string must be JSON and come back unchanged. What is
 * said to be JSON is walked by a second, recursive reader that was written
 * apart from the first one: both must agree on every input.
 */
#include "fuzz.h"

struct walk {
    const unsigned char *at, *end;
    unsigned depth;
};

static bool walk_value(struct walk *walk);

static void walk_space(struct walk *walk)
{
    while (walk->at < walk->end && (*walk->at == 0x20 || *walk->at == 0x09 ||
                                    *walk->at == 0x0a || *walk->at == 0x0d))
        walk->at++;
}

static bool walk_char(struct walk *walk, unsigned char c)
{
    return walk->at < walk->end && *walk->at == c && ++walk->at != NULL;
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
           (c >= 'a' && c <= 'f');
}

static bool walk_string(struct walk *walk)
{
    if (!walk_char(walk, '"'))
        return false;
    for (; walk->at < walk->end && *walk->at >= 0x20; walk->at++) {
        if (*walk->at == '"')
            return walk_char(walk, '"');
        if (*walk->at != '\\')
            continue;
        if (++walk->at == walk->end || *walk->at == 0 ||
            strchr("\"\\/bfnrtu", *walk->at) == NULL)
            return false;
        if (*walk->at == 'u') {
            int i;

            for (i = 0; i < 4; i++)
                if (++walk->at == walk->end || !is_hex(*walk->at))
                    return false;
        }
    }
    return false;
}

static size_t walk_digits(struct walk *walk)
{
    const unsigned char *start = walk->at;

    while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
        walk->at++;
    return (size_t)(walk->at - start);
}

static bool walk_number(struct walk *walk)
{
    const unsigned char *start;
    size_t digits;

    (void)walk_char(walk, '-');
    start = walk->at;
    digits = walk_digits(walk);
    if (digits == 0 || (digits > 1 && *start == '0'))
        return false;
    if (walk_char(walk, '.') && walk_digits(walk) == 0)
        return false;
    if (walk_char(walk, 'e') || walk_char(walk, 'E')) {
        if (!walk_char(walk, '-'))
            (void)walk_char(walk, '+');
        return walk_digits(walk) > 0;
    }
    return true;
}

static bool walk_member(struct walk *walk, bool is_object)
{
    if (is_object) {
        walk_space(walk);
        if (!walk_string(walk))
            return false;
        walk_space(walk);
        if (!walk_char(walk, ':'))
            return false;
    }
    return walk_value(walk);
}

static bool walk_container(struct walk *walk, bool is_object)
{
    unsigned char closes = is_object ? '}' : ']';
    bool is_good = true;

    walk->at++;
    if (++walk->depth > 64)
        return false;
    walk_space(walk);
    if (!walk_char(walk, closes)) {
        do
            is_good = walk_member(walk, is_object);
        while (is_good && walk_char(walk, ','));
        is_good = is_good && walk_char(walk, closes);
    }
    walk->depth--;
    return is_good;
}

static bool walk_word(struct walk *walk, const char *word)
{
    for (; *word != '\0'; word++)
        if (!walk_char(walk, (unsigned char)*word))
            return false;
    return true;
}

/* With the space around it. */
static bool walk_value(struct walk *walk)
{
    bool is_good = false;

    walk_space(walk);
    if (walk->at == walk->end)
        return false;
    if (*walk->at == '{' || *walk->at == '[')
        is_good = walk_container(walk, *walk->at == '{');
    else if (*walk->at == '"')
        is_good = walk_string(walk);
    else if (*walk->at == 't')
        is_good = walk_word(walk, "true");
    else if (*walk->at == 'f')
        is_good = walk_word(walk, "false");
    else if (*walk->at == 'n')
        is_good = walk_word(walk, "null");
    else
        is_good = walk_number(walk);
    walk_space(walk);
    return is_good;
}

static void check_string(struct text text)
{
    struct buffer coded, plain;
    struct text inside;

    buffer_init(&coded);
    buffer_init(&plain);
    json_append_string(&coded, text);
    CHECK(json_is_valid(buffer_text(&coded)));
    inside = (struct text){coded.bytes + 1, coded.length - 2};
    CHECK(json_unescape(inside, &plain) == ST_OK);
    CHECK(text_equals(buffer_text(&plain), text));
    buffer_fini(&coded);
    buffer_fini(&plain);
}

/* The input as the inside of a JSON string, whatever it is. */
static void check_unescape(struct text raw)
{
    struct buffer plain;

    buffer_init(&plain);
    buffer_append_char(&plain, 'x');
    if (json_unescape(raw, &plain) != ST_OK)
        CHECK(plain.length == 1);
    else if (utf8_is_valid(raw))
        CHECK(utf8_is_valid(buffer_text(&plain)));
    CHECK(plain.length <= raw.length + 1);
    buffer_fini(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = text_of_input(data, size);
    struct walk walk = {data, data + size, 0};
    bool is_json =
        walk_value(&walk) && walk.at == walk.end && utf8_is_valid(text);

    CHECK(json_is_valid(text) == is_json);
    if (utf8_is_valid(text))
        check_string(text);
    check_unescape(text);
    return 0;
}
