/* chunked.c -- a body in chunks, decoded as it comes (RFC 9112, 7.1).
 *
 * A machine with one state per place in the grammar. Bytes of structure are
 * taken one at a time, the data of a chunk in one copy; a body may be cut
 * anywhere and the result is the same as in one piece.
 *
 * It is strict where leniency has let requests be smuggled: a line ends with CR
 * LF and nothing else, a size is hexadecimal digits with nothing before them
 * and fits in 64 bits, and controls are refused. Chunk extensions, trailers and
 * the zeros that pad a size are read over; what they may take in all is
 * limited, for they are bytes that no limit of the body counts.
 */
#include <tidings/wire.h>

#include "hex.h"

#define OVERHEAD_MAX 8192 /* bytes of all that is read over */

/* clang-format off */
/*    state          what comes next                                          */
#define CHUNKED_STATES(S)                                                      \
    S(SIZE_FIRST,    "the first digit of a chunk's size")                      \
    S(SIZE,          "more digits, an extension or the end of the line")       \
    S(SIZE_BLANK,    "blanks, an extension or the end of the line")            \
    S(EXTENSION,     "the rest of the line")                                   \
    S(SIZE_LF,       "the LF of the line with the size")                       \
    S(DATA,          "`left` bytes of data")                                   \
    S(DATA_CR,       "the CR behind the data")                                 \
    S(DATA_LF,       "its LF")                                                 \
    S(TRAILER_FIRST, "a trailer's name, or the CR of the last empty line")     \
    S(TRAILER_NAME,  "the rest of the name and its colon")                     \
    S(TRAILER_VALUE, "the rest of the line")                                   \
    S(TRAILER_LF,    "the LF of a trailer")                                    \
    S(END_LF,        "the LF of the last empty line")                          \
    S(DONE,          "nothing: the body has ended")
/* clang-format on */

enum chunked_state {
#define S(name, next) STATE_##name,
    CHUNKED_STATES(S)
#undef S
        STATE_BAD
};

static bool is_text(char c)
{
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

/* RFC 9110, 5.6.2 */
static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static enum chunked_state expect(char c, char wanted, enum chunked_state then)
{
    return c == wanted ? then : STATE_BAD;
}

/* A byte that is read over. */
static enum chunked_state count(struct chunked *chunked,
                                enum chunked_state then)
{
    return ++chunked->overhead > OVERHEAD_MAX ? STATE_BAD : then;
}

static enum chunked_state take_digit(struct chunked *chunked, char c)
{
    int value = hex_value(c);
    bool is_padding = chunked->state == STATE_SIZE && chunked->left == 0;

    if (value < 0 || chunked->left > UINT64_MAX >> 4)
        return STATE_BAD;
    chunked->left = chunked->left << 4 | (uint64_t)value;
    return is_padding ? count(chunked, STATE_SIZE) : STATE_SIZE;
}

static enum chunked_state after_size(struct chunked *chunked, char c)
{
    if (c == '\r')
        return STATE_SIZE_LF;
    if (c == ';')
        return count(chunked, STATE_EXTENSION);
    if (c == ' ' || c == '\t')
        return count(chunked, STATE_SIZE_BLANK);
    return chunked->state == STATE_SIZE ? take_digit(chunked, c) : STATE_BAD;
}

static enum chunked_state take_trailer_name(struct chunked *chunked, char c)
{
    if (c == ':')
        return count(chunked, STATE_TRAILER_VALUE);
    return is_token(c) ? count(chunked, STATE_TRAILER_NAME) : STATE_BAD;
}

/* The rest of a line of which we keep nothing. */
static enum chunked_state pass_over(struct chunked *chunked, char c,
                                    enum chunked_state self,
                                    enum chunked_state line_end)
{
    if (c == '\r')
        return line_end;
    return is_text(c) ? count(chunked, self) : STATE_BAD;
}

/* The state after one byte of structure. */
static enum chunked_state take_byte(struct chunked *chunked, char c)
{
    switch ((enum chunked_state)chunked->state) {
    case STATE_SIZE_FIRST:
        chunked->left = 0;
        return take_digit(chunked, c);
    case STATE_SIZE:
    case STATE_SIZE_BLANK:
        return after_size(chunked, c);
    case STATE_EXTENSION:
        return pass_over(chunked, c, STATE_EXTENSION, STATE_SIZE_LF);
    case STATE_SIZE_LF:
        return expect(c, '\n',
                      chunked->left > 0 ? STATE_DATA : STATE_TRAILER_FIRST);
    case STATE_DATA_CR:
        return expect(c, '\r', STATE_DATA_LF);
    case STATE_DATA_LF:
        return expect(c, '\n', STATE_SIZE_FIRST);
    case STATE_TRAILER_FIRST:
        if (c == '\r')
            return STATE_END_LF;
        return is_token(c) ? count(chunked, STATE_TRAILER_NAME) : STATE_BAD;
    case STATE_TRAILER_NAME:
        return take_trailer_name(chunked, c);
    case STATE_TRAILER_VALUE:
        return pass_over(chunked, c, STATE_TRAILER_VALUE, STATE_TRAILER_LF);
    case STATE_TRAILER_LF:
        return expect(c, '\n', STATE_TRAILER_FIRST);
    case STATE_END_LF:
        return expect(c, '\n', STATE_DONE);
    case STATE_DATA:
    case STATE_DONE:
    case STATE_BAD:
        break;
    }
    return STATE_BAD;
}

static size_t take_data(struct chunked *chunked, struct text input,
                        struct buffer *out)
{
    size_t length = input.length;

    if (length > chunked->left)
        length = (size_t)chunked->left;
    buffer_append(out, input.bytes, length);
    chunked->left -= length;
    if (chunked->left == 0)
        chunked->state = STATE_DATA_CR;
    return length;
}

static struct text rest_of(struct text text, size_t from)
{
    return (struct text){text.bytes + from, text.length - from};
}

enum status chunked_decode(struct chunked *chunked, struct text input,
                           size_t limit, struct buffer *out, size_t *used_out)
{
    enum status st = ST_EMPTY;
    size_t used = 0;

    while (st == ST_EMPTY && used < input.length) {
        if (chunked->state == STATE_DATA) {
            used += take_data(chunked, rest_of(input, used), out);
            continue;
        }
        if (chunked->state == STATE_DONE)
            break;
        chunked->state = take_byte(chunked, input.bytes[used++]);
        if (chunked->state == STATE_BAD)
            st = ST_BAD_INPUT;
        else if (chunked->state == STATE_DATA &&
                 (out->length > limit || chunked->left > limit - out->length))
            st = ST_TOO_BIG; /* known before its data is here */
    }
    if (chunked->state == STATE_DONE)
        st = ST_OK;
    *used_out = used;
    return st;
}
