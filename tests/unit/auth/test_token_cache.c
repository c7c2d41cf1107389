/* test_token_cache.c -- what is remembered of tokens, and when it is forgotten.
 */
#include "forge.h"

#include "http/token_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HEADER "{\"alg\":\"HS256\"}"

struct fixture {
    struct token_cache *cache;
    struct signing_key *key;
    struct keyring *ring;
    struct metrics metrics;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.cache = token_cache_create(),
                               .key = forge_key("HS256", NULL)};
    fixture.ring = forge_ring(1, &fixture.key, "", "");
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    token_cache_destroy(&fixture->cache);
    forge_empty();
    return 0;
}

static struct text token_until(const struct fixture *fixture, unsigned number,
                               const char *end_s)
{
    return forge_token(
        fixture->key, HEADER,
        forge_text("{\"exp\":%s,\"sub\":\"%u\"}", end_s, number).bytes);
}

static enum status ask(struct fixture *fixture, struct text token,
                       int64_t now_ms)
{
    struct grant *grant = NULL;
    const char *why;
    enum status st = token_cache_check(fixture->cache, fixture->ring, token,
                                       now_ms, &fixture->metrics, &grant, &why);

    if (st == ST_OK)
        grant_unref(&grant);
    return st;
}

static int64_t remembered(struct fixture *fixture)
{
    return atomic_load(&fixture->metrics.value[METRIC_tokens_remembered]);
}

static void test_a_good_token_is_checked_once(void **state)
{
    struct fixture *fixture = *state;
    struct text token = token_until(fixture, 1, "1800000300");

    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(fixture, token, NOW_MS), ST_OK);
    assert_int_equal(remembered(fixture), 3);
}

static void test_a_bad_token_is_checked_each_time(void **state)
{
    struct fixture *fixture = *state;
    struct text token = token_until(fixture, 1, "1800000300");

    token.length--;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(fixture, token, NOW_MS), ST_NOT_FOUND);
    assert_int_equal(remembered(fixture), 0);
}

static void test_a_token_is_forgotten_when_it_ends(void **state)
{
    struct fixture *fixture = *state;
    struct text token = token_until(fixture, 1, "1800000300");

    assert_int_equal(ask(fixture, token, NOW_MS), ST_OK);
    assert_int_equal(ask(fixture, token, NOW_MS + 300000), ST_OK);
    assert_int_equal(ask(fixture, token, NOW_MS + 360000), ST_TIMEOUT);
    assert_int_equal(remembered(fixture), 0);
}

static void test_other_keys_begin_anew(void **state)
{
    struct fixture *fixture = *state;
    struct text token = token_until(fixture, 1, "1800000300");
    struct signing_key *other = forge_key("HS256", NULL);

    assert_int_equal(ask(fixture, token, NOW_MS), ST_OK);
    fixture->ring = forge_ring(1, &other, "", "");
    assert_int_equal(ask(fixture, token, NOW_MS), ST_NOT_FOUND);
    assert_int_equal(remembered(fixture), 0);
}

/* Each with an end of its own: of a full row the first to end goes. */
static void ask_for_many(struct fixture *fixture)
{
    for (unsigned i = 0; i < 2 * TOKEN_CACHE_ENTRIES; i++) {
        struct token_claims claims = {.expires_ms =
                                          NOW_MS + 1000 * (300 + (int64_t)i)};
        struct buffer token;
        const char *why;

        buffer_init(&token);
        assert_int_equal(token_make(&token, fixture->key, &claims, &why),
                         ST_OK);
        assert_int_equal(ask(fixture, buffer_text(&token), NOW_MS), ST_OK);
        buffer_fini(&token);
    }
}

static void test_it_is_bounded_and_keeps_what_lasts(void **state)
{
    struct fixture *fixture = *state;

    ask_for_many(fixture);
    assert_int_equal(remembered(fixture), 0);
    ask_for_many(fixture);
    assert_true(remembered(fixture) <= TOKEN_CACHE_ENTRIES);
    assert_true(remembered(fixture) > TOKEN_CACHE_ENTRIES / 10);
}

static void test_a_token_that_is_too_long_is_not_hashed(void **state)
{
    struct fixture *fixture = *state;
    struct text token = forge_text("%*s", TOKEN_MAX_BYTES + 1, "x");

    assert_int_equal(ask(fixture, token, NOW_MS), ST_BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_good_token_is_checked_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bad_token_is_checked_each_time,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_token_is_forgotten_when_it_ends,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_keys_begin_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_bounded_and_keeps_what_lasts,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_token_that_is_too_long_is_not_hashed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
