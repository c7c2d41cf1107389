/* stream_ids.c -- what every instance must compute alike.
 *
 * id = base + sequence, and base is the second in which the stream was made,
 * times 2^20: the same on every instance without their talking to each other,
 * below 2^53 for two centuries, and above the ids of an older stream as long as
 * that took fewer than a million messages a second over its life.
 *
 * A stream that was rewound gives sequences twice. What it got after the rewind
 * is a new epoch, whose base is the second of its first message, or the one behind
 * the last base: all who have seen the lost tail compute the same.
 *
 * The row in the journal is a version, eight-byte numbers, and the epochs. The
 * journal keeps a checksum over it; here only the form is checked.
 */
#include "stream_ids.h"

#include <tidings/wire.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define NS_PER_S       1000000000
#define NS_PER_MS      1000000
#define ID_SHIFT       20
#define WISH_AHEAD_MS  1000
#define TOLD_AHEAD_S   120 /* clocks differ, and so many rewinds in a second */
#define ROW_VERSION    1
#define NUMBERS        6
#define TOKENS_MAX     16
#define NAME_MAX_BYTES 200

uint64_t stream_base(int64_t ns)
{
    return ns > 0 ? (uint64_t)(ns / NS_PER_S) << ID_SHIFT : 0;
}

static uint64_t newest_base(const struct stream_position *position)
{
    return position->epoch_count > 0
               ? position->epochs[position->epoch_count - 1].base
               : 0;
}

uint64_t stream_next_base(const struct stream_position *position, int64_t ns)
{
    const uint64_t base = stream_base(ns);
    const uint64_t least = newest_base(position) + (UINT64_C(1) << ID_SHIFT);

    return base > least ? base : least;
}

static const struct stream_epoch *
epoch_of(const struct stream_position *position, uint64_t sequence)
{
    const struct stream_epoch *found = NULL;

    for (unsigned i = 0; i < position->epoch_count; i++)
        if (position->epochs[i].from <= sequence)
            found = &position->epochs[i];
    return found;
}

uint64_t stream_id(const struct stream_position *position, uint64_t sequence)
{
    const struct stream_epoch *epoch = epoch_of(position, sequence);

    if (epoch == NULL || sequence > STREAM_ID_MAX - epoch->base)
        return 0;
    return epoch->base + sequence;
}

void stream_begin_epoch(struct stream_position *position, uint64_t from,
                        uint64_t base)
{
    struct stream_epoch *epochs = position->epochs;

    while (position->epoch_count > 0 &&
           epochs[position->epoch_count - 1].from >= from)
        position->epoch_count--;
    if (position->epoch_count > 0 &&
        epochs[position->epoch_count - 1].base == base)
        return;
    if (position->epoch_count == STREAM_EPOCHS_MAX) {
        memmove(&epochs[0], &epochs[1],
                (STREAM_EPOCHS_MAX - 1) * sizeof epochs[0]);
        position->epoch_count--;
    }
    epochs[position->epoch_count++] = (struct stream_epoch){from, base};
}

unsigned stream_kept(const struct stream_position *position, uint64_t first,
                     struct session_versions kept[STREAM_EPOCHS_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < position->epoch_count; i++) {
        const struct stream_epoch *epoch = &position->epochs[i];
        const uint64_t from = epoch->from > first ? epoch->from : first;
        const uint64_t upto = i + 1 < position->epoch_count
                                  ? epoch[1].from - 1
                                  : STREAM_ID_MAX - epoch->base;

        if (from <= upto)
            kept[count++] = (struct session_versions){epoch->base + from,
                                                      epoch->base + upto};
    }
    return count;
}

/* Two checksums: they tell messages apart that nobody chose to look alike; the
 * times in nanoseconds are compared besides. */
uint64_t stream_hash(struct text subject, struct text data)
{
    const uLong of_subject =
        crc32(0, (const Bytef *)subject.bytes, (uInt)subject.length);
    const uLong of_data =
        crc32(0, (const Bytef *)data.bytes, (uInt)data.length);

    return (uint64_t)of_subject << 32 | (uint64_t)of_data;
}

int64_t stream_event_ms(int64_t wish_ms, int64_t message_ns, int64_t newest_ms)
{
    int64_t time_ms = message_ns / NS_PER_MS;

    if (wish_ms > 0 && wish_ms >= newest_ms &&
        wish_ms <= time_ms + WISH_AHEAD_MS)
        time_ms = wish_ms;
    return time_ms > newest_ms ? time_ms : newest_ms;
}

/* ---- the row ------------------------------------------------------------- */

static unsigned char *put(unsigned char *at, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        *at++ = (unsigned char)(number >> (8 * i));
    return at;
}

static uint64_t get(const unsigned char **at)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < 8; i++)
        number |= (uint64_t) * (*at)++ << (8 * i);
    return number;
}

