/* websocket.h -- RFC 6455 as a server: the handshake and the frames.
 *
 * Pure functions over bytes. A reader is fed what came from a client and gives
 * one item at a time: a whole text message, a ping, a pong, a close. What breaks
 * the protocol is told with the close code that the client is to get.
 *
 * Threads   Any; one at a time for one reader.
 * Memory    A reader holds nothing until a payload has bytes, then one buffer
 *           of what really came, at most WEBSOCKET_MESSAGE_MAX and a control
 *           frame. An item looks into the reader until the next call.
 * Units     Bytes.
 * Errors    ST_BAD_INPUT with a fixed sentence, and an HTTP status before the
 *           upgrade or a close code after it.
 */
#ifndef TIDINGS_WEBSOCKET_H
#define TIDINGS_WEBSOCKET_H

#include <tidings/buffer.h>
#include <tidings/status.h>
#include <tidings/text.h>
#include <tidings/wire.h>

#include <stdbool.h>
#include <stdint.h>

#define WEBSOCKET_MESSAGE_MAX    65536 /* of a client's message */
#define WEBSOCKET_CONTROL_MAX    125   /* RFC 6455, 5.5 */
#define WEBSOCKET_FRAME_HEAD_MAX 10    /* of a frame without a mask */
#define WEBSOCKET_ACCEPT_BYTES   28    /* base64 of a SHA-1 */
#define WEBSOCKET_PROTOCOL       "tidings.v1"

/* clang-format off */
/*     name          code  when it is sent                                    */
#define WEBSOCKET_CLOSE_CODES(C)                                              \
    C(NORMAL,        1000, "the answer to a close without a code")            \
    C(GOING_AWAY,    1001, "the server stops")                                \
    C(PROTOCOL,      1002, "a frame breaks RFC 6455")                         \
    C(UNACCEPTABLE,  1003, "a binary message")                                \
    C(NOT_UTF8,      1007, "text that is no UTF-8")                           \
    C(POLICY,        1008, "more questions than answers taken")               \
    C(TOO_BIG,       1009, "a message over 64 KiB")                           \
    C(FAILED,        1011, "the journal could not be read")                   \
    C(TRY_LATER,     1013, "another one holds the wait key")                  \
    C(UNAUTHORIZED,  3000, "the token ends, or its key was withdrawn")

/*     name         opcode  what it carries                                   */
#define WEBSOCKET_OPCODES(O)                                                  \
    O(CONTINUATION, 0x0,    "more of a message")                              \
    O(TEXT,         0x1,    "a message of UTF-8")                             \
    O(BINARY,       0x2,    "a message of bytes: not taken here")             \
    O(CLOSE,        0x8,    "the end, with a code and a reason")              \
    O(PING,         0x9,    "to be given back in a pong")                     \
    O(PONG,         0xa,    "what a ping carried, or anything")
/* clang-format on */

enum websocket_close_code {
#define C(name, code, when) WEBSOCKET_CLOSE_##name = (code),
    WEBSOCKET_CLOSE_CODES(C)
#undef C
};

enum websocket_opcode {
#define O(name, code, carries) WEBSOCKET_##name = (code),
    WEBSOCKET_OPCODES(O)
#undef O
};

/* ---- the handshake ---------------------------------------------------------
 */

/* What the headers of a request say about an upgrade. All zero at the start. */
struct websocket_handshake {
    struct text key;     /* lent by the request */
    struct text version; /* the same */
    unsigned key_count, version_count;
    bool has_upgrade;    /* Upgrade names websocket */
    bool has_connection; /* Connection names upgrade */
    bool has_protocol;   /* WEBSOCKET_PROTOCOL is among those offered */
};

/* Call for every header of the request, in any order. */
void websocket_note_header(struct websocket_handshake *handshake,
                           struct text name, struct text value);

/* The rest of the request that the rules are about. */
struct websocket_request {
    bool is_get, is_http_10, has_body;
};

/* ST_OK: answer 101. ST_BAD_INPUT: `*http_status_out` (400 or 426, which goes
 * with websocket_upgrade_headers) and `*why_out`. */
enum status websocket_check(const struct websocket_handshake *handshake,
                            const struct websocket_request *request,
                            unsigned *http_status_out,
                            const char **why_out) MUST_USE;

/* What a 426 must tell, each line ended by CR LF. */
extern const char websocket_upgrade_headers[];

/* The value of Sec-WebSocket-Accept for a checked key, and a NUL. */
void websocket_accept(struct text key, char out[WEBSOCKET_ACCEPT_BYTES + 1]);

/* ---- frames in --------------------------------------------------------------
 */

struct websocket_reader {
    struct buffer payload;     /* of the message, then of a control frame */
    uint32_t message_length;   /* how much of it is the message's */
    uint64_t left;             /* of the payload of the frame being read */
    unsigned char head[14];    /* of that frame: its mask is the end of it */
    uint8_t head_length;       /* how much of it is there */
    uint8_t mask_at;           /* the next byte of the mask */
    struct utf8_progress utf8; /* of the message */
    bool is_in_payload : 1;
    bool is_in_message : 1; /* a fragment without FIN came */
    bool is_discarding : 1; /* only a close is told any more */
};

struct websocket_item {
    enum websocket_opcode opcode; /* TEXT, PING, PONG or CLOSE */
    struct text payload;          /* of a CLOSE: the reason */
    unsigned code; /* of a CLOSE: the client's, 0 if none; of bad input: ours */
    bool goes_on;  /* of bad input: the client's close can still be read */
};

void websocket_reader_init(struct websocket_reader *reader);
void websocket_reader_fini(struct websocket_reader *reader);

/* Reads on until an item is whole. `*used_out`: how much of input was consumed.
 * ST_OK: an item. ST_EMPTY: all was consumed and there is none yet.
 * ST_BAD_INPUT: `code` of the item is what to close with, and `*why_out`. If
 * the item `goes_on`, the reader may be asked on and discards; else it is lost.
 */
enum status websocket_read(struct websocket_reader *reader, struct text input,
                           size_t *used_out, struct websocket_item *item_out,
                           const char **why_out) MUST_USE;

/* From now on messages take no memory and are not told: we have closed, and wait
 * for the client's close. */
void websocket_discard(struct websocket_reader *reader);

/* ---- frames out -------------------------------------------------------------
 */

/* The head of a final frame, where WEBSOCKET_FRAME_HEAD_MAX bytes have room;
 * returns where the payload goes. */
char *websocket_put_head(char *at, enum websocket_opcode opcode,
                         uint64_t payload_bytes);

void websocket_append_frame(struct buffer *out, enum websocket_opcode opcode,
                            struct text payload);

/* `reason` is UTF-8 and at most WEBSOCKET_CONTROL_MAX - 2 bytes. A code of 0 is
 * none: an empty close. */
void websocket_append_close(struct buffer *out, unsigned code,
                            struct text reason);

#endif
