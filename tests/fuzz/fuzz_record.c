/* fuzz_record.c -- stored bytes: whatever a disk gives back, nothing is
 * trusted.
 *
 * What decodes lies inside the input, takes all of it, and is encoded to the
 * same bytes again if its checksum is right. The first byte of the input says
 * which kind it is, the rest is the record or row.
 */
#include "fuzz.h"

#include "journal/channel_row.h"
#include "journal/record.h"

#include <stdlib.h>
#include <string.h>

#define SOME_ID UINT64_C(1844674407370955)

static void check_record(const uint8_t *bytes, size_t length)
{
    const struct text whole = text_of_input(bytes, length);
    struct record record;
    unsigned char *again;

    if (record_decode(bytes, length, &record) != ST_OK)
        return;
    CHECK(lies_inside(record.type, whole) && lies_inside(record.data, whole));
    CHECK(record_bytes(&record) == length);
    CHECK(record_stored_bytes(length) > length);

    again = must_malloc(length);
    record_encode(again, SOME_ID, &record);
    CHECK(record_is_intact(again, length, SOME_ID));
    if (record_is_intact(bytes, length, SOME_ID))
        CHECK(memcmp(again, bytes, length) == 0);
    free(again);
}

static void check_row(const uint8_t *bytes, size_t length)
{
    unsigned char *again;
    struct channel_row row, back;

    if (channel_row_decode(bytes, length, &row) != ST_OK)
        return;
    CHECK(lies_inside(row.name, text_of_input(bytes, length)));
    again = must_malloc(length);
    channel_row_encode(again, &row);
    CHECK(channel_row_decode(again, length, &back) == ST_OK);
    CHECK(text_equals(back.name, row.name) && back.upto == row.upto);
    CHECK(back.figures.count == row.figures.count);
    CHECK(back.figures.last_id == row.figures.last_id);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'c')
        check_row(data + 1, size - 1);
    else
        check_record(data + 1, size - 1);
    return 0;
}