unsigned stream_position_encode(const struct stream_position *position,
                                unsigned char row[STREAM_ROW_MAX])
{
    unsigned char *at = row;

    *at++ = ROW_VERSION;
    *at++ = (unsigned char)position->epoch_count;
    at = put(at, (uint64_t)position->created_ns);
    at = put(at, position->sequence);
    at = put(at, (uint64_t)position->message_ns);
    at = put(at, position->hash);
    at = put(at, (uint64_t)position->event_ms);
    at = put(at, position->rewinds);
    for (unsigned i = 0; i < position->epoch_count; i++) {
        at = put(at, position->epochs[i].from);
        at = put(at, position->epochs[i].base);
    }
    return (unsigned)(at - row);
}

bool stream_position_equals(const struct stream_position *a,
                            const struct stream_position *b)
{
    unsigned char rows[2][STREAM_ROW_MAX];
    const unsigned bytes = stream_position_encode(a, rows[0]);

    return stream_position_encode(b, rows[1]) == bytes &&
           memcmp(rows[0], rows[1], bytes) == 0;
}

static bool has_rising_epochs(const struct stream_position *position)
{
    const struct stream_epoch *epochs = position->epochs;

    for (unsigned i = 1; i < position->epoch_count; i++)
        if (epochs[i].from <= epochs[i - 1].from ||
            epochs[i].base <= epochs[i - 1].base)
            return false;
    return position->sequence <= STREAM_ID_MAX &&
           newest_base(position) <= STREAM_ID_MAX - position->sequence;
}

enum status stream_position_decode(const unsigned char *row, unsigned bytes,
                                   struct stream_position *out)
{
    struct stream_position position = {0};
    const unsigned char *at = row + 2;

    if (bytes < 2 || row[0] != ROW_VERSION || row[1] > STREAM_EPOCHS_MAX ||
        bytes != 2 + 8 * NUMBERS + 16u * row[1])
        return ST_CORRUPT;
    position.epoch_count = row[1];
    position.created_ns = (int64_t)get(&at);
    position.sequence = get(&at);
    position.message_ns = (int64_t)get(&at);
    position.hash = get(&at);
    position.event_ms = (int64_t)get(&at);
    position.rewinds = get(&at);
    for (unsigned i = 0; i < position.epoch_count; i++) {
        position.epochs[i].from = get(&at);
        position.epochs[i].base = get(&at);
    }
    if (!has_rising_epochs(&position))
        return ST_CORRUPT;
    *out = position;
    return ST_OK;
}

