/* fuzz_form.c -- queries and forms: names and values out of pairs.
 *
 * The first line is a name, the rest a form. What is found is no longer than what
 * was there and has no NUL, the walk ends, and a value that is written again as
 * hexadecimal escapes is found as the same.
 */
#include "fuzz.h"

#include <stdio.h>

#define NAME_MAX_BYTES 64

static size_t take_name(struct text *input, char *name)
{
    size_t length = 0;

    while (input->length > 0 && *input->bytes != '\n' &&
           *input->bytes != '\0' && length < NAME_MAX_BYTES) {
        name[length++] = *input->bytes++;
        input->length--;
    }
    name[length] = '\0';
    if (input->length > 0) {
        input->bytes++;
        input->length--;
    }
    return length;
}

static void append_escaped(struct buffer *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        buffer_printf(out, "%%%02X", (unsigned char)text.bytes[i]);
}

static void check_written_again(const char *name, struct text value)
{
    struct buffer form, found;
    size_t cursor = 0;
    bool is_bad = false;

    buffer_init(&form);
    buffer_init(&found);
    append_escaped(&form, text_of(name));
    buffer_append_char(&form, '=');
    append_escaped(&form, value);
    CHECK(form_find(buffer_text(&form), name, &cursor, &found, &is_bad));
    CHECK(!is_bad && text_equals(buffer_text(&found), value));
    buffer_fini(&form);
    buffer_fini(&found);
}

static void check_form(struct text form, const char *name)
{
    size_t cursor = 0, before = 0;

    for (;;) {
        struct buffer value;
        bool is_bad = false, is_there;

        buffer_init(&value);
        is_there = form_find(form, name, &cursor, &value, &is_bad);
        CHECK(cursor <= form.length && value.length <= form.length);
        CHECK(!is_bad || value.length == 0);
        CHECK(value.length == 0 ||
              memchr(value.bytes, '\0', value.length) == NULL);
        if (is_there && !is_bad && name[0] != '\0')
            check_written_again(name, buffer_text(&value));
        buffer_fini(&value);
        if (!is_there)
            return;
        CHECK(cursor > before);
        before = cursor;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text form = text_of_input(data, size);
    char name[NAME_MAX_BYTES + 1];
    struct buffer decoded;

    (void)take_name(&form, name);
    check_form(form, name);
    buffer_init(&decoded);
    if (percent_decode(form, &decoded))
        CHECK(decoded.length <= form.length);
    else
        CHECK(decoded.length == 0);
    buffer_fini(&decoded);
    return 0;
}
