/* test_session_message.c -- texts about sessions, made and read. */
#include "intake/session_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct session_message parsed(const char *text)
{
    struct session_message message;

    assert_int_equal(session_message_parse(text_of(text), &message), ST_OK);
    return message;
}

static void what_is_printed_is_read_again(void **state)
{
    struct session_message message = {
        .state = {7, 12, 14, 1700000000000, false},
        .by = UINT64_C(0xfedcba9876543210)};
    struct session_message again;
    struct buffer text;

    (void)state;
    buffer_init(&text);
    session_name_set(&message.name, text_of("Aa0._~-"));
    for (int removed = 0; removed < 2; removed++) {
        message.state.is_removed = message.state.is_anew = removed != 0;
        text.length = 0;
        session_message_print(&message, &text);
        assert_int_equal(session_message_parse(buffer_text(&text), &again),
                         ST_OK);
        assert_true(text_is(session_name_text(&again.name), "Aa0._~-"));
        assert_int_equal(again.state.born, 7);
        assert_int_equal(again.state.acked, 12);
        assert_int_equal(again.state.sent, 14);
        assert_int_equal(again.state.touched_ms, 1700000000000);
        assert_true(again.state.is_removed == (removed != 0));
        assert_true(again.state.is_anew == (removed != 0));
        assert_true(again.by == message.by);
    }
    buffer_fini(&text);
}

