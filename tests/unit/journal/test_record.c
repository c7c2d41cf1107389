/* test_record.c -- the stored form: what goes in comes out, damage is seen. */
#include "workbench.h"

#include "journal/channel_row.h"
#include "journal/record.h"

#include <string.h>

static const struct record published = {
    .channel = 0x01020304,
    .previous_id = UINT64_C(0x1122334455667788),
    .time_ms = INT64_C(1700000000123),
    .type = {"cheese", 6},
    .data = {"{\"pieces\":92}", 13},
};
static const struct record corrected = {
    .channel = 0x01020304,
    .previous_id = UINT64_C(0x1122334455667788),
    .time_ms = INT64_C(1700000000123),
    .type = {"cheese", 6},
    .data = {"{}", 2},
    .fate = RECORD_CORRECTED,
    .amended_by = 77,
};
static const struct record withdrawn = {
    .channel = 7,
    .previous_id = 3,
    .time_ms = INT64_C(1700000000123),
    .fate = RECORD_WITHDRAWN,
    .amended_by = 78,
};

static size_t encode(unsigned char *bytes, uint64_t id)
{
    record_encode(bytes, id, &published);
    return record_bytes(&published);
}

static void what_goes_in_comes_out(void **state)
{
    unsigned char bytes[100];
    const size_t length = encode(bytes, 5);
    struct record record;

    (void)state;
    assert_int_equal(record_decode(bytes, length, &record), ST_OK);
    assert_true(record_is_intact(bytes, length, 5));
    assert_int_equal(record.channel, 0x01020304);
    assert_true(record.previous_id == UINT64_C(0x1122334455667788));
    assert_true(record.time_ms == INT64_C(1700000000123));
    assert_true(text_is(record.type, "cheese"));
    assert_true(text_is(record.data, "{\"pieces\":92}"));
}

static void the_form_is_the_same_on_every_machine(void **state)
{
    static const unsigned char head[22] = {
        0x10, 6,    0x04, 0x03, 0x02, 0x01, 0x88, 0x77, 0x66, 0x55, 0x44,
        0x33, 0x22, 0x11, 0x7b, 0x68, 0xe5, 0xcf, 0x8b, 0x01, 0x00, 0x00};
    unsigned char bytes[100];

    (void)state;
    encode(bytes, 5);
    assert_memory_equal(bytes + 4, head, sizeof head);
}

static void what_was_amended_comes_out(void **state)
{
    static const struct record *const records[] = {&corrected, &withdrawn};
    unsigned char bytes[100];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        const size_t length = record_bytes(records[i]);
        struct record record;

        record_encode(bytes, 5, records[i]);
        assert_int_equal(record_decode(bytes, length, &record), ST_OK);
        assert_true(record_is_intact(bytes, length, 5));
        assert_int_equal(record.fate, records[i]->fate);
        assert_int_equal(record.amended_by, records[i]->amended_by);
        assert_int_equal(record.previous_id, records[i]->previous_id);
        assert_true(text_equals(record.type, records[i]->type));
        assert_true(text_equals(record.data, records[i]->data));
    }
}

/* Byte 4: the version in the upper half, the fate in the lower. */
static void what_no_record_can_be_is_refused(void **state)
{
    unsigned char bytes[100];
    struct record record;
    size_t length;

    (void)state;
    length = record_bytes(&withdrawn);
    record_encode(bytes, 5, &withdrawn);
    assert_int_equal(record_decode(bytes, length - 1, &record), ST_CORRUPT);
    assert_int_equal(record_decode(bytes, length + 1, &record), ST_CORRUPT);
    bytes[RECORD_HEADER_BYTES] = 0; /* amended by nobody */
    assert_int_equal(record_decode(bytes, length, &record), ST_CORRUPT);

    length = encode(bytes, 5);
    bytes[4] = 0x13; /* a fate that there is not */
    assert_int_equal(record_decode(bytes, length, &record), ST_CORRUPT);
    bytes[4] = 0x20; /* a version that there is not */
    assert_int_equal(record_decode(bytes, length, &record), ST_CORRUPT);
}

static void assert_no_bit_can_be_flipped(unsigned char *bytes, size_t length)
{
    for (size_t bit = 0; bit < length * 8; bit++) {
        struct record record;

        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (record_decode(bytes, length, &record) == ST_OK)
            assert_false(record_is_intact(bytes, length, 5));
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void every_flipped_bit_is_seen(void **state)
{
    unsigned char bytes[100];
    size_t length = record_bytes(&corrected);

    (void)state;
    record_encode(bytes, 5, &corrected);
    assert_no_bit_can_be_flipped(bytes, length);
    length = encode(bytes, 5);
    assert_no_bit_can_be_flipped(bytes, length);
    assert_false(record_is_intact(bytes, length, 6));
    assert_false(record_is_intact(bytes, length - 1, 5));
}

static void what_is_too_short_is_refused(void **state)
{
    unsigned char bytes[100];
    struct record record;

    (void)state;
    encode(bytes, 5);
    for (size_t length = 0; length < RECORD_HEADER_BYTES + 6; length++)
        assert_int_equal(record_decode(bytes, length, &record), ST_CORRUPT);
}

static void rows_come_back(void **state)
{
    const struct channel_row row = {
        {11, 99, 10, 1234, 5, 600}, 100, {"cheese", 6}};
    struct channel_row back;
    unsigned char bytes[CHANNEL_ROW_BYTES + 6];

    (void)state;
    channel_row_encode(bytes, &row);
    assert_int_equal(channel_row_decode(bytes, sizeof bytes, &back), ST_OK);
    assert_int_equal(back.figures.first_id, 0); /* trimmed + 1: not certain */
    assert_int_equal(figures_first(&back.figures), 11);
    assert_int_equal(back.figures.last_id, 99);
    assert_int_equal(back.figures.trimmed_ms, 1234);
    assert_int_equal(back.figures.count, 5);
    assert_int_equal(back.figures.bytes, 600);
    assert_int_equal(back.upto, 100);
    assert_true(text_is(back.name, "cheese"));
    assert_int_equal(channel_row_decode(bytes, CHANNEL_ROW_BYTES, &back),
                     ST_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(the_form_is_the_same_on_every_machine),
        cmocka_unit_test(what_was_amended_comes_out),
        cmocka_unit_test(what_no_record_can_be_is_refused),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(what_is_too_short_is_refused),
        cmocka_unit_test(rows_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
