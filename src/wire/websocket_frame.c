/* websocket_frame.c -- frames in, one item at a time; frames out.
 *
 * A frame's head is gathered byte by byte, for it may be cut anywhere; it is
 * judged as soon as each part of it is there, and its payload's length before
 * anything is allocated for it. A payload is copied and unmasked in one go.
 *
 * One buffer serves the message and a control frame that comes between its
 * fragments: the control frame's payload is behind what the message has so far,
 * and is forgotten when the next call begins. With nothing in it the buffer
 * does not exist, so a client that is silent costs the struct alone.
 *
 * Text is checked as it comes: a client hears of a byte that is no UTF-8 while
 * the message is still on its way.
 *
 * A client that is told to close answers with a close of its own, behind what it
 * had sent before. So after a refusal that leaves the frames in order, or when
 * the owner has closed, messages are stepped over and only a close is told.
 */
#include <tidings/websocket.h>

#include <tidings/check.h>

#include <string.h>

enum {
    BIT_FINAL = 0x80,
    BITS_RESERVED = 0x70,
    BITS_OPCODE = 0x0f,
    BIT_CONTROL = 0x08,
    BIT_MASKED = 0x80,
    BITS_LENGTH = 0x7f,
    LENGTH_16 = 126, /* the length is in two bytes that follow */
    LENGTH_64 = 127, /* in eight */
    MASK_BYTES = 4
};

/* clang-format off */
/*    name             code          goes on sentence                         */
#define FRAME_REFUSALS(R)                                                      \
    R(RESERVED_BITS,   PROTOCOL,     false, "a frame has reserved bits set")   \
    R(RESERVED_OPCODE, PROTOCOL,     false, "a frame has a reserved opcode")   \
    R(CONTROL_CUT,     PROTOCOL,     false, "a control frame is fragmented")   \
    R(CONTROL_LONG,    PROTOCOL,     false, "a control frame has over 125 bytes") \
    R(NOT_BEGUN,       PROTOCOL,     false, "a continuation without a message") \
    R(NOT_ENDED,       PROTOCOL,     false, "a message began inside another")  \
    R(UNMASKED,        PROTOCOL,     false, "a client's frame is not masked")  \
    R(LENGTH_PADDED,   PROTOCOL,     false, "a length takes more bytes than it needs") \
    R(LENGTH_SIGN,     PROTOCOL,     false, "a length has its highest bit set") \
    R(CLOSE_LENGTH,    PROTOCOL,     false, "a close has half a code")         \
    R(CLOSE_CODE,      PROTOCOL,     false, "a close has a code that may not be sent") \
    R(CLOSE_REASON,    NOT_UTF8,     false, "a close's reason is not UTF-8")   \
    R(BINARY,          UNACCEPTABLE, true,  "messages here are text")          \
    R(NOT_UTF8,        NOT_UTF8,     true,  "text is not UTF-8")               \
    R(TOO_BIG,         TOO_BIG,      true,  "a message is over 64 KiB")

/*    first  last   what a client may close with: RFC 6455, 7.4, and IANA's list */
#define SENDABLE_CODES(C)                                                      \
    C(1000,  1003,  "normal, going away, protocol error, unacceptable data")   \
    C(1007,  1011,  "not UTF-8, policy, too big, extension, internal error")   \
    C(1012,  1014,  "restart, try again later, bad gateway")                   \
    C(3000,  4999,  "libraries and applications")
/* clang-format on */

enum frame_refusal {
    REFUSED_NOT,
#define R(name, close_code, goes_on, sentence) REFUSED_##name,
    FRAME_REFUSALS(R)
#undef R
};

