/* presence.h -- how many subscribers each channel has, here and on the other
 * instances.
 *
 * Crew threads count theirs as they join and leave; one thread takes what has
 * changed and tells the others (nats_presence.c); what the others say is put in
 * here too. So a channel needs no event to be counted.
 *
 * An entry is in one of three places: at rest; among those to be told; or told
 * lately, where changes gather until it may be told again, `quiet_ms` later. So
 * a channel is told at most once in that time, however much happens.
 *
 * Full      `channels_max` entries. A channel that finds no room is not counted
 *           as long as its subscribers stay, here; that is counted.
 *
 * Threads   open, close, add: crew threads. take, wait, resend, expire: the
 *           thread that tells. peer_*, remote: NATS' callback thread. counts:
 *           any. One leaf lock, held for a few steps, and for one walk when
 *           another instance has gone.
 * Memory    Entries live while somebody is counted in them or they are to be told.
 * Units     Subscribers; milliseconds on the monotonic clock.
 * Errors    open gives NULL: no room.
 */
#ifndef TIDINGS_PRESENCE_H
#define TIDINGS_PRESENCE_H

#include <tidings/event.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

#define PRESENCE_PEERS_MAX      256
#define INSTANCE_NAME_MAX_BYTES 64

struct presence;
struct presence_entry;

struct presence *presence_create(struct text instance, unsigned channels_max,
                                 int64_t quiet_ms);
void presence_destroy(struct presence **presence);
const char *presence_instance(const struct presence *presence);

/* ---- those who subscribe here --------------------------------------------- */

/* Each opened entry is closed once, with nobody left in it. */
struct presence_entry *presence_open(struct presence *presence,
                                     struct text channel);
void presence_close(struct presence *presence, struct presence_entry **entry);
void presence_add(struct presence *presence, struct presence_entry *entry,
                  int by);

/* ---- what is to be told ---------------------------------------------------- */

/* FIRST: nobody was there before, on any instance; LAST: nobody is any more. */
enum presence_change { PRESENCE_SOME, PRESENCE_FIRST, PRESENCE_LAST };

struct presence_news {
    char channel[EVENT_CHANNEL_MAX_BYTES + 1];
    uint32_t local, total;
    enum presence_change change;
};

/* Up to `room` channels that may be told now. `*next_ms_out`: when to come again
 * for those that were told lately; INT64_MAX: when something changes. */
unsigned presence_take(struct presence *presence, int64_t now_ms,
                       struct presence_news *news, unsigned room,
                       int64_t *next_ms_out);

/* Returns at `until_ms`, when woken, or, if that is wanted, when there is
 * something to take. */
void presence_wait(struct presence *presence, int64_t now_ms, int64_t until_ms,
                   bool until_ready);
void presence_wake(struct presence *presence);

/* All that have subscribers here are to be told: somebody does not know them. */
void presence_resend(struct presence *presence);

/* ---- the other instances --------------------------------------------------- */

/* A sign of life. `boot` tells two lives of one name apart: with another one its
 * old counts are gone. True: it was not known; it may not know us. More than
 * PRESENCE_PEERS_MAX are not counted, and stay new. */
bool presence_peer_seen(struct presence *presence, struct text instance,
                        uint64_t boot, int64_t now_ms);

/* The same, and how many it has on a channel. */
bool presence_remote(struct presence *presence, struct text instance,
                     uint64_t boot, struct text channel, uint32_t count,
                     int64_t now_ms);
void presence_peer_left(struct presence *presence, struct text instance);
/* Forgets whom nobody heard of since `silent_since_ms`. */
void presence_expire(struct presence *presence, int64_t silent_since_ms);

/* ---- asking ---------------------------------------------------------------- */

/* False: nobody is there, or it found no room. */
bool presence_counts(struct presence *presence, struct text channel,
                     uint32_t *local_out, uint32_t *total_out);

struct presence_figures {
    uint64_t channels, peers, uncounted;
};
void presence_figures(struct presence *presence,
                      struct presence_figures *figures_out);

#endif
