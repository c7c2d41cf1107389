/* test_channel.c -- actors and the turn, with fake outboxes and no thread.
 *
 * A fake subscriber writes down every event that it is offered; batches are
 * made by hand. The model is a filter: what a subscriber of these selectors
 * must have got after these batches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <tidings/check.h>
#include <tidings/directory.h>
#include <tidings/list.h>
#include <tidings/metrics.h>
#include <tidings/registry.h>
#include <tidings/wire.h>

enum { RUN_LIMIT = 100000, GOT_MAX = 4096 };

struct fake {
    struct subscriber subscriber; /* first */
    struct directory *directory;
    uint64_t got[GOT_MAX];
    unsigned count, demoted, room; /* room: offers that are taken */
    bool leaves_after_one;
};

struct world {
    struct registry *registry;
    struct metrics metrics;
    struct directory *directory;
    uint64_t next_id;
};

static enum status take(struct subscriber *subscriber, struct frames *frames,
                        uint32_t from, uint32_t to, uint64_t last_id)
{
    struct fake *fake = CONTAINER_OF(subscriber, struct fake, subscriber);

    if (fake->room == 0)
        return ST_FULL;
    fake->room--;
    for (unsigned i = 0; i < frames->mark_count; i++)
        if (frames->marks[i].end > from && frames->marks[i].end <= to)
            fake->got[fake->count++] = frames->marks[i].id;
    assert_true(fake->count == 0 || fake->got[fake->count - 1] == last_id);
    if (fake->leaves_after_one)
        directory_leave(fake->directory, subscriber);
    return ST_OK;
}

static void note_demotion(struct subscriber *subscriber)
{
    CONTAINER_OF(subscriber, struct fake, subscriber)->demoted++;
}

static const struct subscriber_calls calls = {take, note_demotion};

static int set_up(void **state)
{
    struct world *world = must_calloc(1, sizeof *world);

    world->registry = registry_create(10000);
    world->directory =
        directory_create(world->registry, &world->metrics, RUN_LIMIT, 0);
    world->next_id = 1;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    directory_destroy(&world->directory);
    registry_destroy(&world->registry);
    free(world);
    return 0;
}

static struct event *make_event(struct world *world, const char *channel)
{
    struct event *event = event_create(text_of(channel), text_of(""),
                                       text_of("data"), text_of(""));

    event->id = world->next_id++;
    assert_int_equal(
        registry_intern(world->registry, text_of(channel), 0, &event->channel),
        ST_OK);
    atomic_store(&event->channel->last_id, event->id);
    return event;
}

/* One batch of an event for each channel named; "" ends. */
static struct batch *make_batch(struct world *world,
                                const char *const *channels)
{
    unsigned count = 0;
    struct batch *batch;

    while (channels[count][0] != '\0')
        count++;
    batch = must_calloc(1, sizeof *batch + count * sizeof(struct event *));
    atomic_store(&batch->references, 1);
    batch->after_id = world->next_id - 1;
    for (unsigned i = 0; i < count; i++)
        batch->events[i] = make_event(world, channels[i]);
    batch->count = count;
    batch->last_id = world->next_id - 1;
    return batch;
}

static void commit(struct world *world, const char *const *channels)
{
    struct batch *batch = make_batch(world, channels);

    directory_commit(world->directory, batch);
    batch_unref(&batch);
}

#define COMMIT(world, ...)                                                     \
    commit((world), (const char *const[]){__VA_ARGS__, ""})

static void join(struct world *world, struct fake *fake,
                 enum frame_format format, uint64_t cursor,
                 const char *const *selectors)
{
    struct text texts[8];
    unsigned count = 0;

    for (; selectors[count][0] != '\0'; count++)
        texts[count] = text_of(selectors[count]);
    memset(fake, 0, sizeof *fake);
    fake->room = UINT32_MAX;
    fake->directory = world->directory;
    subscriber_init(&fake->subscriber, &calls, format, cursor);
    directory_join(world->directory, &fake->subscriber, texts, count);
}

/* As a connection does when nothing was missed. */
static void join_live(struct world *world, struct fake *fake,
                      const char *const *selectors)
{
    join(world, fake, FRAME_SSE, world->next_id - 1, selectors);
    subscriber_move(&fake->subscriber, SUBSCRIBER_LIVE);
}

#define JOIN_LIVE(world, fake, ...)                                            \
    join_live((world), (fake), (const char *const[]){__VA_ARGS__, ""})

static void leave(struct world *world, struct fake *fake)
{
    directory_leave(world->directory, &fake->subscriber);
}

static void assert_got(const struct fake *fake, unsigned count,
                       const uint64_t *ids)
{
    assert_int_equal(fake->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(fake->got[i], ids[i]);
}

#define ASSERT_GOT(fake, ...)                                                  \
    assert_got((fake), sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),   \
               (uint64_t[]){__VA_ARGS__})

/* ---- claims
 * -------------------------------------------------------------------- */

static void a_live_subscriber_gets_its_channel_only(void **state)
{
    struct world *world = *state;
    struct fake fake;

    JOIN_LIVE(world, &fake, "news");
    COMMIT(world, "news", "weather", "news");
    directory_deliver(world->directory);
    ASSERT_GOT(&fake, 1, 3);
    leave(world, &fake);
}