static enum status refuse(enum frame_refusal refusal,
                          struct websocket_reader *reader,
                          struct websocket_item *item, const char **why_out)
{
    static const struct {
        unsigned code;
        bool goes_on;
        const char *sentence;
    } rows[] = {
#define R(name, close_code, goes_on, sentence)                                 \
    [REFUSED_##name] = {WEBSOCKET_CLOSE_##close_code, goes_on, sentence},
        FRAME_REFUSALS(R)
#undef R
    };

    item->opcode = WEBSOCKET_CLOSE;
    item->payload = text_of("");
    item->code = rows[refusal].code;
    item->goes_on = rows[refusal].goes_on;
    if (item->goes_on)
        websocket_discard(reader);
    *why_out = rows[refusal].sentence;
    return ST_BAD_INPUT;
}

void websocket_reader_init(struct websocket_reader *reader)
{
    memset(reader, 0, sizeof *reader);
    buffer_init(&reader->payload);
}

void websocket_reader_fini(struct websocket_reader *reader)
{
    buffer_fini(&reader->payload);
}

void websocket_discard(struct websocket_reader *reader)
{
    reader->is_discarding = true;
    reader->message_length = 0;
    buffer_fini(&reader->payload);
}

/* ---- the head of a frame ----------------------------------------------------
 */

static bool is_control(const struct websocket_reader *reader)
{
    return (reader->head[0] & BIT_CONTROL) != 0;
}

static bool is_final(const struct websocket_reader *reader)
{
    return (reader->head[0] & BIT_FINAL) != 0;
}

static unsigned opcode_of(const struct websocket_reader *reader)
{
    return reader->head[0] & BITS_OPCODE;
}

static bool is_known(unsigned opcode)
{
#define O(name, code, carries)                                                 \
    if (opcode == (code))                                                      \
        return true;
    WEBSOCKET_OPCODES(O)
#undef O
    return false;
}

/* What the first byte tells. */
static enum frame_refusal judge_kind(const struct websocket_reader *reader)
{
    unsigned opcode = opcode_of(reader);

    if ((reader->head[0] & BITS_RESERVED) != 0)
        return REFUSED_RESERVED_BITS;
    if (!is_known(opcode))
        return REFUSED_RESERVED_OPCODE;
    if (is_control(reader))
        return is_final(reader) ? REFUSED_NOT : REFUSED_CONTROL_CUT;
    if (opcode == WEBSOCKET_CONTINUATION)
        return reader->is_in_message ? REFUSED_NOT : REFUSED_NOT_BEGUN;
    if (reader->is_in_message)
        return REFUSED_NOT_ENDED;
    return opcode == WEBSOCKET_BINARY && !reader->is_discarding ? REFUSED_BINARY
                                                                : REFUSED_NOT;
}

/* What the second byte tells. */
static enum frame_refusal
judge_length_form(const struct websocket_reader *reader)
{
    if ((reader->head[1] & BIT_MASKED) == 0)
        return REFUSED_UNMASKED;
    if (is_control(reader) &&
        (reader->head[1] & BITS_LENGTH) > WEBSOCKET_CONTROL_MAX)
        return REFUSED_CONTROL_LONG;
    return REFUSED_NOT;
}

static unsigned length_bytes(const struct websocket_reader *reader)
{
    unsigned form = reader->head[1] & BITS_LENGTH;

    return form == LENGTH_16 ? 2 : form == LENGTH_64 ? 8 : 0;
}

static uint64_t payload_length(const struct websocket_reader *reader)
{
    unsigned bytes = length_bytes(reader);
    uint64_t length = 0;

    if (bytes == 0)
        return reader->head[1] & BITS_LENGTH;
    for (unsigned i = 0; i < bytes; i++)
        length = length << 8 | reader->head[2 + i];
    return length;
}

static enum frame_refusal judge_length(const struct websocket_reader *reader)
{
    uint64_t length = payload_length(reader);
    unsigned bytes = length_bytes(reader);

