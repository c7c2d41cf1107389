/* test_stream_ids.c -- what every instance must compute alike. */
#include "intake/stream_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static void ids_are_base_and_sequence(void **state)
{
    struct stream_position at = {0};

    (void)state;
    assert_int_equal(stream_id(&at, 1), 0); /* of no epoch */
    stream_begin_epoch(&at, 1, stream_base(1795849643 * SECOND + 5));
    assert_int_equal(stream_id(&at, 7), (UINT64_C(1795849643) << 20) + 7);
    assert_true(stream_id(&at, 7) > UINT64_C(100000000000000));
    assert_int_equal(stream_id(&at, STREAM_ID_MAX), 0); /* beyond 2^53 */
    assert_int_equal(stream_base(0), 0);
}

static void a_later_epoch_counts_from_its_sequence_on(void **state)
{
    struct stream_position at = {0};

    (void)state;
    stream_begin_epoch(&at, 1, 1000);
    stream_begin_epoch(&at, 5, 9000);
    assert_int_equal(stream_id(&at, 4), 1004);
    assert_int_equal(stream_id(&at, 5), 9005);
    stream_begin_epoch(&at, 5, 9000);
    assert_int_equal(at.epoch_count, 2);
    stream_begin_epoch(&at, 3, 20000); /* rewound to before it */
    assert_int_equal(at.epoch_count, 2);
    assert_int_equal(stream_id(&at, 2), 1002);
    assert_int_equal(stream_id(&at, 5), 20005);
    for (unsigned i = 0; i < 2 * STREAM_EPOCHS_MAX; i++)
        stream_begin_epoch(&at, 10 + i, 30000 + 100 * i);
    assert_int_equal(at.epoch_count, STREAM_EPOCHS_MAX);
}

static void the_next_epoch_is_above_all_that_are_known(void **state)
{
    struct stream_position at = {0};

    (void)state;
    stream_begin_epoch(&at, 1, stream_base(100 * SECOND));
    assert_int_equal(stream_next_base(&at, 200 * SECOND),
                     stream_base(200 * SECOND));
    assert_int_equal(stream_next_base(&at, 100 * SECOND + 7),
                     stream_base(101 * SECOND)); /* in the same second */
}

static void times_never_decrease(void **state)
{
    (void)state;
    assert_int_equal(stream_event_ms(0, 5000 * SECOND / 1000, 10), 5000);
    assert_int_equal(stream_event_ms(0, 5000 * SECOND / 1000, 6000), 6000);
    assert_int_equal(stream_event_ms(5500, 5000 * SECOND / 1000, 10), 5500);
    assert_int_equal(stream_event_ms(6001, 5000 * SECOND / 1000, 10), 5000);
    assert_int_equal(stream_event_ms(9, 5000 * SECOND / 1000, 10), 5000);
}

static void a_row_comes_back_as_it_was(void **state)
{
    struct stream_position at = {.created_ns = 12345678901234567,
                                 .sequence = 77,
                                 .message_ns = 22345678901234567,
                                 .hash = 42,
                                 .event_ms = 9,
                                 .rewinds = 1},
                           back;
    unsigned char row[STREAM_ROW_MAX];
    unsigned bytes;

    (void)state;
    stream_begin_epoch(&at, 1, 100);
    stream_begin_epoch(&at, 50, 5000);
    bytes = stream_position_encode(&at, row);
    assert_int_equal(stream_position_decode(row, bytes, &back), ST_OK);
    assert_true(stream_position_equals(&at, &back));
    back.epochs[STREAM_EPOCHS_MAX - 1].base++; /* of no epoch: not stored */
    assert_true(stream_position_equals(&at, &back));
    back.sequence++;
    assert_false(stream_position_equals(&at, &back));
    for (unsigned i = 0; i < bytes; i++)
        assert_int_equal(stream_position_decode(row, i, &back), ST_CORRUPT);
    row[0]++;
    assert_int_equal(stream_position_decode(row, bytes, &back), ST_CORRUPT);
}

