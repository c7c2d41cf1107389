/* record.c -- the stored form of an event.
 *
 *   offset  bytes  what
 *        0      4  CRC-32 of the id and of all that follows
 *        4      1  version in the upper four bits, the event's fate below
 *        5      1  length of the type
 *        6      4  number of the channel
 *       10      8  id of the previous event of the same channel, 0 = none
 *       18      8  time, unix milliseconds
 *       26      8  only if it was amended: id of the event that told so
 *    26, 34         type, then data up to the end
 *
 * Numbers are little endian. The id is the key of the table and not repeated
 * here, but the checksum covers it: a record that turns up under another id is
 * as wrong as one with a flipped bit. LMDB has no checksums of its own.
 *
 * A program that does not know of fates takes an amended record for damage; so
 * that it does not come that far, the journal's version tells it (amend.c).
 *
 * The checksum stands first so that what it covers is in one piece: it is a third
 * of the CPU time of writing an event, and pieces cost more.
 */
#include "record.h"

#include "little_endian.h"

#include <tidings/check.h>

#include <zlib.h>

#define VERSION   1
#define CRC_BYTES 4
#define PAGE      4096u
#define NODE_MAX  2038u /* LMDB puts larger nodes on pages of their own */
#define NODE_HEAD 18u   /* node header, key, slot in the page */

static uint32_t checksum(uint64_t id, const unsigned char *bytes, size_t length)
{
    unsigned char key[8];

    put_u64(key, id);
    return (uint32_t)crc32_z(crc32_z(0, key, sizeof key), bytes, length);
}

void record_encode(void *at, uint64_t id, const struct record *record)
{
    const size_t length = record_bytes(record);
    unsigned char *head = at;
    unsigned char *body =
        head + length - record->type.length - record->data.length;

    CHECK(record->type.length <= UINT8_MAX);
    CHECK((record->fate == RECORD_PUBLISHED) == (record->amended_by == 0));
    head[4] = (unsigned char)(VERSION << 4 | record->fate);
    head[5] = (unsigned char)record->type.length;
    put_u32(head + 6, record->channel);
    put_u64(head + 10, record->previous_id);
    put_u64(head + 18, (uint64_t)record->time_ms);
    if (record->fate != RECORD_PUBLISHED)
        put_u64(head + RECORD_HEADER_BYTES, record->amended_by);
    if (record->type.length > 0)
        memcpy(body, record->type.bytes, record->type.length);
    if (record->data.length > 0)
        memcpy(body + record->type.length, record->data.bytes,
               record->data.length);

    put_u32(head, checksum(id, head + CRC_BYTES, length - CRC_BYTES));
}

/* What an amended record has besides; how long its header is. */
static enum status decode_fate(const unsigned char *head, size_t length,
                               struct record *record_out,
                               size_t *header_bytes_out)
{
    const unsigned fate = head[4] & 15;

    if (head[4] >> 4 != VERSION || fate >= RECORD_FATE_COUNT)
        return ST_CORRUPT;
    record_out->fate = (enum record_fate)fate;
    record_out->amended_by = 0;
    *header_bytes_out = RECORD_HEADER_BYTES;
    if (fate == RECORD_PUBLISHED)
        return ST_OK;
    *header_bytes_out += RECORD_AMENDED_BYTES;
    if (length < *header_bytes_out ||
        (fate == RECORD_WITHDRAWN && length > *header_bytes_out))
        return ST_CORRUPT;
    record_out->amended_by = get_u64(head + RECORD_HEADER_BYTES);
    return record_out->amended_by == 0 ? ST_CORRUPT : ST_OK;
}

enum status record_decode(const void *bytes, size_t length,
                          struct record *record_out)
{
    const unsigned char *head = bytes;
    const char *body;
    size_t header_bytes, type_bytes;

    if (length < RECORD_HEADER_BYTES ||
        decode_fate(head, length, record_out, &header_bytes) != ST_OK)
        return ST_CORRUPT;
    type_bytes = head[5];
    if (header_bytes + type_bytes > length)
        return ST_CORRUPT;
    body = (const char *)bytes + header_bytes;
    record_out->channel = get_u32(head + 6);
    record_out->previous_id = get_u64(head + 10);
    record_out->time_ms = (int64_t)get_u64(head + 18);
    record_out->type = (struct text){body, type_bytes};
    record_out->data =
        (struct text){body + type_bytes, length - header_bytes - type_bytes};
    return ST_OK;
}

bool record_is_intact(const void *bytes, size_t length, uint64_t id)
{
    const unsigned char *head = bytes;

    return get_u32(head) == checksum(id, head + CRC_BYTES, length - CRC_BYTES);
}

uint64_t record_stored_bytes(size_t length)
{
    const uint64_t node = (uint64_t)length + NODE_HEAD;

    if (node <= NODE_MAX)
        return node;
    return (node + PAGE - 1) / PAGE * PAGE + NODE_HEAD + 8;
}
