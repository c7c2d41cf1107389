/* directory.c -- which of this thread's channels a commit concerns.
 *
 * Channels hang in a hash table by the hash of their name, which the journal's
 * registry keeps with every entry: one look-up per event, no matter how many
 * channels the journal knows. While somebody here subscribes to a pattern, a
 * channel that has an event gets an actor even without members, which remembers
 * the patterns that cover it until the set of patterns changes.
 *
 * Order. A subscriber of one channel gets its run as a whole. A subscriber of
 * several must get events by rising id over all of them, else its position
 * would skip what comes later with a lower id: events with such members are
 * noted in the order of the commits and offered one by one after the runs.
 */
#include <tidings/directory.h>

#include "turn.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 256 };

struct directory *directory_create(struct registry *registry,
                                   struct metrics *metrics,
                                   size_t run_limit_bytes, uint64_t seen_upto)
{
    struct directory *directory = must_calloc(1, sizeof *directory);

    directory->registry = registry;
    directory->metrics = metrics;
    directory->run_limit_bytes = run_limit_bytes;
    directory->seen_upto = seen_upto;
    directory->bucket_count = FIRST_BUCKETS;
    directory->buckets =
        must_calloc(directory->bucket_count, sizeof *directory->buckets);
    pattern_set_init(&directory->patterns);
    list_init(&directory->touched);
    list_init(&directory->idle_patterns);
    frames_builder_init(&directory->builder);
    return directory;
}

void directory_count_in(struct directory *directory, struct presence *presence)
{
    CHECK(directory_is_empty(directory));
    directory->presence = presence;
}

uint64_t directory_seen_upto(const struct directory *directory)
{
    return directory->seen_upto;
}

uint64_t directory_given_upto(const struct directory *directory)
{
    return directory->batch_count > 0 ? directory->turn_after
                                      : directory->seen_upto;
}

void directory_skip_to(struct directory *directory, uint64_t seen_upto)
{
    CHECK(directory_is_empty(directory));
    if (directory->seen_upto < seen_upto)
        directory->seen_upto = seen_upto;
}

bool directory_is_empty(const struct directory *directory)
{
    return directory->channel_count == 0 &&
           directory->patterns.pattern_count == 0;
}

static struct channel **bucket(const struct directory *directory, uint64_t hash)
{
    return &directory->buckets[hash & (directory->bucket_count - 1)];
}

static struct channel *find(const struct directory *directory, struct text name,
                            uint64_t hash)
{
    struct channel *channel = *bucket(directory, hash);

    while (channel != NULL &&
           (channel->hash != hash || !text_equals(channel_name(channel), name)))
        channel = channel->next;
    return channel;
}

static void grow(struct directory *directory)
{
    struct channel **old = directory->buckets;
    unsigned old_count = directory->bucket_count;

    directory->bucket_count *= 2;
    directory->buckets =
        must_calloc(directory->bucket_count, sizeof *directory->buckets);
    for (unsigned i = 0; i < old_count; i++) {
        for (struct channel *channel = old[i], *next; channel; channel = next) {
            struct channel **place = bucket(directory, channel->hash);

            next = channel->next;
            channel->next = *place;
            *place = channel;
        }
    }
    free(old);
}

static struct channel *find_or_add(struct directory *directory,
                                   struct text name, uint64_t hash)
{
    struct channel *channel = find(directory, name, hash);
    struct channel **place;

    if (channel != NULL)
        return channel;
    if (directory->channel_count == directory->bucket_count)
        grow(directory);
    channel = channel_create(directory, name, hash);
    place = bucket(directory, hash);
    channel->next = *place;
    *place = channel;
    directory->channel_count++;
    return channel;
}

static bool is_needed(const struct directory *directory,
                      const struct channel *channel)
{
    return channel->solo_count > 0 || channel->mixed_count > 0 ||
           !list_is_empty(&channel->touched) ||
           directory->patterns.pattern_count > 0;
}

