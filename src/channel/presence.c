/* presence.c -- the table of who counts where.
 *
 * Entries hang in a hash table by name, and in one of two lists: `ready`, to be
 * told, and `cooling`, told less than quiet_ms ago. Both are first in, first out;
 * since every entry cools for the same time, the head of the second is always the
 * next to be due.
 *
 *     at rest --changed--> ready --taken--> cooling --due--> at rest, or ready
 */
#include "presence_table.h"

#include <tidings/check.h>
#include <tidings/list.h>
#include <tidings/registry.h>

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { FIRST_BUCKETS = 256 };

struct presence *presence_create(struct text instance, unsigned channels_max,
                                 int64_t quiet_ms)
{
    struct presence *presence = must_calloc(1, sizeof *presence);

    presence_copy_name(presence->instance, instance);
    presence->channels_max = channels_max;
    presence->quiet_ms = quiet_ms;
    CHECK(uv_mutex_init(&presence->mutex) == 0);
    CHECK(uv_cond_init(&presence->changed) == 0);
    presence->bucket_count = FIRST_BUCKETS;
    presence->buckets = must_calloc(FIRST_BUCKETS, sizeof presence->buckets[0]);
    list_init(&presence->ready);
    list_init(&presence->cooling);
    return presence;
}

const char *presence_instance(const struct presence *presence)
{
    return presence->instance;
}

/* ---- entries, under the lock ------------------------------------------------ */

static struct presence_entry **bucket(const struct presence *presence,
                                      uint64_t hash)
{
    return &presence->buckets[hash & (presence->bucket_count - 1)];
}

struct presence_entry *presence_find(const struct presence *presence,
                                     struct text name, uint64_t hash)
{
    struct presence_entry *entry = *bucket(presence, hash);

    while (entry != NULL &&
           (entry->hash != hash ||
            !text_equals((struct text){entry->name, entry->name_bytes}, name)))
        entry = entry->next;
    return entry;
}

static void link_in(struct presence *presence, struct presence_entry *entry)
{
    struct presence_entry **place = bucket(presence, entry->hash);

    entry->next = *place;
    *place = entry;
}

static void grow(struct presence *presence)
{
    struct presence_entry **old = presence->buckets;
    const unsigned old_count = presence->bucket_count;

    presence->bucket_count *= 2;
    presence->buckets =
        must_calloc(presence->bucket_count, sizeof presence->buckets[0]);
    for (unsigned i = 0; i < old_count; i++) {
        struct presence_entry *entry = old[i];

        while (entry != NULL) {
            struct presence_entry *next = entry->next;

            link_in(presence, entry);
            entry = next;
        }
    }
    free(old);
}

struct presence_entry *presence_find_or_add(struct presence *presence,
                                            struct text name)
{
    const uint64_t hash = registry_hash(name);
    struct presence_entry *entry = presence_find(presence, name, hash);

    if (entry != NULL)
        return entry;
    if (presence->entry_count == presence->channels_max) {
        presence->uncounted++;
        return NULL;
    }
    if (presence->entry_count == presence->bucket_count)
        grow(presence);
    CHECK(name.length <= EVENT_CHANNEL_MAX_BYTES);
    entry = must_calloc(1, sizeof *entry + name.length + 1);
    list_init(&entry->queued);
    entry->hash = hash;
    entry->name_bytes = (uint16_t)name.length;
    memcpy(entry->name, name.bytes, name.length);
    link_in(presence, entry);
    presence->entry_count++;
    return entry;
}

static void drop(struct presence *presence, struct presence_entry *entry)
{
    struct presence_entry **place = bucket(presence, entry->hash);

    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    presence->entry_count--;
    list_remove(&entry->queued);
    free(entry->shares);
    free(entry);
}

void presence_drop_if_unneeded(struct presence *presence,
                               struct presence_entry *entry)
{
    if (entry->opened == 0 && entry->local == 0 && entry->remote == 0 &&
        list_is_empty(&entry->queued))
        drop(presence, entry);
}

bool presence_is_to_be_told(const struct presence_entry *entry)
{
    return entry->must_tell || entry->local != entry->told;
}

/* One that cools stays: it is looked at when it is due. */
void presence_queue(struct presence *presence, struct presence_entry *entry)
{
    if (!list_is_empty(&entry->queued) || !presence_is_to_be_told(entry))
        return;
    list_append(&presence->ready, &entry->queued);
    uv_cond_signal(&presence->changed);
}

/* The entry may go during its call. */
void presence_each(struct presence *presence, presence_entry_fn *call,
                   int argument)
{
    for (unsigned i = 0; i < presence->bucket_count; i++) {
        struct presence_entry *entry = presence->buckets[i];

        while (entry != NULL) {
            struct presence_entry *next = entry->next;

            call(presence, entry, argument);
            entry = next;
        }
    }
}

static void drop_each(struct presence *presence, struct presence_entry *entry,
                      int argument)
{
    (void)argument;
    drop(presence, entry);
}

void presence_destroy(struct presence **presence)
{
    struct presence *mine = *presence;

    *presence = NULL;
    if (mine == NULL)
        return;
    presence_each(mine, drop_each, 0);
    free(mine->buckets);
    uv_cond_destroy(&mine->changed);
    uv_mutex_destroy(&mine->mutex);
    free(mine);
}

/* ---- those who subscribe here ----------------------------------------------- */

struct presence_entry *presence_open(struct presence *presence,
                                     struct text channel)
{
    struct presence_entry *entry;

