/* test_accounts.c -- what is held is given back, what is spent fades, and the
 * table forgets only whom nobody needs.
 *
 * Two threads that take and give back the same accounts are, under
 * ThreadSanitizer, the proof that the lock covers what it must.
 */
#include <tidings/accounts.h>
#include <tidings/rate.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { REMEMBERED = 4096 };

static _Thread_local enum account_rate over;

static struct address numbered(uint32_t number)
{
    struct address address = {{0x20, 0x01, 0x0d, 0xb8}};

    for (unsigned i = 0; i < 4; i++)
        address.bytes[4 + i] = (uint8_t)(number >> (24 - 8 * i));
    return address;
}

static account_id ref(struct accounts *accounts, uint32_t number)
{
    const struct address address = numbered(number);

    return accounts_ref_address(accounts, &address);
}

static void test_holds(void **state)
{
    struct accounts *accounts = accounts_create(10);
    account_id first = ref(accounts, 1), again = ref(accounts, 1);
    account_id other = ref(accounts, 2);

    (void)state;
    assert_int_equal(first, again);
    assert_int_not_equal(first, other);
    assert_int_equal(accounts_in_use(accounts), 2);
    assert_true(accounts_hold(accounts, first, HOLD_CONNECTIONS, 2));
    assert_true(accounts_hold(accounts, again, HOLD_CONNECTIONS, 2));
    assert_false(accounts_hold(accounts, first, HOLD_CONNECTIONS, 2));
    assert_true(accounts_hold(accounts, first, HOLD_RESERVED, 1));
    assert_true(accounts_hold(accounts, other, HOLD_CONNECTIONS, 2));
    accounts_give_back(accounts, first, HOLD_CONNECTIONS);
    assert_true(accounts_hold(accounts, first, HOLD_CONNECTIONS, 2));
    accounts_give_back(accounts, first, HOLD_CONNECTIONS);
    accounts_give_back(accounts, first, HOLD_CONNECTIONS);
    accounts_give_back(accounts, first, HOLD_RESERVED);
    accounts_give_back(accounts, other, HOLD_CONNECTIONS);
    accounts_unref(accounts, &first);
    assert_int_equal(first, ACCOUNT_NONE);
    assert_int_equal(accounts_in_use(accounts), 2);
    accounts_unref(accounts, &again);
    accounts_unref(accounts, &other);
    assert_int_equal(accounts_in_use(accounts), 0);
    accounts_destroy(&accounts);
}

static void test_nobody_s_account_limits_nothing(void **state)
{
    struct accounts *accounts = accounts_create(1);
    const struct charge charge = {RATE_EVENTS, 1000, 1};
    account_id none = ACCOUNT_NONE;

    (void)state;
    assert_true(accounts_hold(accounts, none, HOLD_STREAMS, 1));
    assert_true(accounts_hold(accounts, none, HOLD_STREAMS, 1));
    assert_int_equal(accounts_spend(accounts, none, &charge, 1, 0, &over), 0);
    assert_int_equal(accounts_spend(accounts, none, &charge, 1, 0, &over), 0);
    accounts_give_back(accounts, none, HOLD_STREAMS);
    accounts_unref(accounts, &none);
    accounts_destroy(&accounts);
}

static void test_a_subject_is_no_address(void **state)
{
    struct accounts *accounts = accounts_create(10);
    account_id one = accounts_ref_subject(accounts, text_of("alice"));
    account_id two = accounts_ref_subject(accounts, text_of("bob"));
    account_id same = accounts_ref_subject(accounts, text_of("alice"));

    (void)state;
    assert_int_equal(one, same);
    assert_int_not_equal(one, two);
    accounts_unref(accounts, &one);
    accounts_unref(accounts, &two);
    accounts_unref(accounts, &same);
    accounts_destroy(&accounts);
}

/* A rate outlives the last reference, up to as many as are remembered. */
static void test_what_is_remembered(void **state)
{
    struct accounts *accounts = accounts_create(1);
    const struct charge charge = {RATE_EVENTS, 10, 10};
    account_id id = ref(accounts, 0);

    (void)state;
    assert_int_equal(accounts_spend(accounts, id, &charge, 1, 1, &over), 0);
    accounts_unref(accounts, &id);
    id = ref(accounts, 0);
    assert_int_equal(accounts_spend(accounts, id, &charge, 1, 1, &over), 1000);
    accounts_unref(accounts, &id);
    for (uint32_t i = 1; i <= REMEMBERED + 2; i++) {
        id = ref(accounts, i);
        assert_int_not_equal(id, ACCOUNT_NONE);
        accounts_unref(accounts, &id);
    }
    id = ref(accounts, 0);
    assert_int_equal(accounts_spend(accounts, id, &charge, 1, 1, &over), 0);
    accounts_unref(accounts, &id);
    id = ref(accounts, REMEMBERED + 2);
    accounts_unref(accounts, &id);
    assert_int_equal(accounts_in_use(accounts), 0);
    accounts_destroy(&accounts);
}