static void drop_if_unneeded(struct directory *directory,
                             struct channel *channel)
{
    struct channel **place = bucket(directory, channel->hash);

    if (is_needed(directory, channel))
        return;
    while (*place != channel)
        place = &(*place)->next;
    *place = channel->next;
    directory->channel_count--;
    channel_destroy(&channel);
}

/* The last pattern is gone: channels that only remembered patterns go too. */
static void drop_all_unneeded(struct directory *directory)
{
    for (unsigned i = 0; i < directory->bucket_count; i++) {
        struct channel *channel = directory->buckets[i], *next;

        for (; channel != NULL; channel = next) {
            next = channel->next;
            drop_if_unneeded(directory, channel);
        }
    }
}

void directory_destroy(struct directory **mine)
{
    struct directory *directory = *mine;

    *mine = NULL;
    CHECK(directory->batch_count == 0);
    drop_all_unneeded(directory);
    CHECK(directory->channel_count == 0);
    pattern_set_fini(&directory->patterns);
    frames_builder_fini(&directory->builder);
    free(directory->buckets);
    free(directory->batches);
    free(directory->mixed_events);
    free(directory);
}

/* ---- who listens -----------------------------------------------------------
 */

static void join_channel(struct directory *directory, struct membership *member,
                         struct text name, bool is_mixed)
{
    struct channel *channel = find_or_add(directory, name, registry_hash(name));

    channel_receive(channel, &(struct channel_message){
                                 CHANNEL_JOIN, {.join = {member, is_mixed}}});
}

static void join_pattern(struct directory *directory, struct membership *member,
                         struct text selector)
{
    struct pattern *pattern = pattern_set_add(&directory->patterns, selector);

    list_remove(&pattern->idle);
    member->pattern = pattern;
    pattern->member_count++;
    list_append(&pattern->members, &member->node);
}

void directory_join(struct directory *directory, struct subscriber *subscriber,
                    const struct text *selectors, unsigned selector_count)
{
    CHECK(subscriber->state == SUBSCRIBER_APART && selector_count > 0);
    subscriber->membership_count = (uint16_t)selector_count;
    subscriber->memberships =
        selector_count == 1
            ? &subscriber->single
            : must_calloc(selector_count, sizeof *subscriber->memberships);
    for (unsigned i = 0; i < selector_count; i++) {
        struct membership *member = &subscriber->memberships[i];

        memset(member, 0, sizeof *member);
        list_init(&member->node);
        member->subscriber = subscriber;
        if (selector_is_pattern(selectors[i]))
            join_pattern(directory, member, selectors[i]);
        else
            join_channel(directory, member, selectors[i], selector_count > 1);
    }
    subscriber_move(subscriber, SUBSCRIBER_REPLAYING);
}

static void leave_one(struct directory *directory, struct membership *member)
{
    if (member->channel != NULL) {
        channel_receive(
            member->channel,
            &(struct channel_message){CHANNEL_LEAVE, {.leave = {member}}});
        drop_if_unneeded(directory, member->channel);
        return;
    }
    list_remove(&member->node);
    if (--member->pattern->member_count == 0)
        list_append(&directory->idle_patterns, &member->pattern->idle);
}

/* Not during a turn: its channels point at the patterns that cover them. */
static void release_idle_patterns(struct directory *directory)
{
    if (list_is_empty(&directory->idle_patterns) ||
        !list_is_empty(&directory->touched))
        return;
    while (!list_is_empty(&directory->idle_patterns))
        pattern_set_release(
            &directory->patterns,
            CONTAINER_OF(directory->idle_patterns.next, struct pattern, idle));
    if (directory->patterns.pattern_count == 0)
        drop_all_unneeded(directory);
}

