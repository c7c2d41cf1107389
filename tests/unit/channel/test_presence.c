/* test_presence.c -- the table of who counts where, with a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include <tidings/presence.h>
#include <tidings/registry.h>

#define QUIET_MS 1000

static struct presence *presence;
static int64_t now_ms;

static int begin(void **state)
{
    (void)state;
    presence = presence_create(text_of("m"), 4, QUIET_MS);
    now_ms = 100000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    presence_destroy(&presence);
    return 0;
}

/* The one channel that is told now; "" when there is none. */
static struct presence_news take(void)
{
    struct presence_news news[2] = {{"", 0, 0, PRESENCE_SOME}};
    int64_t next_ms;

    assert_in_range(presence_take(presence, now_ms, news, 2, &next_ms), 0, 1);
    return news[0];
}

static void expect(const char *channel, uint32_t local, uint32_t total,
                   enum presence_change change)
{
    const struct presence_news news = take();

    assert_string_equal(news.channel, channel);
    assert_int_equal(news.local, local);
    assert_int_equal(news.total, total);
    assert_int_equal(news.change, change);
}

static void expect_nothing(void)
{
    assert_string_equal(take().channel, "");
}

static struct presence_entry *join(const char *channel)
{
    struct presence_entry *entry = presence_open(presence, text_of(channel));

    if (entry != NULL)
        presence_add(presence, entry, 1);
    return entry;
}

static void leave(struct presence_entry **entry)
{
    presence_add(presence, *entry, -1);
    presence_close(presence, entry);
}

static bool hear(const char *instance, const char *channel, uint32_t count)
{
    return presence_remote(presence, text_of(instance), 7, text_of(channel),
                           count, now_ms);
}

static uint64_t channels(void)
{
    struct presence_figures figures;

    presence_figures(presence, &figures);
    return figures.channels;
}

static void the_first_is_told_at_once(void **state)
{
    struct presence_entry *one = join("a");

    (void)state;
    expect("a", 1, 1, PRESENCE_FIRST);
    expect_nothing();
    leave(&one);
    now_ms += QUIET_MS;
    expect("a", 0, 0, PRESENCE_LAST);
}

static void changes_gather_until_the_channel_may_be_told_again(void **state)
{
    struct presence_entry *one = join("a"), *two, *three;

    (void)state;
    expect("a", 1, 1, PRESENCE_FIRST);
    two = join("a");
    three = join("a");
    now_ms += QUIET_MS - 1;
    expect_nothing();
    now_ms += 1;
    expect("a", 3, 3, PRESENCE_SOME);
    leave(&one);
    leave(&two);
    leave(&three);
    now_ms += QUIET_MS;
    expect("a", 0, 0, PRESENCE_LAST);
}

static void who_came_and_went_between_is_not_told(void **state)
{
    struct presence_entry *one = join("a"), *two;

    (void)state;
    expect("a", 1, 1, PRESENCE_FIRST);
    two = join("a");
    leave(&two);
    now_ms += 10 * QUIET_MS;
    expect_nothing();
    leave(&one);
    expect("a", 0, 0, PRESENCE_LAST);
}

static void an_entry_goes_when_nobody_needs_it(void **state)
{
    struct presence_entry *one = join("a");

    (void)state;
    expect("a", 1, 1, PRESENCE_FIRST);
    leave(&one);
    now_ms += QUIET_MS;
    expect("a", 0, 0, PRESENCE_LAST);
    assert_int_equal(channels(), 1); /* it cools */
    now_ms += QUIET_MS;
    expect_nothing();
    assert_int_equal(channels(), 0);
}

static void a_channel_without_room_is_not_counted(void **state)
{
    struct presence_entry *entries[4];
    struct presence_news news[8];
    int64_t next_ms;

    (void)state;
    for (int i = 0; i < 4; i++)
        entries[i] = join((const char *[]){"a", "b", "c", "d"}[i]);
    assert_null(join("e"));
    assert_false(hear("z", "f", 1) && channels() > 4);
    assert_int_equal(presence_take(presence, now_ms, news, 8, &next_ms), 4);
    for (int i = 0; i < 4; i++)
        leave(&entries[i]);
}

static void the_total_is_that_of_all_instances(void **state)
{
    struct presence_entry *one = join("a");
    uint32_t local, total;

    (void)state;
    (void)hear("z", "a", 5);
    expect("a", 1, 6, PRESENCE_FIRST);
    (void)hear("y", "a", 2);
    (void)hear("z", "a", 1);
    assert_true(presence_counts(presence, text_of("a"), &local, &total));
    assert_int_equal(local, 1);
    assert_int_equal(total, 4);
    leave(&one);
    now_ms += QUIET_MS;
    expect("a", 0, 3, PRESENCE_SOME);
    (void)hear("y", "a", 0);
    assert_true(presence_counts(presence, text_of("a"), &local, &total));
    assert_int_equal(total, 1);
}