    if (length > INT64_MAX)
        return REFUSED_LENGTH_SIGN;
    if ((bytes == 2 && length < LENGTH_16) ||
        (bytes == 8 && length <= UINT16_MAX))
        return REFUSED_LENGTH_PADDED;
    if (!is_control(reader) && !reader->is_discarding &&
        length > WEBSOCKET_MESSAGE_MAX - reader->message_length)
        return REFUSED_TOO_BIG;
    return REFUSED_NOT;
}

static const unsigned char *mask_of(const struct websocket_reader *reader)
{
    return reader->head + 2 + length_bytes(reader);
}

/* One more byte of the head. */
static enum frame_refusal take_head_byte(struct websocket_reader *reader,
                                         char byte)
{
    enum frame_refusal refusal = REFUSED_NOT;

    reader->head[reader->head_length++] = (unsigned char)byte;
    if (reader->head_length == 1)
        return judge_kind(reader);
    if (reader->head_length == 2)
        refusal = judge_length_form(reader);
    if (refusal == REFUSED_NOT &&
        reader->head_length == 2 + length_bytes(reader))
        refusal = judge_length(reader);
    if (refusal != REFUSED_NOT ||
        reader->head_length < 2 + length_bytes(reader) + MASK_BYTES)
        return refusal;
    reader->left = payload_length(reader);
    reader->mask_at = 0;
    reader->is_in_payload = true;
    return REFUSED_NOT;
}

/* ---- its payload ------------------------------------------------------------
 */

static struct text unmask(struct websocket_reader *reader, struct text masked)
{
    const unsigned char *mask = mask_of(reader);
    char *place = buffer_reserve(&reader->payload, masked.length);

    for (size_t i = 0; i < masked.length; i++)
        place[i] = (char)((unsigned char)masked.bytes[i] ^
                          mask[(reader->mask_at + i) % MASK_BYTES]);
    reader->mask_at = (uint8_t)((reader->mask_at + masked.length) % MASK_BYTES);
    reader->payload.length += masked.length;
    reader->left -= masked.length;
    return (struct text){place, masked.length};
}

/* As much of the payload as there is. */
static enum frame_refusal take_payload(struct websocket_reader *reader,
                                       struct text input, size_t *taken_out)
{
    struct text piece = input;

    *taken_out = 0;
    if (piece.length > reader->left)
        piece.length = (size_t)reader->left;
    if (piece.length == 0)
        return REFUSED_NOT;
    *taken_out = piece.length;
    if (reader->is_discarding && !is_control(reader)) {
        reader->left -= piece.length;
        return REFUSED_NOT;
    }
    piece = unmask(reader, piece);
    if (is_control(reader))
        return REFUSED_NOT;
    reader->message_length += (uint32_t)piece.length;
    return utf8_go_on(&reader->utf8, piece) ? REFUSED_NOT : REFUSED_NOT_UTF8;
}

/* ---- an item ----------------------------------------------------------------
 */

static bool may_be_sent(unsigned code)
{
#define C(first, last, what)                                                   \
    if (code >= (first) && code <= (last))                                     \
        return true;
    SENDABLE_CODES(C)
#undef C
    return false;
}

static enum frame_refusal take_close(struct websocket_item *item)
{
    struct text payload = item->payload;

    item->code = 0;
    if (payload.length == 0)
        return REFUSED_NOT;
    if (payload.length == 1)
        return REFUSED_CLOSE_LENGTH;
    item->code = (unsigned)(unsigned char)payload.bytes[0] << 8 |
                 (unsigned char)payload.bytes[1];
    item->payload = (struct text){payload.bytes + 2, payload.length - 2};
    if (!may_be_sent(item->code))
        return REFUSED_CLOSE_CODE;
    return utf8_is_valid(item->payload) ? REFUSED_NOT : REFUSED_CLOSE_REASON;
}

static struct text behind_message(const struct websocket_reader *reader)
{
    struct text text = buffer_text(&reader->payload);