static void epochs_are_told_as_text(void **state)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "1:",
                                      ":5",
                                      "1:5 1:6",
                                      "1:5 2:5",
                                      "1:5 2:6 2:7",
                                      "x:1",
                                      "1:5  2:6",
                                      "-1:5",
                                      "1:99999999999999999999"};
    struct stream_position at = {0}, back = {0};
    char text[200];

    (void)state;
    stream_begin_epoch(&at, 1, 100);
    stream_begin_epoch(&at, 50, 5000);
    assert_int_equal(stream_epochs_print(&at, text, sizeof text), 13);
    assert_string_equal(text, "1:100 50:5000");
    assert_int_equal(stream_epochs_print(&at, text, 13), 0);
    assert_int_equal(stream_epochs_parse(text_of("1:100 50:5000"), &back),
                     ST_OK);
    assert_memory_equal(at.epochs, back.epochs, sizeof at.epochs);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(stream_epochs_parse(text_of(bad[i]), &back),
                         ST_BAD_INPUT);
}

static bool are_plausible(const char *text)
{
    struct stream_position told = {.created_ns = 1000 * SECOND + 5};

    assert_int_equal(stream_epochs_parse(text_of(text), &told), ST_OK);
    return stream_epochs_are_plausible(&told, 50, 2000 * SECOND);
}

static void epochs_that_cannot_be_are_not_believed(void **state)
{
    static const char *const bad[] = {
        "1:1047527424",               /* of a second before */
        "0:1048576000 2:1153433600",  /* no sequence */
        "2:1049624576",               /* who has read the first? */
        "2:1073741823",               /* there are not so many before */
        "1:1048576000 52:1153433600", /* not there yet */
        "1:1048576000 2:2224029696",  /* in 121 s */
        "1:1048576000 2:9007199254740991",
        "2:9007199254740991",
        "5:1 1000:1153433600"};
    struct stream_position none = {.created_ns = 1};

    (void)state;
    assert_true(are_plausible("1:1048576000"));
    assert_true(are_plausible("1:1048576000 51:1153433600"));
    assert_true(are_plausible("1:1048576000 2:2222981120"));
    assert_true(are_plausible("2:1073741824"));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(are_plausible(bad[i]));
    assert_false(stream_epochs_are_plausible(&none, 50, 2000 * SECOND));
}

static bool is_plausible(const char *text)
{
    struct stream_word word;

    assert_int_equal(stream_word_parse(text_of(text), &word), ST_OK);
    return stream_word_is_plausible(&word, 2000 * SECOND);
}

static void words_that_cannot_be_are_not_believed(void **state)
{
    static const char *const bad[] = {
        "7 001 1000000000005 9 2121000000000 3 1:1048576000",
        "7 001 1000000000005 9 9223372036854775807 3 1:1048576000",
        "7 001 1000000000005 9007199254740992 5 3 1:1048576000",
        "7 001 1000000000005 9 2000000000000 3 ",
        "7 001 1000000000005 9 2000000000000 3 1:1048576001",
        "7 001 9223372036854775807 9 2000000000000 3 1:1048576000"};

    (void)state;
    assert_true(is_plausible("7 100 0 0 0 0 "));
    assert_true(
        is_plausible("7 001 1000000000005 9 2120000000000 3 1:1048576000"));
    assert_true(is_plausible("7 001 1000000000005 0 0 0 1:1048576000"));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(is_plausible(bad[i]));
}

static void a_row_whose_ids_fall_is_refused(void **state)
{
    struct stream_position at = {.created_ns = 5,
                                 .sequence = 7,
                                 .epoch_count = 2,
                                 .epochs = {{1, 5}, {3, 9}}},
                           back;
    const struct stream_epoch bad[] = {
        {1, 9}, {3, 5}, {3, STREAM_ID_MAX - 6}, {3, UINT64_MAX}};
    unsigned char row[STREAM_ROW_MAX];
    unsigned bytes = stream_position_encode(&at, row);

    (void)state;
    assert_int_equal(stream_position_decode(row, bytes, &back), ST_OK);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        at.epochs[1] = bad[i];
        bytes = stream_position_encode(&at, row);
        assert_int_equal(stream_position_decode(row, bytes, &back), ST_CORRUPT);
    }
}