void directory_leave(struct directory *directory, struct subscriber *subscriber)
{
    if (subscriber->state == SUBSCRIBER_APART)
        return;
    for (unsigned i = 0; i < subscriber->membership_count; i++)
        leave_one(directory, &subscriber->memberships[i]);
    if (subscriber->memberships != &subscriber->single)
        free(subscriber->memberships);
    subscriber->memberships = NULL;
    subscriber->membership_count = 0;
    subscriber_move(subscriber, SUBSCRIBER_APART);
    release_idle_patterns(directory);
}

unsigned directory_local_count(struct directory *directory,
                               struct text selector)
{
    struct channel *channel;

    if (selector_is_pattern(selector)) {
        const struct pattern *pattern =
            pattern_set_find(&directory->patterns, selector);

        return pattern == NULL ? 0 : pattern->member_count;
    }
    channel = find(directory, selector, registry_hash(selector));
    return channel == NULL ? 0 : channel->solo_count + channel->mixed_count;
}

struct text directory_channel_name(const struct membership *member)
{
    return channel_name(member->channel);
}

struct text directory_selector(const struct membership *member)
{
    return member->channel != NULL ? channel_name(member->channel)
                                   : pattern_selector(member->pattern);
}

static bool selects(const struct membership *member, struct text name,
                    uint64_t hash)
{
    return member->channel != NULL
               ? member->channel->hash == hash &&
                     text_equals(channel_name(member->channel), name)
               : selector_matches(pattern_selector(member->pattern), name);
}

const struct membership *directory_covers(const struct subscriber *subscriber,
                                          struct text name, uint64_t hash)
{
    const struct membership *best = NULL;

    for (unsigned i = 0; i < subscriber->membership_count; i++) {
        const struct membership *member = &subscriber->memberships[i];

        if ((best == NULL || member->after < best->after) &&
            selects(member, name, hash))
            best = member;
        if (best != NULL && best->after == 0)
            break; /* the usual: no positions per channel */
    }
    return best;
}

/* ---- the turn
 * ---------------------------------------------------------------- */

static void remember_pattern(void *arg, struct pattern *pattern)
{
    struct channel *channel = arg;

    channel->patterns =
        must_realloc(channel->patterns,
                     (channel->pattern_count + 1) * sizeof *channel->patterns);
    channel->patterns[channel->pattern_count++] = pattern;
}

static void match_patterns(struct directory *directory, struct channel *channel)
{
    if (channel->generation == directory->patterns.generation)
        return;
    channel->pattern_count = 0;
    pattern_set_match(&directory->patterns, channel_name(channel),
                      remember_pattern, channel);
    channel->generation = directory->patterns.generation;
}

static void note_mixed(struct directory *directory, struct channel *channel)
{
    if (directory->mixed_count == directory->mixed_capacity) {
        directory->mixed_capacity =
            directory->mixed_capacity == 0 ? 64 : directory->mixed_capacity * 2;
        directory->mixed_events = must_realloc(
            directory->mixed_events,
            directory->mixed_capacity * sizeof *directory->mixed_events);
    }
    directory->mixed_events[directory->mixed_count++] =
        (struct turn_event){channel, channel->run_count - 1};
}

static void commit_event(struct directory *directory, struct event *event)
{
    struct text name = event_channel(event);
    uint64_t hash = event->channel->hash;
    bool has_patterns = directory->patterns.pattern_count > 0;
    struct channel *channel = has_patterns ? find_or_add(directory, name, hash)
                                           : find(directory, name, hash);

    if (channel == NULL)
        return;
    match_patterns(directory, channel);
    if (channel->solo_count == 0 && channel->mixed_count == 0 &&
        channel->pattern_count == 0)
        return;
    if (list_is_empty(&channel->touched))
        list_append(&directory->touched, &channel->touched);
    channel_receive(channel, &(struct channel_message){CHANNEL_COMMITTED,
                                                       {.committed = {event}}});
    if (channel->mixed_count > 0 || channel->pattern_count > 0)
        note_mixed(directory, channel);
}

