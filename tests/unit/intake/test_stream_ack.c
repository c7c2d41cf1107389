/* test_stream_ack.c -- what a stream's answer means, and whose it is. */
#include "intake/stream_ack.h"
#include "intake/stream_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *payload;
    enum status st;
    uint64_t sequence;
    bool is_duplicate;
} rows[] = {
    {"{\"stream\":\"EVENTS\", \"seq\":12}", ST_OK, 12, false},
    {"{\"stream\":\"E\",\"domain\":\"hub\",\"seq\":7,\"duplicate\": true}",
     ST_OK, 7, true},
    {"{\"seq\":7,\"duplicate\":false,\"later\":{\"seq\":9}}", ST_OK, 7, false},
    {"{\"error\":{\"code\":400,\"err_code\":10054,\"description\":\"too "
     "big\"},\"stream\":\"E\",\"seq\":0}",
     ST_TOO_BIG, 0, false},
    {"{\"error\":{\"code\":503,\"err_code\":10077},\"seq\":3}", ST_BUSY, 0,
     false},
    {"{\"seq\":3,\"error\":{\"err_code\":\"10054\"}}", ST_BUSY, 0, false},
    {"{\"error\":\"no\",\"seq\":3}", ST_BUSY, 0, false},
    {"{\"error\":{},\"seq\":3}", ST_BUSY, 0, false},
    {"{\"stream\":\"E\",\"seq\":0}", ST_TIMEOUT, 0, false},
    {"{\"stream\":\"E\",\"seq\":-1}", ST_TIMEOUT, 0, false},
    {"{\"stream\":\"E\",\"seq\":99999999999999999999}", ST_TIMEOUT, 0, false},
    {"{\"stream\":\"E\",\"duplicate\":true}", ST_TIMEOUT, 0, false},
    {"{\"stream\":\"E\",\"seq\":12", ST_TIMEOUT, 0, false},
    {"[12]", ST_TIMEOUT, 0, false},
    {"+OK", ST_TIMEOUT, 0, false},
    {"", ST_TIMEOUT, 0, false},
};

static void an_answer_is_taken_only_for_what_it_says(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stream_ack ack;

        stream_ack_parse(text_of(rows[i].payload), &ack);
        assert_int_equal(ack.st, rows[i].st);
        assert_int_equal(ack.sequence, rows[i].sequence);
        assert_int_equal(ack.is_duplicate, rows[i].is_duplicate);
    }
}

static void a_ticket_is_read_whole_or_not_at_all(void **state)
{
    static const char *const bad[] = {
        "",      "1",    "1.",          ".1",  "1.0",
        "1.2.3", "1.2 ", "100000000.1", "1.g", "1.100000000"};
    struct ticket ticket = {0, 0};

    (void)state;
    assert_true(stream_ticket_parse(text_of("1f.ffffffff"), &ticket));
    assert_int_equal(ticket.slot, 31);
    assert_int_equal(ticket.serial, UINT32_MAX);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(stream_ticket_parse(text_of(bad[i]), &ticket));
}

static void a_mark_is_of_one_process(void **state)
{
    struct ticket ticket = {0, 0};

    (void)state;
    assert_true(stream_mark_parse(text_of("abc.2.3"), 0xabc, &ticket));
    assert_int_equal(ticket.slot, 2);
    assert_int_equal(ticket.serial, 3);
    assert_false(stream_mark_parse(text_of("abd.2.3"), 0xabc, &ticket));
    assert_false(stream_mark_parse(text_of("2.3"), 0xabc, &ticket));
    assert_false(stream_mark_parse(text_of(""), 0, &ticket));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_only_for_what_it_says),
        cmocka_unit_test(a_ticket_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_mark_is_of_one_process),
    };

    return cmocka_run_group_tests_name("stream_ack", tests, NULL, NULL);
}
