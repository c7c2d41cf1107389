/* test_token_threads.c -- one ring, many threads: what the crews do.
 *
 * Each thread checks tokens of every algorithm with a ring that others use at
 * the same time, and shares grants; meanwhile the ring is let go by who made
 * it. Meant for ThreadSanitizer, and true without it.
 */
#include "forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])
#define THREADS        4
#define ROUNDS         25

static const char *const algorithms[] = {"HS256", "RS256", "ES256", "EdDSA"};

struct reader {
    struct keyring *ring;
    struct grant *grant; /* shared with all */
    struct text tokens[COUNT_OF(algorithms)];
    unsigned good;
};

static bool is_good(struct reader *reader, struct text token)
{
    struct keyring *ring = keyring_ref(reader->ring);
    struct grant *grant = NULL, *shared = grant_ref(reader->grant);
    const char *why;
    bool good = token_check(ring, token, NOW_MS, &grant, &why) == ST_OK &&
                grant_allows(grant, RIGHT_SUBSCRIBE, text_of("a.b")) &&
                grant_allows(shared, RIGHT_SUBSCRIBE, text_of("a.b")) &&
                keyring_holds(ring, grant);

    grant_unref(&grant);
    grant_unref(&shared);
    keyring_unref(&ring);
    return good;
}

static void check_all(void *arg)
{
    struct reader *reader = arg;

    for (unsigned i = 0; i < ROUNDS; i++)
        for (size_t j = 0; j < COUNT_OF(algorithms); j++)
            reader->good += is_good(reader, reader->tokens[j]);
    keyring_unref(&reader->ring);
    grant_unref(&reader->grant);
}

static void test_threads_share_rings_and_grants(void **state)
{
    struct signing_key *keys[COUNT_OF(algorithms)];
    struct reader readers[THREADS] = {{.good = 0}};
    struct text tokens[COUNT_OF(algorithms)];
    struct grant *grant = NULL;
    uv_thread_t threads[THREADS];
    const char *why;
    struct keyring *ring;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        keys[i] = forge_key(algorithms[i], NULL);
        tokens[i] = forge_token(
            keys[i], forge_text("{\"alg\":\"%s\"}", algorithms[i]).bytes,
            "{\"exp\":1800000300,\"subscribe\":[\"a.*\"]}");
    }
    ring = forge_ring(COUNT_OF(algorithms), keys, "", "");
    assert_int_equal(token_check(ring, tokens[0], NOW_MS, &grant, &why), ST_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        readers[i].ring = keyring_ref(ring);
        readers[i].grant = grant_ref(grant);
        memcpy(readers[i].tokens, tokens, sizeof tokens);
        assert_int_equal(uv_thread_create(&threads[i], check_all, &readers[i]),
                         0);
    }
    grant_unref(&grant);
    forge_empty_rings();
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_join(&threads[i]), 0);
        assert_int_equal(readers[i].good, ROUNDS * COUNT_OF(algorithms));
    }
    forge_empty();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_share_rings_and_grants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
