/* test_message.c -- what becomes an event, and what is refused for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include <intake/message.h>
#include <tidings/check.h>

static const struct message_rules usual = {{"events", 6}, 1000, ENVELOPE_AUTO};

static natsMsg *make(const char *subject, struct text data)
{
    natsMsg *msg = NULL;

    CHECK(natsMsg_Create(&msg, subject, NULL, data.bytes, (int)data.length) ==
          NATS_OK);
    return msg;
}

static enum refusal try(const struct message_rules *rules, const char *subject,
                        struct text data, const char *header, const char *value,
                        struct event **event_out)
{
    natsMsg *msg = make(subject, data);
    enum refusal refusal;

    if (header != NULL)
        CHECK(natsMsgHeader_Set(msg, header, value) == NATS_OK);
    refusal = message_to_event(rules, msg, event_out);
    natsMsg_Destroy(msg);
    return refusal;
}

static void a_message_becomes_an_event(void **state)
{
    /* clang-format off */
    static const struct {
        enum envelope_mode envelope;
        const char *data, *header, *value;
        const char *type, *event_data, *key;
        int64_t time_ms;
    } row[] = {
        {ENVELOPE_AUTO,   "text",  NULL, NULL,                   "", "text", "", 0},
        {ENVELOPE_AUTO,   "",      NULL, NULL,                   "", "", "", 0},
        {ENVELOPE_AUTO,   "text",  "Event-Type", "t",            "t", "text", "", 0},
        {ENVELOPE_AUTO,   "text",  "Nats-Msg-Id", "k",           "", "text", "k", 0},
        {ENVELOPE_AUTO,   "text",  "Event-Time", "1400000000000", "", "text", "", 1400000000000},
        {ENVELOPE_AUTO,   "text",  "Other", "x",                 "", "text", "", 0},
        {ENVELOPE_AUTO,   "{\"type\":\"t\",\"data\":1}", NULL, NULL, "t", "1", "", 0},
        {ENVELOPE_AUTO,   "{\"type\":\"t\",\"data\":\"a\\nb\"}", NULL, NULL, "t", "a\nb", "", 0},
        {ENVELOPE_AUTO,   "{\"type\":\"t\",\"data\":1}", "Nats-Msg-Id", "k", "t", "1", "k", 0},
        {ENVELOPE_AUTO,   "{\"type\":\"t\",\"data\":1}", "Event-Type", "u", "u",
                          "{\"type\":\"t\",\"data\":1}", "", 0},
        {ENVELOPE_NEVER,  "{\"type\":\"t\",\"data\":1}", NULL, NULL, "",
                          "{\"type\":\"t\",\"data\":1}", "", 0},
        {ENVELOPE_ALWAYS, "{\"type\":\"t\",\"data\":1}", NULL, NULL, "t", "1", "", 0},
    };
    /* clang-format on */

    (void)state;
    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct message_rules rules = usual;
        struct event *event = NULL;

        rules.envelope = row[i].envelope;
        assert_int_equal(try(&rules, "events.a.b", text_of(row[i].data),
                             row[i].header, row[i].value, &event),
                         REFUSAL_NONE);
        assert_true(text_is(event_channel(event), "a.b"));
        assert_true(text_is(event_type(event), row[i].type));
        assert_true(text_is(event_data(event), row[i].event_data));
        assert_true(text_is(event_key(event), row[i].key));
        assert_int_equal(event->time_ms, row[i].time_ms);
        event_unref(&event);
    }
}

static void an_amendment_names_an_event(void **state)
{
    /* clang-format off */
    static const struct {
        const char *data, *header;
        enum amendment_kind kind;
        bool has_type;
        const char *type, *event_data;
    } row[] = {
        {"text", "Corrects", AMENDMENT_CORRECTION, false, "", "text"},
        {"",     "Corrects", AMENDMENT_CORRECTION, false, "", ""},
        {"{\"type\":\"t\",\"data\":1}", "Corrects", AMENDMENT_CORRECTION, true, "t", "1"},
        {"{\"type\":\"\",\"data\":\"\"}", "Corrects", AMENDMENT_CORRECTION, true, "", ""},
        {"{\"type\":\"t\"}", "Corrects", AMENDMENT_CORRECTION, false, "", "{\"type\":\"t\"}"},
        {"\xff",  "Withdraws", AMENDMENT_WITHDRAWAL, true, "", ""},
    };
    /* clang-format on */

    (void)state;
    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct event *event = NULL;

        assert_int_equal(try(&usual, "events.a", text_of(row[i].data),
                             row[i].header, "1844674407370955", &event),
                         REFUSAL_NONE);
        assert_non_null(event->amends);
        assert_int_equal(event->amends->kind, row[i].kind);
        assert_true(event->amends->id == UINT64_C(1844674407370955));
        assert_int_equal(event->amends->has_type, row[i].has_type);
        assert_true(text_is(event_type(event), row[i].type));
        assert_true(text_is(event_data(event), row[i].event_data));
        event_unref(&event);
    }
}

