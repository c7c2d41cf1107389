/* record.c -- the stored form of an event.
 *
 *   offset  bytes  what
 *        0      1  version in the upper four bits, flags (none yet) below
 *        1      1  length of the type
 *        2      4  number of the channel
 *        6      8  id of the previous event of the same channel, 0 = none
 *       14      8  time, unix milliseconds
 *       22      4  CRC-32 of the id, the 22 bytes above, and the body
 *       26         type, then data up to the end
 *
 * Numbers are little endian. The id is the key of the table and not repeated
 * here, but the checksum covers it: a record that turns up under another id is
 * as wrong as one with a flipped bit. LMDB has no checksums of its own.
 */
#include "record.h"

#include "little_endian.h"

#include <tidings/check.h>

#include <zlib.h>

#define VERSION   1
#define CRC_AT    22
#define PAGE      4096u
#define NODE_MAX  2038u /* LMDB puts larger nodes on pages of their own */
#define NODE_HEAD 18u   /* node header, key, slot in the page */

void record_encode(void *at, uint64_t id, const struct record *record)
{
    unsigned char *head = at;
    unsigned char *body = head + RECORD_HEADER_BYTES;
    const size_t body_bytes = record->type.length + record->data.length;
    unsigned char key[8];
    uLong crc;

    CHECK(record->type.length <= UINT8_MAX);
    head[0] = VERSION << 4;
    head[1] = (unsigned char)record->type.length;
    put_u32(head + 2, record->channel);
    put_u64(head + 6, record->previous_id);
    put_u64(head + 14, (uint64_t)record->time_ms);
    if (record->type.length > 0)
        memcpy(body, record->type.bytes, record->type.length);
    if (record->data.length > 0)
        memcpy(body + record->type.length, record->data.bytes,
               record->data.length);

    put_u64(key, id);
    crc = crc32(0, key, sizeof key);
    crc = crc32(crc, head, CRC_AT);
    crc = crc32_z(crc, body, body_bytes);
    put_u32(head + CRC_AT, (uint32_t)crc);
}

enum status record_decode(const void *bytes, size_t length,
                          struct record *record_out)
{
    const unsigned char *head = bytes;
    const char *body = (const char *)bytes + RECORD_HEADER_BYTES;
    size_t type_bytes;

    if (length < RECORD_HEADER_BYTES || head[0] != VERSION << 4)
        return ST_CORRUPT;
    type_bytes = head[1];
    if (RECORD_HEADER_BYTES + type_bytes > length)
        return ST_CORRUPT;
    record_out->channel = get_u32(head + 2);
    record_out->previous_id = get_u64(head + 6);
    record_out->time_ms = (int64_t)get_u64(head + 14);
    record_out->type = (struct text){body, type_bytes};
    record_out->data = (struct text){body + type_bytes,
                                     length - RECORD_HEADER_BYTES - type_bytes};
    return ST_OK;
}

bool record_is_intact(const void *bytes, size_t length, uint64_t id)
{
    const unsigned char *head = bytes;
    unsigned char key[8];
    uLong crc;

    put_u64(key, id);
    crc = crc32(0, key, sizeof key);
    crc = crc32(crc, head, CRC_AT);
    crc =
        crc32_z(crc, head + RECORD_HEADER_BYTES, length - RECORD_HEADER_BYTES);
    return get_u32(head + CRC_AT) == (uint32_t)crc;
}

uint64_t record_stored_bytes(size_t length)
{
    const uint64_t node = (uint64_t)length + NODE_HEAD;

    if (node <= NODE_MAX)
        return node;
    return (node + PAGE - 1) / PAGE * PAGE + NODE_HEAD + 8;
}
