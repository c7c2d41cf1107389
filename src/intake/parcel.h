/* parcel.h -- publishes on their way through the stream, event by event.
 *
 * A parcel is one publish; a slot one of its events, as long as it has no
 * outcome. A ticket names a slot from outside: slots are used again, under another
 * serial, so a ticket that comes late finds nothing.
 *
 * Threads   The publisher's.
 * Memory    Slots are kept for reuse; parcels are freed when answered.
 * Units     Monotonic milliseconds.
 * Errors    None.
 */
#ifndef TIDINGS_PARCEL_H
#define TIDINGS_PARCEL_H

#include <tidings/journal.h>
#include <tidings/list.h>

/* clang-format off */
#define SLOT_STAGES(S)                                                         \
    S(FREE,   "no event's")                                                    \
    S(SENT,   "not acknowledged yet")                                          \
    S(ACKED,  "the stream has it, the journal not yet")                        \
    S(SEEN,   "the stream had its key before; the journal is behind that")     \
    S(ASKING, "the journal is asked whose key it is")
/* clang-format on */

enum slot_stage {
#define S(name, meaning) SLOT_##name,
    SLOT_STAGES(S)
#undef S
};

struct ticket {
    uint32_t slot, serial; /* serial 0: none */
};

struct slot {
    struct parcel *parcel;
    unsigned index; /* of the event in the publish */
    uint32_t number, serial;
    enum slot_stage stage;
    uint64_t sequence; /* ACKED, SEEN */
    struct slot *next_free;
};

struct parcel {
    struct list_node node;
    struct publish *publish;
    int64_t deadline_ms;
    unsigned open_slots;
    struct slot *slots[]; /* one per event; NULL: it has its outcome */
};

struct parcels {
    struct list_node oldest_first;
    struct slot **slots; /* by number */
    unsigned slot_count, slot_room;
    struct slot *free_slots;
    unsigned settling; /* slots that wait for nothing that will be told */
    bool settles_acked;
};

/* `settles_acked`: slots that are ACKED wait for an id and not for a note. */
void parcels_init(struct parcels *parcels, bool settles_acked);
void parcels_fini(struct parcels *parcels);

/* Takes the publish; deadlines do not fall from one to the next. */
struct parcel *parcels_open(struct parcels *parcels, struct publish *publish,
                            int64_t deadline_ms);
struct slot *parcels_open_slot(struct parcels *parcels, struct parcel *parcel,
                               unsigned index);
void slot_become(struct parcels *parcels, struct slot *slot,
                 enum slot_stage stage);
struct ticket slot_ticket(const struct slot *slot);

/* NULL: its event has an outcome. */
struct slot *parcels_find(struct parcels *parcels, const struct ticket *ticket);

void parcels_close_slot(struct parcels *parcels, struct slot *slot);

/* All events have an outcome, in `refused`: answers the publish, frees. */
void parcels_answer(struct parcel **parcel);

/* Keeps the parcel until the matching release, which answers it if it is done. */
void parcel_hold(struct parcel *parcel);
void parcel_release(struct parcel **parcel);

/* Every open slot of parcels whose deadline is not after `upto_ms`. */
typedef void slot_fn(void *arg, struct slot *slot);
void parcels_each(struct parcels *parcels, int64_t upto_ms, slot_fn *each,
                  void *arg);

#endif