static void what_is_wrong_has_a_name(void **state)
{
    /* clang-format off */
    static const struct {
        enum refusal refusal;
        const char *subject, *data, *header, *value;
    } row[] = {
        {REFUSAL_BAD_CHANNEL,   "events.a$b", "x",        NULL, NULL},
        {REFUSAL_BAD_CHANNEL,   "events",     "x",        NULL, NULL},
        {REFUSAL_NOT_UTF8,      "events.a",   "\xff",     NULL, NULL},
        {REFUSAL_NOT_UTF8,      "events.a",   "\xed\xa0\x80", NULL, NULL},
        {REFUSAL_NOT_UTF8,      "events.a",   "\xff",     "Event-Type", "t"},
        {REFUSAL_BAD_TYPE,      "events.a",   "x",        "Event-Type", "\xff"},
        {REFUSAL_BAD_TYPE,      "events.a",   "x",        "Event-Type", "a\x01" "b"},
        {REFUSAL_RESERVED_TYPE, "events.a",   "x",        "Event-Type", "tidings.gap"},
        {REFUSAL_RESERVED_TYPE, "events.a",   "{\"type\":\"tidings.gap\",\"data\":1}", NULL, NULL},
        {REFUSAL_BAD_TIME,      "events.a",   "x",        "Event-Time", "soon"},
        {REFUSAL_BAD_TIME,      "events.a",   "x",        "Event-Time", "-1"},
        {REFUSAL_BAD_TIME,      "events.a",   "x",        "Event-Time", "9999999999999999"},
        {REFUSAL_BAD_ID,        "events.a",   "x",        "Corrects", "soon"},
        {REFUSAL_BAD_ID,        "events.a",   "x",        "Corrects", "12345678901234567"},
        {REFUSAL_BAD_ID,        "events.a",   "x",        "Withdraws", "1 2"},
    };
    /* clang-format on */

    (void)state;
    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct event *event = NULL;

        assert_int_equal(try(&usual, row[i].subject, text_of(row[i].data),
                             row[i].header, row[i].value, &event),
                         row[i].refusal);
        assert_null(event);
    }
}

static void always_an_envelope_means_always(void **state)
{
    struct message_rules rules = usual;
    struct event *event = NULL;

    (void)state;
    rules.envelope = ENVELOPE_ALWAYS;
    assert_int_equal(
        try(&rules, "events.a", text_of("text"), NULL, NULL, &event),
        REFUSAL_BAD_ENVELOPE);
    assert_null(event);
}

static void lengths_have_limits(void **state)
{
    char bytes[1001], type[130], key[258];
    struct event *event = NULL;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    memset(type, 't', sizeof type);
    memset(key, 'k', sizeof key);
    type[129] = key[257] = '\0';

    assert_int_equal(
        try(&usual, "events.a", (struct text){bytes, 1000}, NULL, NULL, &event),
        REFUSAL_NONE);
    event_unref(&event);
    assert_int_equal(
        try(&usual, "events.a", (struct text){bytes, 1001}, NULL, NULL, &event),
        REFUSAL_TOO_BIG);
    assert_int_equal(
        try(&usual, "events.a", text_of(""), "Event-Type", type, &event),
        REFUSAL_BAD_TYPE);
    assert_int_equal(
        try(&usual, "events.a", text_of(""), "Nats-Msg-Id", key, &event),
        REFUSAL_BAD_KEY);
    assert_null(event);
    key[256] = '\0';
    assert_int_equal(
        try(&usual, "events.a", text_of(""), "Nats-Msg-Id", key, &event),
        REFUSAL_NONE);
    assert_int_equal(event->key_bytes, 256);
    event_unref(&event);
}

static void each_refusal_can_end_a_subject(void **state)
{
    (void)state;
    for (int i = REFUSAL_NONE; i <= REFUSAL_FAILED; i++) {
        const char *code = refusal_code((enum refusal)i);

        assert_true(channel_name_is_valid(text_of(code)));
        assert_null(strpbrk(refusal_sentence((enum refusal)i), "\"\\"));
    }
}

static void the_journals_answers_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(refusal_of_post(ST_OK), REFUSAL_NONE);
    assert_int_equal(refusal_of_post(ST_FULL), REFUSAL_OVERLOADED);
    assert_int_equal(refusal_of_post(ST_CLOSED), REFUSAL_STOPPING);
    assert_int_equal(refusal_of_result(ST_OK), REFUSAL_NONE);
    assert_int_equal(refusal_of_result(ST_FULL), REFUSAL_TOO_MANY_CHANNELS);
    assert_int_equal(refusal_of_result(ST_NO_SPACE), REFUSAL_NO_SPACE);
    assert_int_equal(refusal_of_result(ST_CLOSED), REFUSAL_STOPPING);
    assert_int_equal(refusal_of_result(ST_IO), REFUSAL_FAILED);
}

static int open_library(void **state)
{
    (void)state;
    return nats_Open(-1) == NATS_OK ? 0 : -1;
}

static int close_library(void **state)
{
    (void)state;
    nats_Close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_becomes_an_event),
        cmocka_unit_test(an_amendment_names_an_event),
        cmocka_unit_test(what_is_wrong_has_a_name),
        cmocka_unit_test(always_an_envelope_means_always),
        cmocka_unit_test(lengths_have_limits),
        cmocka_unit_test(each_refusal_can_end_a_subject),
        cmocka_unit_test(the_journals_answers_are_told_apart),
    };

    return cmocka_run_group_tests_name("message", tests, open_library,
                                       close_library);
}
