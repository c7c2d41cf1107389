/* test_wire_covers.c -- a right covers a selector if it matches all that the
 * selector matches: as algebra, by counting.
 *
 * Every selector of up to four tokens over {a, b, *, >} is compared with every
 * other, and the answer with what matching says of every channel of up to five
 * tokens over {a, b, c}. Five, since `>` is longer than anything of four; c,
 * since `*` matches names that no selector says.
 */
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SELECTORS_MAX 200
#define CHANNELS_MAX  400
#define NAME_BYTES    12
#define WORDS         (CHANNELS_MAX / 64 + 1)

struct names {
    unsigned count;
    char names[CHANNELS_MAX][NAME_BYTES];
};

static struct names selectors, channels;
static uint64_t matched[SELECTORS_MAX][WORDS];
static bool covered[SELECTORS_MAX][SELECTORS_MAX];

/* All names that begin with `start` (empty or with its dot) and have up to
 * `depth` tokens more. */
static void spell(struct names *all, const char *tokens, const char *last,
                  const char *start, unsigned depth)
{
    char name[NAME_BYTES];

    for (const char *token = tokens; *token != '\0'; token++) {
        assert_true(all->count < CHANNELS_MAX);
        snprintf(all->names[all->count++], NAME_BYTES, "%s%c", start, *token);
        snprintf(name, sizeof name, "%s%c.", start, *token);
        if (depth > 1)
            spell(all, tokens, last, name, depth - 1);
    }
    if (*last != '\0') {
        assert_true(all->count < CHANNELS_MAX);
        snprintf(all->names[all->count++], NAME_BYTES, "%s%s", start, last);
    }
}

static int count_everything(void **state)
{
    (void)state;
    spell(&selectors, "ab*", ">", "", 4);
    spell(&channels, "abc", "", "", 5);
    for (unsigned i = 0; i < selectors.count; i++) {
        const struct text selector = text_of(selectors.names[i]);

        for (unsigned j = 0; j < channels.count; j++)
            if (selector_matches(selector, text_of(channels.names[j])))
                matched[i][j / 64] |= UINT64_C(1) << j % 64;
        for (unsigned j = 0; j < selectors.count; j++)
            covered[i][j] =
                selector_covers(selector, text_of(selectors.names[j]));
    }
    return 0;
}

static bool matches_all_of(unsigned right, unsigned asked)
{
    for (unsigned i = 0; i < WORDS; i++)
        if ((matched[asked][i] & ~matched[right][i]) != 0)
            return false;
    return true;
}

static void test_covering_is_what_matching_says(void **state)
{
    (void)state;
    assert_int_equal(selectors.count, 120 + 40);
    assert_int_equal(channels.count, 363);
    for (unsigned i = 0; i < selectors.count; i++)
        for (unsigned j = 0; j < selectors.count; j++)
            if (covered[i][j] != matches_all_of(i, j))
                fail_msg("%s covers %s: %d", selectors.names[i],
                         selectors.names[j], covered[i][j]);
}

static void test_covering_is_reflexive_and_transitive(void **state)
{
    (void)state;
    for (unsigned i = 0; i < selectors.count; i++) {
        assert_true(covered[i][i]);
        for (unsigned j = 0; j < selectors.count; j++)
            for (unsigned k = 0; covered[i][j] && k < selectors.count; k++)
                assert_true(!covered[j][k] || covered[i][k]);
    }
}

/* Two that cover each other are spelt alike: there is one name for each set. */
static void test_covering_both_ways_is_equality(void **state)
{
    (void)state;
    for (unsigned i = 0; i < selectors.count; i++)
        for (unsigned j = 0; j < i; j++)
            assert_false(covered[i][j] && covered[j][i]);
}

static void test_greater_covers_all_and_a_channel_is_matched(void **state)
{
    const struct text all = text_of(">");

    (void)state;
    for (unsigned i = 0; i < selectors.count; i++) {
        const struct text right = text_of(selectors.names[i]);

        assert_true(selector_covers(all, right));
        for (unsigned j = 0; j < channels.count; j++)
            assert_int_equal(
                selector_covers(right, text_of(channels.names[j])),
                selector_matches(right, text_of(channels.names[j])));
    }
}

/* clang-format off */
static const struct {
    const char *right, *asked;
    bool covers;
} rows[] = {
    {"orders.*",      "orders.*",       true},
    {"orders.*",      "orders.17",      true},
    {"orders.*",      "orders.>",       false},
    {"orders.*",      "orders",         false},
    {"orders.*",      "orders.17.line", false},
    {"orders.>",      "orders.*",       true},
    {"orders.>",      "orders.*.>",     true},
    {"orders.>",      "orders.17.line", true},
    {"orders.>",      "orders",         false},
    {"orders.17",     "orders.*",       false},
    {"a.*.c",         "a.b.c",          true},
    {"a.*.c",         "a.*.c",          true},
    {"a.*.c",         "a.*.*",          false},
    {"a.*.c",         "a.b.>",          false},
    {"*.>",           "*",              false},
    {"*.>",           "a.>",            true},
    {"*",             ">",              false},
    {">",             ">",              true},
    {"order",         "orders",         false},
    {"orders",        "order",          false},
    {"orders",        "Orders",         false},
};
/* clang-format on */

static void test_the_examples_of_the_guide(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (selector_covers(text_of(rows[i].right), text_of(rows[i].asked)) !=
            rows[i].covers)
            fail_msg("%s covers %s", rows[i].right, rows[i].asked);
}

static void test_a_list_is_taken_apart_at_its_commas(void **state)
{
    static const char *const wanted[] = {"a", "b c", "", "d"};
    const struct text list = text_of(" a ,b c,, d");
    struct text item;
    size_t cursor = 0, count = 0;

    (void)state;
    while (list_next(list, &cursor, &item))
        assert_true(text_is(item, wanted[count++]));
    assert_int_equal(count, 4);
    assert_true(selector_list_is_valid(text_of("")));
    assert_true(selector_list_is_valid(text_of("a, b.* ,c.>")));
    assert_false(selector_list_is_valid(text_of("a,,b")));
    assert_false(selector_list_is_valid(text_of("a,")));
    assert_false(selector_list_is_valid(text_of("a b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covering_is_what_matching_says),
        cmocka_unit_test(test_covering_is_reflexive_and_transitive),
        cmocka_unit_test(test_covering_both_ways_is_equality),
        cmocka_unit_test(test_greater_covers_all_and_a_channel_is_matched),
        cmocka_unit_test(test_the_examples_of_the_guide),
        cmocka_unit_test(test_a_list_is_taken_apart_at_its_commas),
    };

    return cmocka_run_group_tests(tests, count_everything, NULL);
}