static void where_others_were_before_nobody_is_the_first(void **state)
{
    struct presence_entry *one;

    (void)state;
    (void)hear("z", "a", 5);
    one = join("a");
    expect("a", 1, 6, PRESENCE_SOME);
    leave(&one);
}

static void two_lasts_that_cross_are_told_by_one_at_least(void **state)
{
    struct presence_entry *one = join("a");

    (void)state;
    (void)hear("z", "a", 1);
    expect("a", 1, 2, PRESENCE_FIRST);
    leave(&one);
    now_ms += QUIET_MS;
    expect("a", 0, 1, PRESENCE_SOME); /* z still counts us, and we z */
    (void)hear("z", "a", 0);
    now_ms += QUIET_MS;
    expect("a", 0, 0, PRESENCE_LAST);
}

static void who_left_long_ago_leaves_the_last_to_the_others(void **state)
{
    struct presence_entry *one = join("a");

    (void)state;
    (void)hear("z", "a", 1);
    expect("a", 1, 2, PRESENCE_FIRST);
    leave(&one);
    now_ms += QUIET_MS;
    expect("a", 0, 1, PRESENCE_SOME);
    now_ms += 60000;
    expect_nothing();
    (void)hear("z", "a", 0);
    now_ms += QUIET_MS;
    expect_nothing();
    assert_int_equal(channels(), 0);
}

static void a_silent_instance_is_forgotten_with_its_counts(void **state)
{
    uint32_t local, total;

    (void)state;
    assert_true(hear("z", "a", 5));
    assert_false(hear("z", "b", 1));
    presence_expire(presence, now_ms);
    assert_true(presence_counts(presence, text_of("a"), &local, &total));
    presence_expire(presence, now_ms + 1);
    assert_false(presence_counts(presence, text_of("a"), &local, &total));
    assert_true(hear("z", "b", 1)); /* and is new when it comes back */
}

static void the_one_with_the_least_name_tells_for_the_dead(void **state)
{
    struct presence_news news[4];
    int64_t next_ms;

    (void)state;
    (void)hear("z", "a", 5);
    presence_expire(presence, now_ms + 1);
    assert_int_equal(presence_take(presence, now_ms, news, 4, &next_ms), 1);
    assert_int_equal(news[0].change, PRESENCE_LAST);

    now_ms += 10000;
    (void)hear("z", "b", 5);
    (void)presence_peer_seen(presence, text_of("b"), 1, now_ms + 5);
    presence_expire(presence, now_ms + 1);
    assert_int_equal(presence_take(presence, now_ms, news, 4, &next_ms), 0);
}

static void another_life_of_a_name_starts_from_nothing(void **state)
{
    uint32_t local, total;

    (void)state;
    (void)hear("z", "a", 5);
    assert_true(presence_peer_seen(presence, text_of("z"), 8, now_ms));
    assert_false(presence_counts(presence, text_of("a"), &local, &total));
}

static void who_says_good_bye_is_gone_at_once(void **state)
{
    uint32_t local, total;

    (void)state;
    (void)hear("z", "a", 5);
    presence_peer_left(presence, text_of("z"));
    assert_false(presence_counts(presence, text_of("a"), &local, &total));
}

static void everything_is_told_again_to_who_asks(void **state)
{
    struct presence_entry *one = join("a");

    (void)state;
    expect("a", 1, 1, PRESENCE_FIRST);
    presence_resend(presence);
    expect_nothing(); /* at most once in that time, also then */
    now_ms += QUIET_MS;
    expect("a", 1, 1, PRESENCE_SOME);
    leave(&one);
}

static void more_instances_than_there_is_room_for_are_not_counted(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < PRESENCE_PEERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "i%d", i);
        assert_true(presence_peer_seen(presence, text_of(name), 1, now_ms));
    }
    assert_true(hear("one-more", "a", 1));
    assert_int_equal(channels(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_told_at_once),
        TEST(changes_gather_until_the_channel_may_be_told_again),
        TEST(who_came_and_went_between_is_not_told),
        TEST(an_entry_goes_when_nobody_needs_it),
        TEST(a_channel_without_room_is_not_counted),
        TEST(the_total_is_that_of_all_instances),
        TEST(where_others_were_before_nobody_is_the_first),
        TEST(two_lasts_that_cross_are_told_by_one_at_least),
        TEST(who_left_long_ago_leaves_the_last_to_the_others),
        TEST(a_silent_instance_is_forgotten_with_its_counts),
        TEST(the_one_with_the_least_name_tells_for_the_dead),
        TEST(another_life_of_a_name_starts_from_nothing),
        TEST(who_says_good_bye_is_gone_at_once),
        TEST(everything_is_told_again_to_who_asks),
        TEST(more_instances_than_there_is_room_for_are_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
