/* presence_table.h -- the inside of presence.h, for the two files that it has:
 * presence.c, what is here and is told; presence_peers.c, what others say.
 *
 * Threads   Any; everything below wants the lock held, but for what is fixed.
 * Memory    As in presence.h.
 * Units     As in presence.h.
 * Errors    NULL: there is none, or no room.
 */
#ifndef CHANNEL_PRESENCE_TABLE_H
#define CHANNEL_PRESENCE_TABLE_H

#include <tidings/list.h>
#include <tidings/presence.h>

#include <uv.h>

struct share { /* of another instance */
    uint16_t peer;
    uint32_t count;
};

struct presence_entry {
    struct presence_entry *next; /* in its bucket */
    struct list_node queued;     /* in ready or cooling; else empty */
    bool must_tell;              /* although nothing changed here */
    bool occupied;
    int64_t told_ms;      /* 0: never */
    uint32_t opened;      /* handles of crew threads */
    uint32_t local, told; /* subscribers here, and as the others know it */
    uint32_t remote;      /* sum of shares */
    struct share *shares;
    uint32_t share_count;
    uint64_t hash;
    uint16_t name_bytes;
    char name[];
};

struct peer {
    bool is_there;
    uint64_t boot;
    int64_t heard_ms;
    char name[INSTANCE_NAME_MAX_BYTES + 1];
};

struct presence {
    char instance[INSTANCE_NAME_MAX_BYTES + 1]; /* fixed at create */
    unsigned channels_max;                      /* fixed at create */
    int64_t quiet_ms;                           /* fixed at create */

    uv_mutex_t mutex; /* a leaf */
    uv_cond_t changed;

    /* Guarded by mutex. */
    struct presence_entry **buckets;
    unsigned bucket_count, entry_count;
    struct list_node ready, cooling;
    bool is_woken;
    uint64_t uncounted;
    struct peer peers[PRESENCE_PEERS_MAX];
};

struct presence_entry *presence_find(const struct presence *presence,
                                     struct text name, uint64_t hash);
struct presence_entry *presence_find_or_add(struct presence *presence,
                                            struct text name);
void presence_drop_if_unneeded(struct presence *presence,
                               struct presence_entry *entry);

/* Has its count changed since it was told, or must it be told again? */
bool presence_is_to_be_told(const struct presence_entry *entry);

/* Puts it among those to be told, if it is to be. One that cools stays: it is
 * looked at when it is due. */
void presence_queue(struct presence *presence, struct presence_entry *entry);

/* Every entry; it may go during its call. */
typedef void presence_entry_fn(struct presence *presence,
                               struct presence_entry *entry, int argument);
void presence_each(struct presence *presence, presence_entry_fn *call,
                   int argument);

/* What is too long is cut. */
void presence_copy_name(char *room, struct text name);

#endif
