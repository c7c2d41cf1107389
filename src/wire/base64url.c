/* base64url.c -- RFC 4648 section 5, without padding, strictly.
 *
 * One spelling for each value: no padding, no white space, no letter of the
 * other alphabet, no length that ends in the middle of a byte, and no bit set
 * behind the last byte. So two different texts never mean the same bytes, and
 * nobody can make a second token out of one.
 */
#include <tidings/wire.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789-_";

static int letter_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct text text, struct buffer *out)
{
    unsigned bits = 0, held = 0;
    char *to;

    if (text.length == 0)
        return true;
    to = buffer_reserve(out, text.length);
    for (size_t i = 0; i < text.length; i++) {
        const int value = letter_value(text.bytes[i]);

        if (value < 0)
            return false; /* `out->length` is as it was */
        bits = (bits << 6 | (unsigned)value) & 0xfffu;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (char)(bits >> held & 0xffu);
        }
    }
    if (held == 6 || (bits & ((1u << held) - 1)) != 0)
        return false;
    out->length = (size_t)(to - out->bytes);
    return true;
}

void base64url_append(struct buffer *out, struct text bytes)
{
    char *start = buffer_reserve(out, bytes.length / 3 * 4 + 4);
    char *to = start;
    unsigned bits = 0, held = 0;

    for (size_t i = 0; i < bytes.length; i++) {
        bits = (bits << 8 | (unsigned char)bytes.bytes[i]) & 0x3fffu;
        held += 8;
        for (; held >= 6; held -= 6)
            *to++ = letters[bits >> (held - 6) & 0x3fu];
    }
    if (held > 0)
        *to++ = letters[bits << (6 - held) & 0x3fu];
    out->length += (size_t)(to - start);
}
