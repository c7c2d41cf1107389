/* utf8.c -- is it UTF-8 as RFC 3629 has it?
 *
 * Most text is ASCII, so eight bytes are looked at together until one of them
 * has its top bit set. A longer sequence is decided by its first byte: the
 * table of ranges below is the RFC's own (section 4). It is the second byte
 * that keeps out overlong forms, surrogates and numbers beyond U+10FFFF, so
 * only its range differs from row to row.
 *
 * NUL is a character like any other here; who does not want it says so himself.
 */
#include <tidings/wire.h>

struct lead_row {
    unsigned char first, last;            /* of the lead byte */
    unsigned char second_min, second_max; /* of the byte after it */
    unsigned char length;                 /* of the whole sequence */
};

/* clang-format off */
static const struct lead_row lead_rows[] = {
    /* lead       second byte  length                                        */
    {0xc2, 0xdf,  0x80, 0xbf,  2},
    {0xe0, 0xe0,  0xa0, 0xbf,  3}, /* below: overlong                        */
    {0xe1, 0xec,  0x80, 0xbf,  3},
    {0xed, 0xed,  0x80, 0x9f,  3}, /* above: surrogates                      */
    {0xee, 0xef,  0x80, 0xbf,  3},
    {0xf0, 0xf0,  0x90, 0xbf,  4}, /* below: overlong                        */
    {0xf1, 0xf3,  0x80, 0xbf,  4},
    {0xf4, 0xf4,  0x80, 0x8f,  4}, /* above: beyond U+10FFFF                 */
};
/* clang-format on */

/* The length of the sequence at `at`, whose first byte is not ASCII; 0 if it is
 * none or is cut off. */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    const struct lead_row *row = lead_rows;
    const struct lead_row *end =
        lead_rows + sizeof lead_rows / sizeof lead_rows[0];
    size_t i;

    while (row < end && at[0] > row->last)
        row++;
    if (row == end || at[0] < row->first || left < row->length)
        return 0;
    if (at[1] < row->second_min || at[1] > row->second_max)
        return 0;
    for (i = 2; i < row->length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return row->length;
}

static bool next_eight_are_ascii(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof eight);
    return (eight & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_is_valid(struct text text)
{
    const unsigned char *bytes = (const unsigned char *)text.bytes;
    size_t at = 0;

    while (at < text.length) {
        size_t length = 1;

        if (text.length - at >= 8 && next_eight_are_ascii(text.bytes + at))
            length = 8;
        else if (bytes[at] >= 0x80)
            length = sequence_length(bytes + at, text.length - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}