    if (reader->message_length > 0)
        text.bytes += reader->message_length;
    text.length -= reader->message_length;
    return text;
}

/* The frame is whole; ST_EMPTY if there is nothing to tell of yet. */
static enum status end_frame(struct websocket_reader *reader,
                             struct websocket_item *item,
                             enum frame_refusal *refusal_out)
{
    reader->is_in_payload = false;
    reader->head_length = 0;
    item->code = 0;
    if (is_control(reader)) {
        item->opcode = (enum websocket_opcode)opcode_of(reader);
        item->payload = behind_message(reader);
        if (item->opcode == WEBSOCKET_CLOSE)
            *refusal_out = take_close(item);
        return ST_OK;
    }
    reader->is_in_message = !is_final(reader);
    if (reader->is_in_message || reader->is_discarding)
        return ST_EMPTY;
    if (reader->utf8.left > 0)
        *refusal_out = REFUSED_NOT_UTF8;
    item->opcode = WEBSOCKET_TEXT;
    item->payload = buffer_text(&reader->payload);
    reader->message_length = 0;
    return ST_OK;
}

/* The item that was given last is no longer looked at. */
static void forget_last_item(struct websocket_reader *reader)
{
    if (reader->is_in_payload)
        return; /* what is behind the message is still being read */
    reader->payload.length = reader->message_length;
    if (reader->message_length == 0)
        buffer_fini(&reader->payload);
}

enum status websocket_read(struct websocket_reader *reader, struct text input,
                           size_t *used_out, struct websocket_item *item_out,
                           const char **why_out)
{
    enum frame_refusal refusal = REFUSED_NOT;
    enum status st = ST_EMPTY;
    size_t used = 0;

    forget_last_item(reader);
    while (st == ST_EMPTY && refusal == REFUSED_NOT && used < input.length) {
        if (!reader->is_in_payload) {
            refusal = take_head_byte(reader, input.bytes[used++]);
        } else {
            size_t taken;
            struct text rest = {input.bytes + used, input.length - used};

            refusal = take_payload(reader, rest, &taken);
            used += taken;
        }
        if (refusal == REFUSED_NOT && reader->is_in_payload &&
            reader->left == 0)
            st = end_frame(reader, item_out, &refusal);
    }
    *used_out = used;
    return refusal == REFUSED_NOT ? st
                                  : refuse(refusal, reader, item_out, why_out);
}

/* ---- frames out -------------------------------------------------------------
 */

static char *put_big_endian(char *at, uint64_t number, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--)
        *at++ = (char)(unsigned char)(number >> (8 * (i - 1)));
    return at;
}

char *websocket_put_head(char *at, enum websocket_opcode opcode,
                         uint64_t payload_bytes)
{
    *at++ = (char)(unsigned char)(BIT_FINAL | (unsigned)opcode);
    if (payload_bytes < LENGTH_16)
        return put_big_endian(at, payload_bytes, 1);
    if (payload_bytes <= UINT16_MAX) {
        *at++ = LENGTH_16;
        return put_big_endian(at, payload_bytes, 2);
    }
    *at++ = LENGTH_64;
    return put_big_endian(at, payload_bytes, 8);
}

void websocket_append_frame(struct buffer *out, enum websocket_opcode opcode,
                            struct text payload)
{
    char head[WEBSOCKET_FRAME_HEAD_MAX];
    char *end = websocket_put_head(head, opcode, payload.length);

    CHECK((opcode & BIT_CONTROL) == 0 ||
          payload.length <= WEBSOCKET_CONTROL_MAX);
    buffer_append(out, head, (size_t)(end - head));
    buffer_append_text(out, payload);
}

void websocket_append_close(struct buffer *out, unsigned code,
                            struct text reason)
{
    char payload[WEBSOCKET_CONTROL_MAX];
    char *end = payload;

    CHECK(reason.length <= sizeof payload - 2);
    if (code != 0) {
        end = put_big_endian(end, code, 2);
        if (reason.length > 0)
            memcpy(end, reason.bytes, reason.length);
        end += reason.length;
    }
    websocket_append_frame(out, WEBSOCKET_CLOSE,
                           (struct text){payload, (size_t)(end - payload)});
}