static void instances_tell_how_far_they_have_read(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "7 000 5 6 7",
                                      "7 00 5 6 7 8 ",
                                      "7 0002 5 6 7 8 ",
                                      "7 002 5 6 7 8 ",
                                      "-7 000 5 6 7 8 ",
                                      "7 000 99999999999999999999 6 7 8 ",
                                      "7 000 5 6 7 8 1:5 1:6"};
    struct stream_word word = {.boot = UINT64_MAX,
                               .asks = true,
                               .is_settled = true,
                               .position = {.created_ns = INT64_MAX,
                                            .sequence = UINT64_MAX,
                                            .message_ns = 6,
                                            .hash = UINT64_MAX}},
                       back;
    char text[STREAM_TEXT_MAX];
    unsigned length;

    (void)state;
    for (unsigned i = 0; i <= STREAM_EPOCHS_MAX; i++) {
        length = stream_word_print(&word, text, sizeof text);
        assert_int_equal(length, strlen(text));
        assert_int_equal(stream_word_parse(text_of(text), &back), ST_OK);
        assert_true(back.boot == word.boot && back.asks && back.is_settled &&
                    !back.leaves);
        assert_true(stream_position_equals(&back.position, &word.position));
        assert_int_equal(stream_word_print(&word, text, length), 0);
        stream_begin_epoch(&word.position, STREAM_ID_MAX - 100 + i,
                           STREAM_ID_MAX - 100 + i);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(stream_word_parse(text_of(bad[i]), &back),
                         ST_BAD_INPUT);
}

static void further_is_a_later_epoch_or_a_higher_sequence(void **state)
{
    struct stream_position here = {.sequence = 9, .message_ns = 1};
    struct stream_position there = here;

    (void)state;
    stream_begin_epoch(&here, 1, 100);
    assert_true(stream_is_further(&here, &there));
    stream_begin_epoch(&there, 1, 100);
    assert_false(stream_is_further(&there, &here));
    there.sequence++;
    assert_true(stream_is_further(&there, &here));
    here.message_ns = 0; /* has passed over that, and read nothing */
    here.sequence = there.sequence;
    assert_true(stream_is_further(&there, &here));
    here.sequence = there.sequence + 1;
    assert_false(stream_is_further(&here, &there));
    here.message_ns = 1;
    here.sequence = there.sequence;
    assert_false(stream_is_further(&there, &here));
    stream_begin_epoch(&here, 5, 5000);
    assert_true(stream_is_further(&here, &there));
    assert_false(stream_is_further(&there, &here));
}

static void a_reply_says_where_a_message_stands(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "$JS.ACK.S.C.1.2.3.4",
        "$JS.ACK.S.C.1.x.3.4.5",
        "$JS.ACK.S.C.1.99999999999999999999.3.4.5",
        "_INBOX.a.b.c.d.e.f.g.h"};
    struct stream_place place;

    (void)state;
    assert_int_equal(
        stream_place_parse(
            text_of("$JS.ACK.EVENTS.cons.1.20.3.1795849643081705930.4"),
            &place),
        ST_OK);
    assert_true(text_is(place.stream, "EVENTS"));
    assert_true(text_is(place.consumer, "cons"));
    assert_int_equal(place.sequence, 20);
    assert_int_equal(place.consumer_sequence, 3);
    assert_int_equal(place.message_ns, 1795849643081705930);
    assert_int_equal(place.left, 4);
    assert_int_equal(
        stream_place_parse(text_of("$JS.ACK.hub.hash.S.C.1.20.3.5.4.random"),
                           &place),
        ST_OK);
    assert_true(text_is(place.consumer, "C"));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(stream_place_parse(text_of(bad[i]), &place),
                         ST_BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_base_and_sequence),
        cmocka_unit_test(a_later_epoch_counts_from_its_sequence_on),
        cmocka_unit_test(the_next_epoch_is_above_all_that_are_known),
        cmocka_unit_test(times_never_decrease),
        cmocka_unit_test(a_row_comes_back_as_it_was),
        cmocka_unit_test(epochs_are_told_as_text),
        cmocka_unit_test(epochs_that_cannot_be_are_not_believed),
        cmocka_unit_test(words_that_cannot_be_are_not_believed),
        cmocka_unit_test(a_row_whose_ids_fall_is_refused),
        cmocka_unit_test(instances_tell_how_far_they_have_read),
        cmocka_unit_test(further_is_a_later_epoch_or_a_higher_sequence),
        cmocka_unit_test(a_reply_says_where_a_message_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