void directory_commit(struct directory *directory, struct batch *batch)
{
    if (batch->after_id > directory->seen_upto)
        directory_overrun(directory, batch->after_id);
    if (directory->batch_count == directory->batch_capacity) {
        directory->batch_capacity =
            directory->batch_capacity == 0 ? 16 : directory->batch_capacity * 2;
        directory->batches =
            must_realloc(directory->batches, directory->batch_capacity *
                                                 sizeof *directory->batches);
    }
    directory->batches[directory->batch_count++] = batch_ref(batch);
    if (directory->batch_count == 1)
        directory->turn_after = directory->seen_upto;
    for (unsigned i = 0; i < batch->count; i++)
        commit_event(directory, batch->events[i]);
    if (directory->seen_upto < batch->last_id)
        directory->seen_upto = batch->last_id;
}

static void offer_to_list(struct channel *channel, unsigned index,
                          struct list_node *members, uint64_t turn_after)
{
    struct list_node *node, *next;

    for (node = members->next; node != members; node = next) {
        next = node->next;
        channel_offer_one(channel, index,
                          CONTAINER_OF(node, struct membership, node),
                          turn_after);
    }
}

static void deliver_mixed(struct directory *directory)
{
    for (unsigned i = 0; i < directory->mixed_count; i++) {
        struct channel *channel = directory->mixed_events[i].channel;
        unsigned index = directory->mixed_events[i].index;

        offer_to_list(channel, index, &channel->mixed, directory->turn_after);
        for (unsigned p = 0; p < channel->pattern_count; p++)
            offer_to_list(channel, index, &channel->patterns[p]->members,
                          directory->turn_after);
    }
    directory->mixed_count = 0;
}

/* Members may have left during the turn: now patterns and channels may go. */
static void end_turn(struct directory *directory)
{
    while (!list_is_empty(&directory->touched)) {
        struct channel *channel =
            CONTAINER_OF(directory->touched.next, struct channel, touched);

        channel_receive(
            channel, &(struct channel_message){CHANNEL_DONE, {.done = {true}}});
        list_remove(&channel->touched);
        drop_if_unneeded(directory, channel);
    }
    release_idle_patterns(directory);
    for (unsigned i = 0; i < directory->batch_count; i++)
        batch_unref(&directory->batches[i]);
    directory->batch_count = 0;
}

void directory_deliver(struct directory *directory)
{
    struct list_node *node;

    for (node = directory->touched.next; node != &directory->touched;
         node = node->next) {
        struct channel *channel = CONTAINER_OF(node, struct channel, touched);

        if (channel->solo_count > 0)
            channel_receive(channel, &(struct channel_message){
                                         CHANNEL_DELIVER,
                                         {.deliver = {directory->turn_after}}});
    }
    deliver_mixed(directory);
    end_turn(directory);
}

static void demote_members(struct list_node *members, uint64_t upto)
{
    struct list_node *node, *next;

    for (node = members->next; node != members; node = next) {
        struct subscriber *subscriber =
            CONTAINER_OF(node, struct membership, node)->subscriber;

        next = node->next;
        if (subscriber->state == SUBSCRIBER_LIVE)
            subscriber_demote(subscriber, upto);
    }
}

static void demote_pattern(void *arg, struct pattern *pattern)
{
    const uint64_t *upto = arg;

    demote_members(&pattern->members, *upto);
}

void directory_overrun(struct directory *directory, uint64_t missed_upto)
{
    uint64_t given_upto = directory->seen_upto;

    directory_deliver(directory);
    metrics_add(directory->metrics, METRIC_overruns, 1);
    for (unsigned i = 0; i < directory->bucket_count; i++) {
        struct channel *channel = directory->buckets[i];

        for (; channel != NULL; channel = channel->next) {
            demote_members(&channel->solo, given_upto);
            demote_members(&channel->mixed, given_upto);
        }
    }
    pattern_set_each(&directory->patterns, demote_pattern, &given_upto);
    if (directory->seen_upto < missed_upto)
        directory->seen_upto = missed_upto;
}
