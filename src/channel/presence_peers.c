/* presence_peers.c -- the other instances, and the first and the last.
 *
 * `occupied` is whether the channel was taken to have anybody, on
 * any instance, when that was last looked at. Who tells its own change compares:
 * empty before and not now is FIRST, the other way is LAST. Two instances can
 * lose their last subscriber at once, each while it still counts the other's; so
 * whoever told a zero within CROSSING_MS and then hears the zero that makes the
 * channel empty tells its own again, as LAST. And when an instance has gone
 * without a word, the one with the least name tells for it. So FIRST and LAST are
 * told at least once, sometimes twice.
 */
#include "presence_table.h"

#include "../base/seeded_bug.h"
#include <tidings/check.h>
#include <tidings/registry.h>

#include <string.h>

enum { CROSSING_MS = 5000 };

void presence_copy_name(char *room, struct text name)
{
    const size_t bytes = name.length < INSTANCE_NAME_MAX_BYTES
                             ? name.length
                             : INSTANCE_NAME_MAX_BYTES;

    memcpy(room, name.bytes, bytes);
    room[bytes] = '\0';
}

/* ---- the other instances ------------------------------------------------------ */

static struct share *share_of(struct presence_entry *entry, int peer)
{
    for (uint32_t i = 0; i < entry->share_count; i++)
        if (entry->shares[i].peer == peer)
            return &entry->shares[i];
    return NULL;
}

static void forget_share(struct presence_entry *entry, int peer)
{
    struct share *share = share_of(entry, peer);

    if (share == NULL)
        return;
    entry->remote -= share->count;
    *share = entry->shares[--entry->share_count];
}

static void set_share(struct presence_entry *entry, int peer, uint32_t count)
{
    struct share *share;

    forget_share(entry, peer);
    if (count == 0)
        return;
    entry->shares = must_realloc(entry->shares, (entry->share_count + 1) *
                                                    sizeof entry->shares[0]);
    share = &entry->shares[entry->share_count++];
    *share = (struct share){(uint16_t)peer, count};
    entry->remote += count;
}

/* Another instance's part has changed. */
static void look_at_rest(struct presence *presence,
                         struct presence_entry *entry, bool tells_last)
{
    const bool is_occupied = entry->local + entry->remote > 0;

    if (presence_is_to_be_told(entry))
        return; /* it is compared when it is told */
    if (entry->occupied && !is_occupied && tells_last &&
        !seeded_bug("presence-last-untold")) {
        entry->must_tell = true;
        presence_queue(presence, entry);
        return;
    }
    entry->occupied = is_occupied;
    presence_drop_if_unneeded(presence, entry);
}

static bool has_least_name(const struct presence *presence)
{
    for (int i = 0; i < PRESENCE_PEERS_MAX; i++)
        if (presence->peers[i].is_there &&
            strcmp(presence->peers[i].name, presence->instance) < 0)
            return false;
    return true;
}

static void forget_peer_in(struct presence *presence,
                           struct presence_entry *entry, int peer)
{
    if (share_of(entry, peer) == NULL)
        return;
    forget_share(entry, peer);
    look_at_rest(presence, entry, has_least_name(presence));
}

static void forget_peer(struct presence *presence, int peer)
{
    presence->peers[peer].is_there = false;
    if (seeded_bug("presence-outlives-its-instance"))
        return;
    presence_each(presence, forget_peer_in, peer);
}

static int find_peer(const struct presence *presence, struct text name)
{
    for (int i = 0; i < PRESENCE_PEERS_MAX; i++)
        if (presence->peers[i].is_there &&
            text_is(name, presence->peers[i].name))
            return i;
    return -1;
}

static int add_peer(struct presence *presence, struct text name)
{
    for (int i = 0; i < PRESENCE_PEERS_MAX; i++) {
        if (presence->peers[i].is_there)
            continue;
        presence->peers[i].is_there = true;
        presence_copy_name(presence->peers[i].name, name);
        return i;
    }
    return -1;
}

static int see_peer(struct presence *presence, struct text instance,
                    uint64_t boot, int64_t now_ms, bool *is_new_out)
{
    int peer = find_peer(presence, instance);

    *is_new_out = peer < 0 || presence->peers[peer].boot != boot;
    if (peer >= 0 && *is_new_out)
        forget_peer(presence, peer);
    if (*is_new_out)
        peer = add_peer(presence, instance);
    if (peer >= 0) {
        presence->peers[peer].boot = boot;
        presence->peers[peer].heard_ms = now_ms;
    }
    return peer;
}

bool presence_peer_seen(struct presence *presence, struct text instance,
                        uint64_t boot, int64_t now_ms)
{
    bool is_new;

    uv_mutex_lock(&presence->mutex);
    (void)see_peer(presence, instance, boot, now_ms, &is_new);
    uv_mutex_unlock(&presence->mutex);
    return is_new;
}

bool presence_remote(struct presence *presence, struct text instance,
                     uint64_t boot, struct text channel, uint32_t count,
                     int64_t now_ms)
{
    struct presence_entry *entry = NULL;
    bool is_new;
    int peer;

    uv_mutex_lock(&presence->mutex);
    peer = see_peer(presence, instance, boot, now_ms, &is_new);
    if (peer >= 0)
        entry = count > 0
                    ? presence_find_or_add(presence, channel)
                    : presence_find(presence, channel, registry_hash(channel));
    if (entry != NULL) {
        set_share(entry, peer, count);
        look_at_rest(presence, entry,
                     entry->told_ms > 0 && entry->told == 0 &&
                         now_ms - entry->told_ms < CROSSING_MS);
    }
    uv_mutex_unlock(&presence->mutex);
    return is_new;
}

void presence_peer_left(struct presence *presence, struct text instance)
{
    int peer;

    uv_mutex_lock(&presence->mutex);
    peer = find_peer(presence, instance);
    if (peer >= 0)
        forget_peer(presence, peer);
    uv_mutex_unlock(&presence->mutex);
}

void presence_expire(struct presence *presence, int64_t silent_since_ms)
{
    uv_mutex_lock(&presence->mutex);
    for (int i = 0; i < PRESENCE_PEERS_MAX; i++)
        if (presence->peers[i].is_there &&
            presence->peers[i].heard_ms < silent_since_ms)
            forget_peer(presence, i);
    uv_mutex_unlock(&presence->mutex);
}