static void what_nobody_can_have_written_is_not_plausible(void **state)
{
    enum { WALL_MS = 1700000000, DAY_MS = 86400000 };
    static const struct {
        struct session_state state;
        bool is_plausible;
    } row[] = {
        {{7, 12, 14, WALL_MS, false, false}, true},
        {{7, 99, 99, WALL_MS + DAY_MS, false, false}, true},
        {{7, 99, 99, WALL_MS + DAY_MS + 1, false, false}, false},
        {{7, 12, 100, WALL_MS, false, false}, false}, /* the message itself */
        {{7, 12, 101, WALL_MS, false, false}, false},
        {{7, 13, 12, WALL_MS, false, false}, false},
        {{7, 101, 101, WALL_MS, true, false}, false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        const struct session_message message = {.state = row[i].state};

        assert_true(session_message_is_plausible(&message, 100, WALL_MS) ==
                    row[i].is_plausible);
    }
}

#define REST ",\"used\":1,\"by\":\"0123456789abcdef\"}"

static void what_is_not_of_the_form_is_none(void **state)
{
    static const char *const cases[] = {
        "",
        "{}",
        "[1]",
        "{\"session\":\"s\"}",
        "{\"session\":\"s\",\"born\":0,\"acked\":1,\"sent\":1" REST,
        "{\"session\":\"a b\",\"born\":1,\"acked\":1,\"sent\":1" REST,
        "{\"session\":\"\",\"born\":1,\"acked\":1,\"sent\":1" REST,
        "{\"session\":1,\"born\":1,\"acked\":1,\"sent\":1" REST,
        "{\"session\":\"s\",\"born\":1,\"acked\":-1,\"sent\":1" REST,
        "{\"session\":\"s\",\"born\":1,\"acked\":1.5,\"sent\":1" REST,
        "{\"session\":\"s\",\"born\":1,\"acked\":9007199254740992,"
        "\"sent\":1" REST,
        "{\"session\":\"s\",\"born\":1,\"acked\":1,\"sent\":1,\"more\":1" REST,
        "{\"session\":\"s\",\"born\":1,\"acked\":1,\"sent\":1,"
        "\"removed\":false" REST,
        "{\"session\":\"s\",\"born\":1,\"acked\":1,\"sent\":1,\"used\":1,"
        "\"by\":\"0123456789ABCDEF\"}",
        "{\"session\":\"s\",\"born\":1,\"acked\":1,\"sent\":1,\"used\":1,"
        "\"by\":\"123\"}",
    };
    struct session_message message;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (session_message_parse(text_of(cases[i]), &message) != ST_BAD_INPUT)
            fail_msg("%s", cases[i]);
    assert_int_equal(
        parsed("{\"session\":\"s\",\"born\":1,\"acked\":2,\"sent\":3" REST)
            .state.sent,
        3);
}

static void a_subject_is_of_one_name(void **state)
{
    const struct text prefix = text_of("events");
    struct buffer subject;

    (void)state;
    buffer_init(&subject);
    session_subject_append(prefix, text_of("s"), &subject);
    assert_string_equal(
        subject.bytes,
        "events.$tidings.sessions.043a718774c572bd8a25adbeb1bfcd5c"
        "0256ae11cecf9f9c3f925d0e52beaf89");
    assert_true(session_subject_is(prefix, buffer_text(&subject)));
    assert_true(
        session_subject_fits(prefix, buffer_text(&subject), text_of("s")));
    assert_false(
        session_subject_fits(prefix, buffer_text(&subject), text_of("t")));
    assert_false(session_subject_is(prefix, text_of("events.news")));
    assert_false(session_subject_is(text_of("other"), buffer_text(&subject)));
    subject.length--;
    assert_false(session_subject_is(prefix, buffer_text(&subject)));
    buffer_fini(&subject);
}

static void patterns_cover_all_sessions_or_none(void **state)
{
    static const struct {
        const char *pattern;
        bool covers;
    } cases[] = {
        {"events.>", true},
        {">", true},
        {"events.$tidings.>", true},
        {"events.$tidings.sessions.*", true},
        {"*.*.*.*", true},
        {"events.*", false},
        {"events.*.*", false},
        {"events.*.*.*.*", false},
        {"events.news", false},
        {"other.>", false},
        {"events.$tidings.epochs", false},
        {"events.$tidings.sessions", false},
        {"events.$tidings.sessions.0", false},
        {"events.$tidings.sessions.*.>", false},
        {"", false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (session_subject_is_covered(text_of("events"), &cases[i].pattern,
                                       1) != cases[i].covers)
            fail_msg("%s", cases[i].pattern);
    assert_false(session_subject_is_covered(text_of("events"), NULL, 0));
}

static void the_servers_newest_message_is_read(void **state)
{
    uint64_t sequence = 0;
    struct buffer data;

    (void)state;
    buffer_init(&data);
    assert_int_equal(
        session_stored_parse(
            text_of("{\"type\":\"io.nats.jetstream.api.v1.stream_msg_get_"
                    "response\",\"message\":{\"subject\":\"x\",\"seq\":42,"
                    "\"data\":\"eyJhIjoiPz8+In0=\",\"time\":\"2026\"}}"),
            &sequence, &data),
        ST_OK);
    assert_int_equal(sequence, 42);
    assert_true(text_is(buffer_text(&data), "{\"a\":\"?\?>\"}"));
    assert_int_equal(
        session_stored_parse(
            text_of("{\"error\":{\"code\":404,\"err_code\":10037}}"), &sequence,
            &data),
        ST_NOT_FOUND);
    assert_int_equal(session_stored_parse(text_of("{\"error\":{\"code\":503}}"),
                                          &sequence, &data),
                     ST_BUSY);
    assert_int_equal(session_stored_parse(text_of("{\"message\":{\"seq\":1,"
                                                  "\"data\":\"*\"}}"),
                                          &sequence, &data),
                     ST_BUSY);
    assert_int_equal(session_stored_parse(text_of(""), &sequence, &data),
                     ST_BUSY);
    assert_int_equal(sequence, 42);
    buffer_fini(&data);
}

static void the_servers_acknowledgement_is_read(void **state)
{
    uint64_t sequence = 0;

    (void)state;
    assert_int_equal(
        session_ack_parse(text_of("{\"stream\":\"S\",\"seq\":7}"), &sequence),
        ST_OK);
    assert_int_equal(sequence, 7);
    assert_int_equal(
        session_ack_parse(text_of("{\"error\":{\"code\":400,\"err_code\":"
                                  "10071},\"stream\":\"S\",\"seq\":0}"),
                          &sequence),
        ST_RESERVED);
    assert_int_equal(
        session_ack_parse(text_of("{\"error\":{\"code\":400,\"err_code\":"
                                  "10164}}"),
                          &sequence),
        ST_RESERVED);
    assert_int_equal(
        session_ack_parse(text_of("{\"error\":{\"code\":503,\"err_code\":"
                                  "10077},\"stream\":\"S\",\"seq\":0}"),
                          &sequence),
        ST_BUSY);
    assert_int_equal(session_ack_parse(text_of("{}"), &sequence), ST_BUSY);
    assert_int_equal(session_ack_parse(text_of("-ERR"), &sequence), ST_BUSY);
    assert_int_equal(sequence, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_read_again),
        cmocka_unit_test(what_is_not_of_the_form_is_none),
        cmocka_unit_test(what_nobody_can_have_written_is_not_plausible),
        cmocka_unit_test(a_subject_is_of_one_name),
        cmocka_unit_test(patterns_cover_all_sessions_or_none),
        cmocka_unit_test(the_servers_newest_message_is_read),
        cmocka_unit_test(the_servers_acknowledgement_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