static void batches_of_one_turn_come_as_one_offer(void **state)
{
    struct world *world = *state;
    struct fake fake;

    JOIN_LIVE(world, &fake, "news");
    fake.room = 1;
    COMMIT(world, "news");
    COMMIT(world, "news", "news");
    directory_deliver(world->directory);
    ASSERT_GOT(&fake, 1, 2, 3);
    assert_int_equal(fake.demoted, 0);
    leave(world, &fake);
}

static void what_was_replayed_is_not_offered_again(void **state)
{
    struct world *world = *state;
    struct fake fake;

    join(world, &fake, FRAME_SSE, 0, (const char *const[]){"news", ""});
    COMMIT(world, "news", "news", "news");
    fake.subscriber.cursor = 2; /* it read so far */
    subscriber_move(&fake.subscriber, SUBSCRIBER_LIVE);
    directory_deliver(world->directory);
    ASSERT_GOT(&fake, 3);
    leave(world, &fake);
}

static void a_replaying_subscriber_is_not_offered_anything(void **state)
{
    struct world *world = *state;
    struct fake fake;

    join(world, &fake, FRAME_SSE, 0, (const char *const[]){"news", ""});
    COMMIT(world, "news");
    directory_deliver(world->directory);
    assert_int_equal(fake.count, 0);
    leave(world, &fake);
}

static void several_channels_come_in_order_of_id(void **state)
{
    struct world *world = *state;
    struct fake fake;

    JOIN_LIVE(world, &fake, "a", "b.*", "c.>");
    COMMIT(world, "c.x.y", "a", "b.1", "d", "a", "b.2", "c.z");
    directory_deliver(world->directory);
    ASSERT_GOT(&fake, 1, 2, 3, 5, 6, 7);
    leave(world, &fake);
}

static void overlapping_selectors_give_an_event_once(void **state)
{
    struct world *world = *state;
    struct fake fake;

    JOIN_LIVE(world, &fake, "a.b", "a.*", "a.>", ">");
    COMMIT(world, "a.b", "a.c");
    directory_deliver(world->directory);
    ASSERT_GOT(&fake, 1, 2);
    leave(world, &fake);
}

static void a_full_outbox_demotes_to_before_the_turn(void **state)
{
    struct world *world = *state;
    struct fake fake;

    JOIN_LIVE(world, &fake, "news");
    COMMIT(world, "news");
    directory_deliver(world->directory);
    fake.room = 0;
    COMMIT(world, "weather", "news");
    directory_deliver(world->directory);
    ASSERT_GOT(&fake, 1);
    assert_int_equal(fake.demoted, 1);
    assert_int_equal(fake.subscriber.state, SUBSCRIBER_REPLAYING);
    assert_int_equal(fake.subscriber.cursor, 1);
    leave(world, &fake);
}

/* The first of a turn was taken, the second not: replay begins between. */
static void a_mixed_subscriber_is_demoted_between_events(void **state)
{
    struct world *world = *state;
    struct fake fake;

    JOIN_LIVE(world, &fake, "a", "b");
    fake.room = 1;
    COMMIT(world, "a", "b", "a");
    directory_deliver(world->directory);
    ASSERT_GOT(&fake, 1);
    assert_int_equal(fake.subscriber.cursor, 1);
    assert_int_equal(fake.subscriber.state, SUBSCRIBER_REPLAYING);
    leave(world, &fake);
}

static void a_missing_batch_demotes_everybody(void **state)
{
    struct world *world = *state;
    struct fake solo, mixed, pattern;
    struct batch *lost;

    JOIN_LIVE(world, &solo, "a");
    JOIN_LIVE(world, &mixed, "a", "b");
    JOIN_LIVE(world, &pattern, "a.>");
    COMMIT(world, "a");
    lost = make_batch(world, (const char *const[]){"a", "b", ""});
    batch_unref(&lost);
    COMMIT(world, "a");
    directory_deliver(world->directory);
    ASSERT_GOT(&solo, 1);
    ASSERT_GOT(&mixed, 1);
    assert_int_equal(solo.subscriber.state, SUBSCRIBER_REPLAYING);
    assert_int_equal(mixed.subscriber.state, SUBSCRIBER_REPLAYING);
    assert_int_equal(pattern.subscriber.state, SUBSCRIBER_REPLAYING);
    assert_int_equal(solo.subscriber.cursor, 1);
    leave(world, &solo);
    leave(world, &mixed);
    leave(world, &pattern);
}

static void who_leaves_during_the_turn_harms_nobody(void **state)
{
    struct world *world = *state;
    struct fake first, second, third;

    JOIN_LIVE(world, &first, "news");
    JOIN_LIVE(world, &second, "news");
    JOIN_LIVE(world, &third, "news", "x.*");
    first.leaves_after_one = true;
    third.leaves_after_one = true;
    COMMIT(world, "news", "x.1", "news");
    directory_deliver(world->directory);
    ASSERT_GOT(&first, 1, 3);
    ASSERT_GOT(&second, 1, 3);
    ASSERT_GOT(&third, 1);
    assert_int_equal(directory_local_count(world->directory, text_of("news")),
                     1);
    leave(world, &second);
}

