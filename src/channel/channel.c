/* channel.c -- what the actor does with each message of its table.
 *
 * Encode once: the run of a turn is formatted at the first subscriber who needs
 * the format; all others share it. A subscriber whose cursor lies inside the
 * run (it just finished replaying) gets the part behind its cursor.
 *
 * A run longer than any outbox takes is not encoded: its subscribers read it
 * from the journal in slices.
 *
 * Offering may make a subscriber leave (a long-poll is answered and gone): the
 * lists are walked with the next node in hand, and a channel that becomes empty
 * stays until the directory ends the turn.
 */
#include "channel.h"

#include "turn.h"

#include "../base/seeded_bug.h"
#include <tidings/check.h>
#include <tidings/presence.h>

#include <stdlib.h>
#include <string.h>

enum { RUN_KEPT = 16 }; /* capacity that a quiet channel may keep */

struct channel *channel_create(struct directory *directory, struct text name,
                               uint64_t hash)
{
    struct channel *channel = must_calloc(1, sizeof *channel + name.length + 1);

    channel->directory = directory;
    channel->hash = hash;
    channel->name_bytes = (uint16_t)name.length;
    memcpy(channel->name, name.bytes, name.length);
    channel->entry = registry_find(directory->registry, name);
    list_init(&channel->solo);
    list_init(&channel->mixed);
    list_init(&channel->touched);
    return channel;
}

static void forget_run(struct channel *channel)
{
    for (unsigned i = 0; i < FRAME_FORMAT_COUNT; i++)
        frames_unref(&channel->encoded[i]);
    channel->run_count = 0;
    channel->run_bytes = 0;
    if (channel->run_capacity > RUN_KEPT) {
        free(channel->run);
        channel->run = NULL;
        channel->run_capacity = 0;
    }
}

void channel_destroy(struct channel **channel)
{
    struct channel *mine = *channel;

    *channel = NULL;
    CHECK(mine->solo_count == 0 && mine->mixed_count == 0);
    list_remove(&mine->touched);
    forget_run(mine);
    free(mine->run);
    free(mine->patterns);
    free(mine);
}

/* The registry's figure of subscribers follows ours once the entry is known. */
static void count_subscribers(struct channel *channel, int by)
{
    if (channel->entry != NULL)
        atomic_fetch_add_explicit(&channel->entry->subscribers, (unsigned)by,
                                  memory_order_relaxed);
}

/* The table of presence has an entry for the channel while anybody is here, or,
 * when it had no room for the first, for nobody until all have gone. */
static void count_presence(struct channel *channel, int by)
{
    struct presence *presence = channel->directory->presence;
    const unsigned here = channel->solo_count + channel->mixed_count;

    if (presence == NULL)
        return;
    if (channel->presence == NULL && by > 0 && here == 1)
        channel->presence = presence_open(presence, channel_name(channel));
    if (channel->presence == NULL)
        return;
    presence_add(presence, channel->presence, by);
    if (here == 0)
        presence_close(presence, &channel->presence);
}

static void learn_entry(struct channel *channel, struct channel_entry *entry)
{
    if (channel->entry != NULL || entry == NULL)
        return;
    channel->entry = entry;
    count_subscribers(channel,
                      (int)(channel->solo_count + channel->mixed_count));
}

static void on_join(struct channel *channel, const struct join *join)
{
    struct list_node *list = join->is_mixed ? &channel->mixed : &channel->solo;

    learn_entry(channel, registry_find(channel->directory->registry,
                                       channel_name(channel)));
    list_append(list, &join->membership->node);
    join->membership->channel = channel;
    if (join->is_mixed)
        channel->mixed_count++;
    else
        channel->solo_count++;
    count_subscribers(channel, 1);
    count_presence(channel, 1);
}

static void on_leave(struct channel *channel, const struct leave *leave)
{
    list_remove(&leave->membership->node);
    if (subscriber_is_mixed(leave->membership->subscriber))
        channel->mixed_count--;
    else
        channel->solo_count--;
    count_subscribers(channel, -1);
    count_presence(channel, -1);
}

