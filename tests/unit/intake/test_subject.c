/* test_subject.c -- which channel a subject means, and where answers may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <intake/subject.h>

static void the_channel_is_what_follows_the_prefix(void **state)
{
    /* clang-format off */
    static const struct {
        const char *prefix, *subject, *channel;
    } row[] = {
        {"events",  "events.a",             "a"},
        {"events",  "events.user.42.inbox", "user.42.inbox"},
        {"events",  "events.events.a",      "events.a"},
        {"my.feed", "my.feed.A_b-9",        "A_b-9"},
    };
    /* clang-format on */

    (void)state;
    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct text channel;

        assert_int_equal(subject_channel(text_of(row[i].prefix),
                                         text_of(row[i].subject), &channel),
                         ST_OK);
        assert_true(text_is(channel, row[i].channel));
    }
}

static void what_instances_tell_each_other_is_known_by_its_subject(void **state)
{
    static const struct {
        const char *subject;
        bool is_inner;
    } row[] = {
        {"events.$tidings.epochs", true}, {"events.$tidings.later.a", true},
        {"events.$tidings", false},       {"events.$tidings.", false},
        {"events.$tidingsx.a", false},    {"events.tidings.a", false},
        {"eventsx.$tidings.a", false},    {"other.$tidings.epochs", false},
        {"events.a.$tidings.b", false},   {"", false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++)
        assert_true(
            subject_is_inner(text_of("events"), text_of(row[i].subject)) ==
            row[i].is_inner);
}

static void what_is_no_channel_is_refused(void **state)
{
    static const char *const row[] = {
        "",           "e",           "events",          "events.",
        "eventsx.a",  "events_a",    "other.a",         "events..a",
        "events.a.",  "events.a..b", "events.*",        "events.a.>",
        "events.$a",  "events.a b",  "events.a\r\nPUB", "events.\xc3\xa4",
        "events.a/b",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct text channel = {"untouched", 9};

        assert_int_equal(
            subject_channel(text_of("events"), text_of(row[i]), &channel),
            ST_BAD_INPUT);
        assert_true(text_is(channel, "untouched"));
    }
}

static void a_nul_does_not_end_the_check(void **state)
{
    struct text channel;

    (void)state;
    assert_int_equal(subject_channel(text_of("events"),
                                     (struct text){"events.a\0b", 10},
                                     &channel),
                     ST_BAD_INPUT);
}

static void a_channel_has_at_most_200_bytes(void **state)
{
    char subject[7 + 201];
    struct text channel;

    (void)state;
    memset(subject, 'x', sizeof subject);
    memcpy(subject, "events.", 7);
    assert_int_equal(subject_channel(text_of("events"),
                                     (struct text){subject, 207}, &channel),
                     ST_OK);
    assert_int_equal(subject_channel(text_of("events"),
                                     (struct text){subject, 208}, &channel),
                     ST_BAD_INPUT);
}

static void a_prefix_is_spelled_like_a_channel(void **state)
{
    (void)state;
    assert_true(subject_prefix_is_valid(text_of("events")));
    assert_true(subject_prefix_is_valid(text_of("my.feed")));
    assert_false(subject_prefix_is_valid(text_of("")));
    assert_false(subject_prefix_is_valid(text_of("events.")));
    assert_false(subject_prefix_is_valid(text_of("events.>")));
    assert_false(subject_prefix_is_valid(text_of("a b")));
}

static void answers_go_only_where_the_protocol_stays_whole(void **state)
{
    static const char *const good[] = {"_INBOX.a1B2.3", "a", "$JS.ACK.x",
                                       "a/b=c"};
    static const char *const bad[] = {"",     ".",   "a.",    ".a",
                                      "a..b", "a b", "a\r\n", "a\tb",
                                      "a.*",  "a.>", "\x7f",  "\xc3\xa4"};
    char big[1025];

    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(subject_is_publishable(text_of(good[i])));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(subject_is_publishable(text_of(bad[i])));
    memset(big, 'x', sizeof big);
    assert_true(subject_is_publishable((struct text){big, 1024}));
    assert_false(subject_is_publishable((struct text){big, 1025}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_channel_is_what_follows_the_prefix),
        cmocka_unit_test(
            what_instances_tell_each_other_is_known_by_its_subject),
        cmocka_unit_test(what_is_no_channel_is_refused),
        cmocka_unit_test(a_nul_does_not_end_the_check),
        cmocka_unit_test(a_channel_has_at_most_200_bytes),
        cmocka_unit_test(a_prefix_is_spelled_like_a_channel),
        cmocka_unit_test(answers_go_only_where_the_protocol_stays_whole),
    };

    return cmocka_run_group_tests_name("subject", tests, NULL, NULL);
}
