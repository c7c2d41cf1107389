/* wire.h -- the formats: pure functions over bytes, no sockets, no locks.
 *
 * Parsers give views of their input and say with a sentence what is wrong;
 * formatters append to a buffer. Each is in src/wire/, one file per format, and
 * is what docs/protocol.md describes.
 *
 * Threads   Any.
 * Memory    Results look into the input; buffers are the caller's.
 * Units     Bytes, wall milliseconds.
 * Errors    ST_BAD_INPUT with `*why_out` a fixed sentence (never the input).
 */
#ifndef TIDINGS_WIRE_H
#define TIDINGS_WIRE_H

#include <tidings/buffer.h>
#include <tidings/event.h>
#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

/* ---- utf8.c, names.c: what a channel, type, selector may be ------------- */

bool utf8_is_valid(struct text text); /* RFC 3629; NUL is allowed */

/* The same for text that comes in pieces. All zero at the start; `left` is 0
 * where the text may end. False at the first byte that cannot be right. */
struct utf8_progress {
    uint8_t left;             /* bytes that the character still needs */
    uint8_t minimum, maximum; /* of the next of them */
};
bool utf8_go_on(struct utf8_progress *progress, struct text piece) MUST_USE;

bool channel_name_is_valid(struct text name);
bool event_type_is_valid(struct text type);    /* may be empty */
bool event_type_is_reserved(struct text type); /* starts with "tidings." */

/* A channel name, or a NATS pattern: tokens may be `*`, the last may be `>`. */
bool selector_is_valid(struct text selector);
bool selector_is_pattern(struct text selector);
bool selector_matches(struct text selector, struct text channel);

/* Does every channel that `asked` matches match `right` too? Both are valid. */
bool selector_covers(struct text right, struct text asked);

/* The next of a list with commas between, from `*cursor` (0 at first), without
 * the spaces around it; false at its end. What stands between two commas may be
 * empty. */
bool list_next(struct text list, size_t *cursor, struct text *item_out);
bool selector_list_is_valid(struct text list); /* may be empty */

/* ---- json.c ------------------------------------------------------------- */

bool json_is_valid(struct text text); /* RFC 8259, depth <= 64 */

/* Appends `text` as a JSON string with its quotes; U+2028/2029, <, >, & and
 * controls are escaped. `text` is valid UTF-8. */
void json_append_string(struct buffer *out, struct text text);

/* Appends `text` if it is JSON (line breaks between its tokens become spaces,
 * so the result is one line), else as a JSON string. */
void json_append_data(struct buffer *out, struct text text);

/* The unescaped value of a JSON string token (without its quotes). Escapes that
 * make no UTF-8 (lone surrogates) are bad input. */
enum status json_unescape(struct text raw, struct buffer *out) MUST_USE;

/* ---- base64url.c: RFC 4648 section 5, without padding --------------------- */

/* False: it is none; nothing was appended then. Each value has one spelling. */
bool base64url_decode(struct text text, struct buffer *out) MUST_USE;
void base64url_append(struct buffer *out, struct text bytes);

/* ---- time_text.c, time_parse.c ------------------------------------------- */

void time_append_iso(struct buffer *out,
                     int64_t wall_ms); /* ...T..:..:...sssZ */
void time_append_plain(struct buffer *out,
                       int64_t wall_ms); /* Y-m-d H:M:S, no zone */

/* An instant: RFC 3339, or "2014-03-02 22:00:00 UTC". */
bool time_parse(struct text text, int64_t *wall_ms_out);

/* ---- position.c: how far a client has read ------------------------------ */

enum position_kind {
    POSITION_LATEST, /* also: none given */
    POSITION_EARLIEST,
    POSITION_ID,       /* number: after this id */
    POSITION_TIME,     /* number: after this unix time in ms */
    POSITION_LAST,     /* number: the newest so many (1 to 10,000) */
    POSITION_CHANNELS, /* {"a":12,...}: see position_next_channel */
};

struct position {
    enum position_kind kind;
    uint64_t number;
    struct text json; /* POSITION_CHANNELS: the checked object */
};

/* `text` empty: POSITION_LATEST. */
enum status position_parse(struct text text, struct position *position_out,
                           const char **why_out) MUST_USE;

/* Walks the object of POSITION_CHANNELS: names are channels, values are ids or
 * times as in the digits form. `*cursor` starts at 0. False at the end. */
bool position_next_channel(struct text json, size_t *cursor,
                           struct text *channel_out,
                           struct position *position_out);

/* ---- envelope.c: type and data out of a payload ------------------------- */

