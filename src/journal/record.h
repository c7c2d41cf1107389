/* record.h -- an event as the journal stores it, under its id.
 *
 * Threads   Any: pure functions over bytes.
 * Memory    A decoded record looks into the bytes it came from.
 * Units     Bytes, wall milliseconds.
 * Errors    ST_CORRUPT the bytes have not the form of a record.
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include <tidings/event.h>
#include <tidings/status.h>

#include <stdbool.h>

#define RECORD_HEADER_BYTES  26
#define RECORD_AMENDED_BYTES 8 /* the header is longer, once amended */

/* clang-format off */
/*    name       what became of the event; the number is stored */
#define RECORD_FATES(F)                                                        \
    F(PUBLISHED, "type and data are its publisher's")                          \
    F(CORRECTED, "type and data are those of a correction")                    \
    F(WITHDRAWN, "nothing is left but its place in the chain")
/* clang-format on */

enum record_fate {
#define F(name, meaning) RECORD_##name,
    RECORD_FATES(F)
#undef F
        RECORD_FATE_COUNT
};

struct record {
    uint32_t channel;     /* its number in the registry */
    uint64_t previous_id; /* same channel; 0 = none */
    int64_t time_ms;
    struct text type, data; /* both empty if it is withdrawn */
    enum record_fate fate;
    uint64_t amended_by; /* the event that told so; 0 = as published */
};

static inline size_t record_bytes(const struct record *record)
{
    return RECORD_HEADER_BYTES +
           (record->fate != RECORD_PUBLISHED ? RECORD_AMENDED_BYTES : 0) +
           record->type.length + record->data.length;
}

/* Writes record_bytes() bytes. */
void record_encode(void *at, uint64_t id, const struct record *record);

/* Checks the form only, so that a scan touches nothing but the header. */
enum status record_decode(const void *bytes, size_t length,
                          struct record *record_out) MUST_USE;

/* Do id, header and body match the checksum? The form was checked. */
bool record_is_intact(const void *bytes, size_t length, uint64_t id);

/* What a value of so many bytes takes in the file, about. */
uint64_t record_stored_bytes(size_t length);

#endif
