/* test_registry.c -- channels by name and number, also while they are added. */
#include "workbench.h"

#include <stdio.h>
#include <uv.h>

#define MANY 20000u

static struct text name_of(unsigned i, char name[32])
{
    snprintf(name, 32, "channel.%u", i);
    return text_of(name);
}

static int setup(void **state)
{
    *state = registry_create(MANY);
    return 0;
}

static int teardown(void **state)
{
    struct registry *registry = *state;

    registry_destroy(&registry);
    assert_null(registry);
    return 0;
}

static void add_many(struct registry *registry, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        struct channel_entry *entry;

        assert_int_equal(registry_intern(registry, name_of(i, name), 0, &entry),
                         ST_OK);
        assert_int_equal(entry->number, i + 1);
    }
}

static void what_is_interned_is_found(void **state)
{
    struct registry *registry = *state;

    add_many(registry, MANY);
    assert_int_equal(registry_count(registry), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        char name[32];
        struct channel_entry *entry = registry_find(registry, name_of(i, name));

        assert_non_null(entry);
        assert_string_equal(entry->name, name);
        assert_ptr_equal(registry_by_number(registry, entry->number), entry);
    }
    assert_null(registry_find(registry, text_of("channel")));
    assert_null(registry_by_number(registry, 0));
    assert_null(registry_by_number(registry, MANY + 1));
}

static void interning_twice_gives_the_same(void **state)
{
    struct channel_entry *first, *second;

    assert_int_equal(registry_intern(*state, text_of("a"), 0, &first), ST_OK);
    assert_int_equal(registry_intern(*state, text_of("a"), 0, &second), ST_OK);
    assert_ptr_equal(first, second);
    assert_int_equal(registry_count(*state), 1);
}

static void the_limit_is_kept_for_new_channels(void **state)
{
    struct channel_entry *entry = NULL;

    add_many(*state, MANY);
    assert_int_equal(registry_intern(*state, text_of("one.more"), 0, &entry),
                     ST_FULL);
    assert_null(entry);
    assert_int_equal(registry_intern(*state, text_of("channel.0"), 0, &entry),
                     ST_OK);
    /* What is stored already is not refused. */
    assert_int_equal(
        registry_intern(*state, text_of("stored"), MANY + 5, &entry), ST_OK);
}

static void count_one(void *arg, struct channel_entry *entry)
{
    unsigned *last = arg;

    assert_true(entry->number > *last);
    *last = entry->number;
}

static void numbers_may_have_holes(void **state)
{
    struct channel_entry *entry;
    unsigned last = 0;

    assert_int_equal(registry_intern(*state, text_of("a"), 7, &entry), ST_OK);
    assert_int_equal(registry_intern(*state, text_of("b"), 9000, &entry),
                     ST_OK);
    assert_null(registry_by_number(*state, 8));
    assert_null(registry_by_number(*state, 5000));
    registry_each(*state, count_one, &last);
    assert_int_equal(last, 9000);
    assert_int_equal(registry_intern(*state, text_of("c"), 0, &entry), ST_OK);
    assert_int_equal(entry->number, 9001);
}

/* ---- one adds while another looks ---------------------------------------- */

struct race {
    struct registry *registry;
    atomic_uint added;
    atomic_bool failed;
};

static void look(void *arg)
{
    struct race *race = arg;
    unsigned added = 0;

    while (added < MANY) {
        char name[32];

        added = atomic_load(&race->added);
        for (unsigned i = added > 50 ? added - 50 : 0; i < added; i++) {
            struct channel_entry *entry =
                registry_find(race->registry, name_of(i, name));

            if (entry == NULL || entry->number != i + 1 ||
                registry_by_number(race->registry, i + 1) != entry)
                atomic_store(&race->failed, true);
        }
    }
}

static void readers_see_what_was_added_before(void **state)
{
    struct race race = {.registry = *state};
    uv_thread_t thread;

    assert_int_equal(uv_thread_create(&thread, look, &race), 0);
    for (unsigned i = 0; i < MANY; i++) {
        char name[32];
        struct channel_entry *entry;

        assert_int_equal(registry_intern(*state, name_of(i, name), 0, &entry),
                         ST_OK);
        atomic_store(&race.added, i + 1);
    }
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_false(atomic_load(&race.failed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(what_is_interned_is_found),
        T(interning_twice_gives_the_same),
        T(the_limit_is_kept_for_new_channels),
        T(numbers_may_have_holes),
        T(readers_see_what_was_added_before),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
