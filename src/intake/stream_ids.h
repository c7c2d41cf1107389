/* stream_ids.h -- pure sums and forms of a followed stream: ids, the position's
 * row, and what the server says in each message's reply subject.
 *
 * Threads   Any.
 * Memory    The caller's structs; texts are looked into.
 * Units     Nanoseconds since 1970 as NATS has them; sequences; ids.
 * Errors    ST_BAD_INPUT, ST_CORRUPT: not of that form.
 */
#ifndef TIDINGS_STREAM_IDS_H
#define TIDINGS_STREAM_IDS_H

#include <tidings/session_sharing.h>
#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

#define STREAM_EPOCHS_MAX 24
#define STREAM_ROW_MAX    512
#define STREAM_ID_MAX     UINT64_C(9007199254740991) /* 2^53 - 1 */
#define STREAM_TEXT_MAX   1200 /* of epochs, or of a word */

/* From this sequence on, id = base + sequence. */
struct stream_epoch {
    uint64_t from, base;
};

/* How far a stream was read, and by what it is known again. */
struct stream_position {
    int64_t created_ns; /* of the stream; 0: never met */
    uint64_t sequence;  /* the newest that was read */
    int64_t message_ns; /* when the stream got that message; 0: none was read */
    uint64_t hash;      /* of its subject and data */
    int64_t event_ms;   /* of the newest event: the next is not older */
    uint64_t rewinds;   /* ever noticed */
    unsigned epoch_count;
    struct stream_epoch epochs[STREAM_EPOCHS_MAX]; /* rising; newest last */
};

/* The base of a stream, or of what a stream got after it was rewound. */
uint64_t stream_base(int64_t ns);

/* The same for an epoch behind those that the position knows: a later one, also if
 * it begins in the same second. */
uint64_t stream_next_base(const struct stream_position *position, int64_t ns);

/* 0: the sequence is of no epoch, or the sum is no id. */
uint64_t stream_id(const struct stream_position *position, uint64_t sequence);

/* Later epochs that begin at or behind `from` go, the oldest if there is no
 * room; the same again changes nothing. */
void stream_begin_epoch(struct stream_position *position, uint64_t from,
                        uint64_t base);

/* The ids of all sequences from `first` on: a range for each epoch that has some. */
unsigned stream_kept(const struct stream_position *position, uint64_t first,
                     struct session_versions kept[STREAM_EPOCHS_MAX]);

uint64_t stream_hash(struct text subject, struct text data);

/* The event's time: the wish if it is not older than the newest event's and at
 * most a second ahead of the message, else the message's; never decreasing. */
int64_t stream_event_ms(int64_t wish_ms, int64_t message_ns, int64_t newest_ms);

unsigned stream_position_encode(const struct stream_position *position,
                                unsigned char row[STREAM_ROW_MAX]);
/* Would be stored alike? */
bool stream_position_equals(const struct stream_position *a,
                            const struct stream_position *b);
enum status stream_position_decode(const unsigned char *row, unsigned bytes,
                                   struct stream_position *out) MUST_USE;

/* Epochs as text, "1:1885481171681280 500:188...", for the note that tells other
 * instances. At most `room` bytes with the NUL; 0: does not fit. */
unsigned stream_epochs_print(const struct stream_position *position, char *text,
                             unsigned room);
enum status stream_epochs_parse(struct text text,
                                struct stream_position *out) MUST_USE;

/* Can the stream `told` is of have these epochs, if it ends at `last` and it is
 * `now_ns`? Anybody may have told them. */
bool stream_epochs_are_plausible(const struct stream_position *told,
                                 uint64_t last, int64_t now_ns);

/* What one instance tells the others: what it has read, or heard to be read. */
struct stream_word {
    uint64_t boot;                   /* of the process that says it */
    bool asks;                       /* to be told the same of everybody */
    bool leaves;                     /* will not be there any more */
    bool is_settled;                 /* has looked at the stream and reads it */
    struct stream_position position; /* without event_ms and rewinds */
};

/* As text; 0: does not fit. Parsing leaves out what it does not know behind it. */
unsigned stream_word_print(const struct stream_word *word, char *text,
                           unsigned room);
enum status stream_word_parse(struct text text,
                              struct stream_word *out) MUST_USE;

/* Can somebody have read that by now? Of any stream, or of none. */
bool stream_word_is_plausible(const struct stream_word *word, int64_t now_ns);

/* Was more of the stream read there than here? Of the same stream, that is. What has
 * no message's time is known by nothing, and never further. */
bool stream_is_further(const struct stream_position *there,
                       const struct stream_position *here);

/* $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer's>.<ns>.<left>,
 * or with <domain>.<account> before the stream and perhaps more behind. */
struct stream_place {
    struct text stream, consumer;
    uint64_t sequence, consumer_sequence, left;
    int64_t message_ns;
};
enum status stream_place_parse(struct text reply,
                               struct stream_place *out) MUST_USE;

/* Letters, digits, _ and -, 1 to 200 of them: nothing that NATS reads. */
bool stream_name_is_valid(struct text name);

/* Digits alone, a number of at most `most`. */
bool stream_number_parse(struct text digits, uint64_t most,
                         uint64_t *number_out);

#endif