static void test_a_full_table_says_so_and_recovers(void **state)
{
    struct accounts *accounts = accounts_create(1);
    account_id all[REMEMBERED + 2], none;

    (void)state;
    for (uint32_t i = 0; i < REMEMBERED + 2; i++) {
        all[i] = ref(accounts, i);
        assert_int_not_equal(all[i], ACCOUNT_NONE);
    }
    none = ref(accounts, 1000000);
    assert_int_equal(none, ACCOUNT_NONE);
    accounts_unref(accounts, &all[7]);
    none = ref(accounts, 1000000);
    assert_int_not_equal(none, ACCOUNT_NONE);
    accounts_unref(accounts, &none);
    for (uint32_t i = 0; i < REMEMBERED + 2; i++)
        accounts_unref(accounts, &all[i]);
    assert_int_equal(accounts_in_use(accounts), 0);
    accounts_destroy(&accounts);
}

static void test_rates(void **state)
{
    struct rate rate = {0};
    const int64_t tenth_us = rate_cost_us(1, 10);
    int64_t now_us = 5000000;

    (void)state;
    for (unsigned i = 0; i < 10; i++) { /* a second's worth at once */
        assert_int_equal(rate_wait_us(&rate, tenth_us, now_us), 0);
        rate_take(&rate, tenth_us, now_us);
    }
    assert_int_equal(rate_wait_us(&rate, tenth_us, now_us), 100000);
    assert_int_equal(rate_wait_us(&rate, tenth_us, now_us + 99999), 1);
    assert_int_equal(rate_wait_us(&rate, tenth_us, now_us + 100000), 0);
    now_us += 60000000; /* it is not saved up */
    for (unsigned i = 0; i < 10; i++)
        rate_take(&rate, tenth_us, now_us);
    assert_int_equal(rate_wait_us(&rate, tenth_us, now_us), 100000);

    /* Larger than a second's worth: when nothing is owed, then paid off. */
    now_us += 60000000;
    assert_int_equal(rate_wait_us(&rate, rate_cost_us(50, 10), now_us), 0);
    rate_take(&rate, rate_cost_us(50, 10), now_us);
    assert_int_equal(rate_wait_us(&rate, tenth_us, now_us), 4100000);
    assert_int_equal(rate_wait_us(&rate, rate_cost_us(50, 10), now_us),
                     5000000);
    assert_int_equal(rate_cost_us(UINT64_MAX, 1), 3600000000);
}

static void test_charges_are_all_or_none(void **state)
{
    struct accounts *accounts = accounts_create(1);
    account_id id = ref(accounts, 1);
    const struct charge both[] = {{RATE_EVENTS, 1, 2}, {RATE_BYTES, 100, 100}};
    const struct charge events = {RATE_EVENTS, 1, 2};

    (void)state;
    assert_int_equal(accounts_spend(accounts, id, both, 2, 1, &over), 0);
    assert_int_equal(accounts_spend(accounts, id, both, 2, 1, &over), 1000);
    assert_int_equal(over, RATE_BYTES);
    assert_int_equal(accounts_spend(accounts, id, &events, 1, 1, &over), 0);
    assert_int_equal(accounts_spend(accounts, id, &events, 1, 1, &over), 500);
    accounts_unref(accounts, &id);
    accounts_destroy(&accounts);
}

static void *churn(void *arg)
{
    struct accounts *accounts = arg;

    for (uint32_t i = 0; i < 20000; i++) {
        account_id id = ref(accounts, i % 7);
        const struct charge charge = {RATE_CONNECTIONS, 1, 1000};
        const bool is_held =
            accounts_hold(accounts, id, HOLD_CONNECTIONS, 1 + i % 2);

        (void)accounts_spend(accounts, id, &charge, 1, i, &over);
        if (is_held)
            accounts_give_back(accounts, id, HOLD_CONNECTIONS);
        accounts_unref(accounts, &id);
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    struct accounts *accounts = accounts_create(4);
    pthread_t other;

    (void)state;
    assert_int_equal(pthread_create(&other, NULL, churn, accounts), 0);
    churn(accounts);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(accounts_in_use(accounts), 0);
    accounts_destroy(&accounts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_nobody_s_account_limits_nothing),
        cmocka_unit_test(test_a_subject_is_no_address),
        cmocka_unit_test(test_what_is_remembered),
        cmocka_unit_test(test_a_full_table_says_so_and_recovers),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_charges_are_all_or_none),
        cmocka_unit_test(test_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