enum envelope_mode { ENVELOPE_AUTO, ENVELOPE_ALWAYS, ENVELOPE_NEVER };

struct envelope {
    struct text type;      /* into scratch or input */
    struct text data;      /* raw JSON of the member, or for a JSON string its
                              value; into scratch or input */
    struct buffer scratch; /* fini by the caller */
};

/* Sets up `scratch` itself; after a failure it is empty, so fini is harmless.
 * AUTO: an object with exactly the members type (a string) and data is taken
 * apart, all else is data as it is. ALWAYS: anything else is bad input. */
enum status envelope_parse(struct text payload, enum envelope_mode mode,
                           struct envelope *envelope_out,
                           const char **why_out) MUST_USE;

/* One line of an NDJSON batch. Absent members are empty / 0. */
struct batch_line {
    struct text channel, type, data, key;
    int64_t time_ms;
    struct buffer scratch; /* fini by the caller */
};
enum status batch_line_parse(struct text line, struct batch_line *line_out,
                             const char **why_out) MUST_USE;

/* ---- sse.c, event_json.c: events out ------------------------------------- */

/* One event block: `event:`, `data:` lines, `id:`, blank line. Without `id:` if
 * the id is 0: what is said about the stream is no event. */
void sse_append_event(struct buffer *out, const struct event_view *event);

/* The line alone: it works as it is read, and joins the block that follows. */
void sse_append_retry(struct buffer *out, unsigned retry_ms);

/* {"id":N,"channel_id":"..","ts":"..Z","data":{"type":"..","data":..}}; an
 * event without type has "type":"". No line break inside or after. */
void event_json_append(struct buffer *out, const struct event_view *event);

/* {"type":..,"data":..}; for an event without type the data alone. One line. */
void event_json_append_envelope(struct buffer *out,
                                const struct event_view *event);

/* The data alone, as JSON, one line. */
void event_json_append_data(struct buffer *out, const struct event_view *event);

/* ---- http_head.c: RFC 9112, strictly --------------------------------------
 */

#define HTTP_HEADERS_MAX 64

enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_head {
    size_t bytes; /* of the head with its last blank line */
    size_t target_bytes;
    unsigned header_count;
    enum http_body body;
    uint64_t content_length; /* HTTP_BODY_LENGTH; 0 is HTTP_BODY_NONE */
    bool is_http_10;
    bool keeps_alive; /* by version and Connection */
    bool expects_continue;
    bool is_untidy; /* tabs in values, blanks behind them: civetweb takes
                       the first for an error, the second for the value */
};

/* ST_OK; ST_EMPTY: no end of head yet in these bytes (ask again with more);
 * ST_BAD_INPUT: `*http_status_out` (400, 405, 411, 414, 415, 417, 431, 501, 505)
 * and `*why_out`. Leading empty lines (at most 2) are skipped and counted in bytes.
 */
enum status http_head_check(struct text bytes, struct http_head *head_out,
                            unsigned *http_status_out,
                            const char **why_out) MUST_USE;

/* ---- chunked.c: RFC 9112 7.1, incremental -------------------------------- */

struct chunked {
    int state;         /* 0 at the start */
    uint64_t left;     /* of the chunk being read */
    unsigned overhead; /* line bytes so far: extensions, trailers; limited */
};

/* Decodes as much of `input` as it can, appends data to `out`. `*used_out`: how
 * much of input was consumed. ST_OK: the body ended; ST_EMPTY: needs more;
 * ST_BAD_INPUT; ST_TOO_BIG: more than `limit` bytes of data in `out`. */
enum status chunked_decode(struct chunked *chunked, struct text input,
                           size_t limit, struct buffer *out,
                           size_t *used_out) MUST_USE;

/* ---- form.c: application/x-www-form-urlencoded, queries -------------------
 */

/* Appends the decoded value of `name` (exact, decoded names are compared) and
 * says whether it was there. `*cursor` (start 0) allows repeated names. A bad
 * escape makes `*is_bad_out` true (else untouched) and appends nothing. NUL in
 * a value is bad. */
bool form_find(struct text form, const char *name, size_t *cursor,
               struct buffer *value_out, bool *is_bad_out);

/* Percent-decodes a path segment; "+" stays. False on bad escapes or NUL. */
bool percent_decode(struct text segment, struct buffer *out);

/* ---- url_mask.c ---------------------------------------------------------- */

/* Appends a URL, or several with commas between them, as they may be shown:
 * `***` for what stands before an @. */
void urls_append_masked(struct buffer *out, struct text urls);

#endif