    uv_mutex_lock(&presence->mutex);
    entry = presence_find_or_add(presence, channel);
    if (entry != NULL)
        entry->opened++;
    uv_mutex_unlock(&presence->mutex);
    return entry;
}

void presence_close(struct presence *presence, struct presence_entry **entry)
{
    struct presence_entry *mine = *entry;

    *entry = NULL;
    if (mine == NULL)
        return;
    uv_mutex_lock(&presence->mutex);
    mine->opened--;
    presence_drop_if_unneeded(presence, mine);
    uv_mutex_unlock(&presence->mutex);
}

void presence_add(struct presence *presence, struct presence_entry *entry,
                  int by)
{
    uv_mutex_lock(&presence->mutex);
    entry->local += (uint32_t)by;
    presence_queue(presence, entry);
    uv_mutex_unlock(&presence->mutex);
}

/* ---- what is to be told ------------------------------------------------------ */

static int64_t due_ms(const struct presence *presence,
                      const struct presence_entry *entry)
{
    return entry->told_ms + presence->quiet_ms;
}

/* What has cooled is at rest, or to be told again. */
static void end_cooling(struct presence *presence, int64_t now_ms,
                        int64_t *next_ms_out)
{
    *next_ms_out = INT64_MAX;
    while (!list_is_empty(&presence->cooling)) {
        struct presence_entry *entry =
            CONTAINER_OF(presence->cooling.next, struct presence_entry, queued);

        if (due_ms(presence, entry) > now_ms) {
            *next_ms_out = due_ms(presence, entry);
            return;
        }
        list_remove(&entry->queued);
        presence_queue(presence, entry);
        presence_drop_if_unneeded(presence, entry);
    }
}

static void tell(struct presence *presence, struct presence_entry *entry,
                 int64_t now_ms, struct presence_news *news)
{
    const bool was_occupied = entry->occupied;

    entry->occupied = entry->local + entry->remote > 0;
    memcpy(news->channel, entry->name, entry->name_bytes + 1u);
    news->local = entry->local;
    news->total = entry->local + entry->remote;
    news->change = was_occupied == entry->occupied ? PRESENCE_SOME
                   : entry->occupied               ? PRESENCE_FIRST
                                                   : PRESENCE_LAST;
    entry->told = entry->local;
    entry->told_ms = now_ms;
    entry->must_tell = false;
    list_remove(&entry->queued);
    list_append(&presence->cooling, &entry->queued);
}

unsigned presence_take(struct presence *presence, int64_t now_ms,
                       struct presence_news *news, unsigned room,
                       int64_t *next_ms_out)
{
    unsigned count = 0;

    uv_mutex_lock(&presence->mutex);
    end_cooling(presence, now_ms, next_ms_out);
    while (count < room && !list_is_empty(&presence->ready)) {
        struct presence_entry *entry =
            CONTAINER_OF(presence->ready.next, struct presence_entry, queued);

        if (presence_is_to_be_told(entry)) {
            tell(presence, entry, now_ms, &news[count++]);
            continue;
        }
        list_remove(&entry->queued); /* it came and went */
        presence_drop_if_unneeded(presence, entry);
    }
    if (!list_is_empty(&presence->ready))
        *next_ms_out = now_ms;
    else if (count > 0 && *next_ms_out == INT64_MAX)
        *next_ms_out = now_ms + presence->quiet_ms;
    uv_mutex_unlock(&presence->mutex);
    return count;
}

void presence_wait(struct presence *presence, int64_t now_ms, int64_t until_ms,
                   bool until_ready)
{
    uv_mutex_lock(&presence->mutex);
    if (!presence->is_woken && until_ms > now_ms &&
        !(until_ready && !list_is_empty(&presence->ready)))
        (void)uv_cond_timedwait(&presence->changed, &presence->mutex,
                                (uint64_t)(until_ms - now_ms) * 1000000u);
    presence->is_woken = false;
    uv_mutex_unlock(&presence->mutex);
}

void presence_wake(struct presence *presence)
{
    uv_mutex_lock(&presence->mutex);
    presence->is_woken = true;
    uv_cond_signal(&presence->changed);
    uv_mutex_unlock(&presence->mutex);
}

static void tell_again(struct presence *presence, struct presence_entry *entry,
                       int argument)
{
    (void)argument;
    if (entry->local == 0 && entry->told == 0)
        return;
    entry->must_tell = true;
    presence_queue(presence, entry);
}

void presence_resend(struct presence *presence)
{
    uv_mutex_lock(&presence->mutex);
    presence_each(presence, tell_again, 0);
    uv_mutex_unlock(&presence->mutex);
}

/* ---- asking ------------------------------------------------------------------ */

bool presence_counts(struct presence *presence, struct text channel,
                     uint32_t *local_out, uint32_t *total_out)
{
    const struct presence_entry *entry;
    bool is_there;

    uv_mutex_lock(&presence->mutex);
    entry = presence_find(presence, channel, registry_hash(channel));
    is_there = entry != NULL && entry->local + entry->remote > 0;
    if (is_there) {
        *local_out = entry->local;
        *total_out = entry->local + entry->remote;
    }
    uv_mutex_unlock(&presence->mutex);
    return is_there;
}

void presence_figures(struct presence *presence,
                      struct presence_figures *figures_out)
{
    memset(figures_out, 0, sizeof *figures_out);
    uv_mutex_lock(&presence->mutex);
    figures_out->channels = presence->entry_count;
    figures_out->uncounted = presence->uncounted;
    for (int i = 0; i < PRESENCE_PEERS_MAX; i++)
        figures_out->peers += presence->peers[i].is_there;
    uv_mutex_unlock(&presence->mutex);
}