bool stream_number_parse(struct text digits, uint64_t most,
                         uint64_t *number_out)
{
    uint64_t number = 0;

    if (digits.length == 0)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        const unsigned digit = (unsigned char)digits.bytes[i] - '0';

        if (digit > 9 || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *number_out = number;
    return true;
}

/* ---- epochs as text ------------------------------------------------------ */

unsigned stream_epochs_print(const struct stream_position *position, char *text,
                             unsigned room)
{
    unsigned length = 0;

    for (unsigned i = 0; i < position->epoch_count; i++) {
        const int more =
            snprintf(text + length, room - length, "%s%" PRIu64 ":%" PRIu64,
                     i > 0 ? " " : "", position->epochs[i].from,
                     position->epochs[i].base);

        if (more < 0 || (unsigned)more >= room - length)
            return 0;
        length += (unsigned)more;
    }
    return length;
}

/* Cuts the text up to the next `end`, or all of it. */
static struct text cut(struct text *rest, char end)
{
    const char *at = memchr(rest->bytes, end, rest->length);
    struct text part = *rest;

    if (at == NULL) {
        rest->bytes += rest->length;
        rest->length = 0;
        return part;
    }
    part.length = (size_t)(at - part.bytes);
    rest->bytes += part.length + 1;
    rest->length -= part.length + 1;
    return part;
}

enum status stream_epochs_parse(struct text text, struct stream_position *out)
{
    struct stream_epoch epochs[STREAM_EPOCHS_MAX];
    unsigned count = 0;

    while (text.length > 0) {
        struct text pair = cut(&text, ' ');
        struct text from = cut(&pair, ':');

        if (count == STREAM_EPOCHS_MAX ||
            !stream_number_parse(from, STREAM_ID_MAX, &epochs[count].from) ||
            !stream_number_parse(pair, STREAM_ID_MAX, &epochs[count].base) ||
            (count > 0 && (epochs[count].from <= epochs[count - 1].from ||
                           epochs[count].base <= epochs[count - 1].base)))
            return ST_BAD_INPUT;
        count++;
    }
    if (count == 0)
        return ST_BAD_INPUT;
    out->epoch_count = count;
    memcpy(out->epochs, epochs, count * sizeof epochs[0]);
    return ST_OK;
}

/* The first begins with the stream, unless it had no room any more: then there were
 * so many behind it that the newest is later by as many seconds at least. */
bool stream_epochs_are_plausible(const struct stream_position *told,
                                 uint64_t last, int64_t now_ns)
{
    const struct stream_epoch *oldest = &told->epochs[0], *newest;
    const uint64_t first = stream_base(told->created_ns);
    const uint64_t most =
        stream_base(now_ns) + ((uint64_t)TOLD_AHEAD_S << ID_SHIFT);

    if (told->epoch_count == 0 || oldest->from == 0 || oldest->base < first)
        return false;
    newest = &told->epochs[told->epoch_count - 1];
    if (newest->base > most || newest->base > STREAM_ID_MAX ||
        newest->from > STREAM_ID_MAX - newest->base || newest->from - 1 > last)
        return false;
    if (oldest->from == 1)
        return oldest->base == first;
    return newest->base >= first + ((uint64_t)STREAM_EPOCHS_MAX << ID_SHIFT);
}

/* ---- what instances tell each other -------------------------------------- */

/* "<boot> <asks><leaves><settled> <created> <sequence> <time> <hash> <epochs>" */
unsigned stream_word_print(const struct stream_word *word, char *text,
                           unsigned room)
{
    const struct stream_position *position = &word->position;
    const int head = snprintf(
        text, room,
        "%" PRIu64 " %d%d%d %" PRId64 " %" PRIu64 " %" PRId64 " %" PRIu64 " ",
        word->boot, word->asks, word->leaves, word->is_settled,
        position->created_ns, position->sequence, position->message_ns,
        position->hash);
    unsigned epochs;

    if (head < 0 || (unsigned)head >= room)
        return 0;
    epochs = stream_epochs_print(position, text + head, room - (unsigned)head);
    return epochs > 0 || position->epoch_count == 0 ? (unsigned)head + epochs
                                                    : 0;
}

static bool read_flags(struct text flags, struct stream_word *word)
{
    for (size_t i = 0; i < flags.length; i++)
        if (flags.bytes[i] != '0' && flags.bytes[i] != '1')
            return false;
    if (flags.length != 3)
        return false;
    word->asks = flags.bytes[0] == '1';
    word->leaves = flags.bytes[1] == '1';
    word->is_settled = flags.bytes[2] == '1';
    return true;
}

enum status stream_word_parse(struct text text, struct stream_word *out)
{
    struct stream_word word = {0};
    struct stream_position *position = &word.position;
    uint64_t created, message;

    if (!stream_number_parse(cut(&text, ' '), UINT64_MAX, &word.boot) ||
        !read_flags(cut(&text, ' '), &word) ||
        !stream_number_parse(cut(&text, ' '), INT64_MAX, &created) ||
        !stream_number_parse(cut(&text, ' '), UINT64_MAX,
                             &position->sequence) ||
        !stream_number_parse(cut(&text, ' '), INT64_MAX, &message) ||
        !stream_number_parse(cut(&text, ' '), UINT64_MAX, &position->hash))
        return ST_BAD_INPUT;
    position->created_ns = (int64_t)created;
    position->message_ns = (int64_t)message;
    if (text.length > 0 && stream_epochs_parse(text, position) != ST_OK)
        return ST_BAD_INPUT;
    *out = word;
    return ST_OK;
}

bool stream_word_is_plausible(const struct stream_word *word, int64_t now_ns)
{
    const struct stream_position *position = &word->position;

    if (position->created_ns == 0)
        return true; /* has never looked at it */
    return position->sequence <= STREAM_ID_MAX &&
           position->message_ns / NS_PER_S <=
               now_ns / NS_PER_S + TOLD_AHEAD_S &&
           stream_epochs_are_plausible(position, STREAM_ID_MAX, now_ns);
}

bool stream_is_further(const struct stream_position *there,
                       const struct stream_position *here)
{
    if (there->message_ns == 0)
        return false;
    if (newest_base(there) != newest_base(here))
        return newest_base(there) > newest_base(here);
    return there->sequence > here->sequence ||
           (there->sequence == here->sequence && here->message_ns == 0);
}

/* ---- the reply subject --------------------------------------------------- */

enum status stream_place_parse(struct text reply, struct stream_place *out)
{
    struct text token[TOKENS_MAX];
    struct stream_place place = {0};
    unsigned count = 0, first;
    uint64_t ns;

    while (reply.length > 0 && count < TOKENS_MAX)
        token[count++] = cut(&reply, '.');
    if (count < 9 || count == 10 || !text_is(token[0], "$JS") ||
        !text_is(token[1], "ACK"))
        return ST_BAD_INPUT;
    first = count == 9 ? 2 : 4;
    place.stream = token[first];
    place.consumer = token[first + 1];
    if (!stream_number_parse(token[first + 3], UINT64_MAX, &place.sequence) ||
        !stream_number_parse(token[first + 4], UINT64_MAX,
                             &place.consumer_sequence) ||
        !stream_number_parse(token[first + 5], INT64_MAX, &ns) ||
        !stream_number_parse(token[first + 6], UINT64_MAX, &place.left))
        return ST_BAD_INPUT;
    place.message_ns = (int64_t)ns;
    *out = place;
    return ST_OK;
}

bool stream_name_is_valid(struct text name)
{
    return name.length <= NAME_MAX_BYTES && channel_name_is_valid(name) &&
           memchr(name.bytes, '.', name.length) == NULL;
}