static void on_committed(struct channel *channel,
                         const struct committed *committed)
{
    learn_entry(channel, committed->event->channel);
    if (channel->run_count == channel->run_capacity) {
        channel->run_capacity =
            channel->run_capacity == 0 ? 4 : channel->run_capacity * 2;
        channel->run = must_realloc(channel->run, channel->run_capacity *
                                                      sizeof *channel->run);
    }
    channel->run[channel->run_count++] = committed->event;
    channel->run_bytes += event_data(committed->event).length;
}

struct frames *channel_run_in(struct channel *channel, enum frame_format format)
{
    struct frames_builder *builder = &channel->directory->builder;

    if (channel->encoded[format] == NULL) {
        for (unsigned i = 0; i < channel->run_count; i++) {
            struct event_view view = event_view(channel->run[i]);

            frames_builder_add(builder, format, &view);
        }
        channel->encoded[format] = frames_finish(builder);
    }
    return channel->encoded[format];
}

static void demote(struct channel *channel, struct subscriber *subscriber,
                   uint64_t upto)
{
    if (seeded_bug("demotion-loses-event"))
        upto = channel->run[channel->run_count - 1]->id;
    metrics_add(channel->directory->metrics, METRIC_demotions, 1);
    subscriber_demote(subscriber, upto);
}

static void offer(struct channel *channel, struct subscriber *subscriber,
                  struct frames *frames, uint32_t from, uint32_t to,
                  uint64_t last_id, uint64_t turn_after)
{
    enum status st =
        subscriber->calls->offer(subscriber, frames, from, to, last_id);

    if (st == ST_OK) {
        if (subscriber->cursor < last_id)
            subscriber->cursor = last_id;
        return;
    }
    demote(channel, subscriber, turn_after);
}

static bool is_too_long(const struct channel *channel)
{
    return channel->run_bytes > channel->directory->run_limit_bytes;
}

static void on_deliver(struct channel *channel, const struct deliver *deliver)
{
    uint64_t last_id = channel->run[channel->run_count - 1]->id;
    struct list_node *node, *next;

    for (node = channel->solo.next; node != &channel->solo; node = next) {
        struct subscriber *subscriber =
            CONTAINER_OF(node, struct membership, node)->subscriber;
        struct frames *frames;
        uint32_t from = 0;

        next = node->next;
        if (subscriber->state != SUBSCRIBER_LIVE ||
            subscriber->cursor >= last_id)
            continue;
        if (is_too_long(channel)) {
            demote(channel, subscriber, deliver->turn_after);
            continue;
        }
        frames = channel_run_in(channel, subscriber->format);
        if (subscriber->cursor >= channel->run[0]->id)
            from = frames_offset_after(frames, subscriber->cursor);
        offer(channel, subscriber, frames, from, frames->length, last_id,
              deliver->turn_after);
    }
}

static void on_done(struct channel *channel, const struct done *done)
{
    (void)done;
    forget_run(channel);
}

void channel_offer_one(struct channel *channel, unsigned index,
                       struct membership *member, uint64_t turn_after)
{
    struct subscriber *subscriber = member->subscriber;
    uint64_t id = channel->run[index]->id;
    struct frames *frames;

    if (subscriber->state != SUBSCRIBER_LIVE || subscriber->cursor >= id ||
        member->after >= id)
        return;
    if (is_too_long(channel)) {
        demote(channel, subscriber, turn_after);
        return;
    }
    frames = channel_run_in(channel, subscriber->format);
    offer(channel, subscriber, frames,
          index == 0 ? 0 : frames->marks[index - 1].end,
          frames->marks[index].end, id, turn_after);
}

void channel_receive(struct channel *channel,
                     const struct channel_message *message)
{
    switch (message->tag) {
#define MSG(TAG, field, by, does)                                              \
    case CHANNEL_##TAG:                                                        \
        on_##field(channel, &message->as.field);                               \
        break;
        CHANNEL_MESSAGES(MSG)
#undef MSG
    }
}