static void a_channel_knows_how_many_listen(void **state)
{
    struct world *world = *state;
    struct fake one, two;

    JOIN_LIVE(world, &one, "news");
    JOIN_LIVE(world, &two, "news", "x");
    COMMIT(world, "news");
    directory_deliver(world->directory);
    assert_int_equal(
        registry_find(world->registry, text_of("news"))->subscribers, 2);
    leave(world, &one);
    leave(world, &two);
    assert_int_equal(
        registry_find(world->registry, text_of("news"))->subscribers, 0);
}

/* Random joins, leaves and commits against the filter. */
static void random_traffic_matches_the_filter(void **state)
{
    static const char *const channels[] = {"a",     "b",   "a.b",
                                           "a.b.c", "x.y", "x.z"};
    static const char *const selectors[] = {"a",   "b",   "a.*", "a.>",
                                            "x.*", "*.y", "x.z", ">"};
    struct world *world = *state;
    struct fake *fake = must_calloc(1, sizeof *fake);

    srand(4711);
    for (int round = 0; round < 200; round++) {
        const char *mine[4] = {"", "", "", ""};
        unsigned wanted = 0, count = 1 + (unsigned)rand() % 3;

        for (unsigned i = 0; i < count; i++)
            mine[i] = selectors[((unsigned)rand() % 2) * 3 + i];
        join_live(world, fake, mine);
        for (int i = 0; i < 20; i++) {
            const char *channel = channels[rand() % 6];
            bool is_wanted = false;

            for (unsigned s = 0; s < count; s++)
                is_wanted |=
                    selector_matches(text_of(mine[s]), text_of(channel));
            COMMIT(world, channel);
            wanted += is_wanted;
            if (rand() % 3 == 0)
                directory_deliver(world->directory);
        }
        directory_deliver(world->directory);
        assert_int_equal(fake->count, wanted);
        for (unsigned i = 1; i < fake->count; i++)
            assert_true(fake->got[i] > fake->got[i - 1]);
        leave(world, fake);
    }
    free(fake);
}

static struct frames *encode(enum frame_format format,
                             const struct event_view *event)
{
    struct frames_builder builder;
    struct frames *frames;

    frames_builder_init(&builder);
    frames_builder_add(&builder, format, event);
    frames = frames_finish(&builder);
    frames_builder_fini(&builder);
    return frames;
}

static void chunks_say_their_length(void **state)
{
    struct event_view event = {.id = 5,
                               .channel = text_of("c"),
                               .type = text_of(""),
                               .data = text_of("hello")};
    struct frames *plain = encode(FRAME_SSE, &event);
    struct frames *chunked = encode(FRAME_SSE_CHUNKED, &event);
    char head[32];

    (void)state;
    (void)snprintf(head, sizeof head, "%x\r\n", plain->length);
    assert_memory_equal(chunked->bytes, head, strlen(head));
    assert_memory_equal(chunked->bytes + strlen(head), plain->bytes,
                        plain->length);
    assert_int_equal(chunked->length, strlen(head) + plain->length + 2);
    frames_unref(&plain);
    frames_unref(&chunked);
}

static void messages_say_their_length_in_the_shortest_way(void **state)
{
    static const struct {
        size_t data;
        unsigned char head[10];
        size_t head_bytes;
    } rows[] = {
        {0, {0x81, 0}, 2},
        {125, {0x81, 125}, 2},
        {126, {0x81, 126, 0, 126}, 4},
        {65535, {0x81, 126, 0xff, 0xff}, 4},
        {65536, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *data = must_calloc(1, rows[i].data + 1);
        struct event_view event = {.id = 5, .channel = text_of("c")};
        struct frames *frames;

        memset(data, 'x', rows[i].data);
        event.data = (struct text){data, rows[i].data};
        frames = encode(FRAME_DATA_MESSAGE, &event);
        assert_int_equal(frames->length, rows[i].head_bytes + rows[i].data);
        assert_memory_equal(frames->bytes, rows[i].head, rows[i].head_bytes);
        frames_unref(&frames);
        free(data);
    }
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_live_subscriber_gets_its_channel_only),
        CLAIM(batches_of_one_turn_come_as_one_offer),
        CLAIM(what_was_replayed_is_not_offered_again),
        CLAIM(a_replaying_subscriber_is_not_offered_anything),
        CLAIM(several_channels_come_in_order_of_id),
        CLAIM(overlapping_selectors_give_an_event_once),
        CLAIM(a_full_outbox_demotes_to_before_the_turn),
        CLAIM(a_mixed_subscriber_is_demoted_between_events),
        CLAIM(a_missing_batch_demotes_everybody),
        CLAIM(who_leaves_during_the_turn_harms_nobody),
        CLAIM(a_channel_knows_how_many_listen),
        CLAIM(random_traffic_matches_the_filter),
        CLAIM(chunks_say_their_length),
        CLAIM(messages_say_their_length_in_the_shortest_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
