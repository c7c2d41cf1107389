/* utf8.c -- is it UTF-8 as RFC 3629 has it?
 *
 * Most text is ASCII, so eight bytes are looked at together until one of them
 * has its top bit set. A longer sequence is decided by its first byte: the
 * table of ranges below is the RFC's own (section 4). It is the second byte
 * that keeps out overlong forms, surrogates and numbers beyond U+10FFFF, so
 * only its range differs from row to row.
 *
 * Text may come in pieces that end inside a character: between two of them it is
 * enough to know how many bytes are still owed and in which range the next lies.
 * So a byte that can no longer be right is told as soon as it is seen.
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

/* The first byte of a longer sequence: what must follow it. */
static bool begin_sequence(struct utf8_progress *progress, unsigned char lead)
{
    const struct lead_row *row = lead_rows;
    const struct lead_row *end =
        lead_rows + sizeof lead_rows / sizeof lead_rows[0];

    while (row < end && lead > row->last)
        row++;
    if (row == end || lead < row->first)
        return false;
    *progress = (struct utf8_progress){(uint8_t)(row->length - 1),
                                       row->second_min, row->second_max};
    return true;
}

static bool take_byte(struct utf8_progress *progress, unsigned char byte)
{
    if (progress->left == 0)
        return byte < 0x80 || begin_sequence(progress, byte);
    if (byte < progress->minimum || byte > progress->maximum)
        return false;
    *progress =
        (struct utf8_progress){(uint8_t)(progress->left - 1), 0x80, 0xbf};
    return true;
}

static bool next_eight_are_ascii(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof eight);
    return (eight & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_go_on(struct utf8_progress *progress, struct text piece)
{
    size_t at = 0;

    while (at < piece.length) {
        if (progress->left == 0 && piece.length - at >= 8 &&
            next_eight_are_ascii(piece.bytes + at))
            at += 8;
        else if (take_byte(progress, (unsigned char)piece.bytes[at]))
            at++;
        else
            return false;
    }
    return true;
}

bool utf8_is_valid(struct text text)
{
    struct utf8_progress progress = {0, 0, 0};

    return utf8_go_on(&progress, text) && progress.left == 0;
}
