/* parcel.c -- slots by number, parcels by age.
 *
 * All deadlines are equally long, so the list of parcels is in the order of their
 * deadlines, and looking for those that are over ends at the first that is not.
 * Whoever walks a parcel holds it: the last outcome of its events would free it.
 */
#include "parcel.h"

#include <tidings/check.h>

#include <stdlib.h>

void parcels_init(struct parcels *parcels, bool settles_acked)
{
    *parcels = (struct parcels){.settles_acked = settles_acked};
    list_init(&parcels->oldest_first);
}

void parcels_fini(struct parcels *parcels)
{
    CHECK(list_is_empty(&parcels->oldest_first));
    for (unsigned i = 0; i < parcels->slot_count; i++)
        free(parcels->slots[i]);
    free((void *)parcels->slots);
}

struct parcel *parcels_open(struct parcels *parcels, struct publish *publish,
                            int64_t deadline_ms)
{
    struct parcel *parcel = must_calloc(
        1, sizeof *parcel + publish->count * sizeof parcel->slots[0]);

    parcel->publish = publish;
    parcel->deadline_ms = deadline_ms;
    list_append(&parcels->oldest_first, &parcel->node);
    return parcel;
}

static struct slot *new_slot(struct parcels *parcels)
{
    struct slot *slot = must_calloc(1, sizeof *slot);

    if (parcels->slot_count == parcels->slot_room) {
        parcels->slot_room = parcels->slot_room * 2 + 64;
        parcels->slots =
            must_realloc((void *)parcels->slots,
                         parcels->slot_room * sizeof(parcels->slots[0]));
    }
    slot->number = parcels->slot_count;
    parcels->slots[parcels->slot_count++] = slot;
    return slot;
}

struct slot *parcels_open_slot(struct parcels *parcels, struct parcel *parcel,
                               unsigned index)
{
    struct slot *slot = parcels->free_slots;

    if (slot != NULL)
        parcels->free_slots = slot->next_free;
    else
        slot = new_slot(parcels);
    slot->serial += slot->serial == UINT32_MAX ? 2 : 1; /* never 0 */
    slot->parcel = parcel;
    slot->index = index;
    slot->sequence = 0;
    slot_become(parcels, slot, SLOT_SENT);
    parcel->slots[index] = slot;
    parcel->open_slots++;
    return slot;
}

static bool is_settling(const struct parcels *parcels, enum slot_stage stage)
{
    return stage == SLOT_SEEN ||
           (stage == SLOT_ACKED && parcels->settles_acked);
}

void slot_become(struct parcels *parcels, struct slot *slot,
                 enum slot_stage stage)
{
    if (is_settling(parcels, slot->stage))
        parcels->settling--;
    if (is_settling(parcels, stage))
        parcels->settling++;
    slot->stage = stage;
}

struct ticket slot_ticket(const struct slot *slot)
{
    return (struct ticket){slot->number, slot->serial};
}

struct slot *parcels_find(struct parcels *parcels, const struct ticket *ticket)
{
    struct slot *slot;

    if (ticket->serial == 0 || ticket->slot >= parcels->slot_count)
        return NULL;
    slot = parcels->slots[ticket->slot];
    return slot->stage != SLOT_FREE && slot->serial == ticket->serial ? slot
                                                                      : NULL;
}

void parcels_close_slot(struct parcels *parcels, struct slot *slot)
{
    CHECK(slot->stage != SLOT_FREE);
    slot_become(parcels, slot, SLOT_FREE);
    slot->parcel->slots[slot->index] = NULL;
    slot->parcel->open_slots--;
    slot->parcel = NULL;
    slot->next_free = parcels->free_slots;
    parcels->free_slots = slot;
}

/* One event's outcome is its own; of several the first that failed. */
static enum status result_of(const struct publish *publish)
{
    for (unsigned i = 0; i < publish->count; i++)
        if (publish->events[i]->refused != ST_OK)
            return (enum status)publish->events[i]->refused;
    return ST_OK;
}

void parcels_answer(struct parcel **parcel)
{
    struct parcel *mine = *parcel;
    struct publish *publish = mine->publish;

    *parcel = NULL;
    CHECK(mine->open_slots == 0);
    list_remove(&mine->node);
    free(mine);
    publish->result = result_of(publish);
    publish->answer(publish);
}

void parcel_hold(struct parcel *parcel)
{
    parcel->open_slots++;
}

void parcel_release(struct parcel **parcel)
{
    if (--(*parcel)->open_slots == 0)
        parcels_answer(parcel);
    *parcel = NULL;
}

void parcels_each(struct parcels *parcels, int64_t upto_ms, slot_fn *each,
                  void *arg)
{
    struct list_node *node = parcels->oldest_first.next, *next;

    for (; node != &parcels->oldest_first; node = next) {
        struct parcel *parcel = CONTAINER_OF(node, struct parcel, node);
        const unsigned count = parcel->publish->count;

        if (parcel->deadline_ms > upto_ms)
            return;
        next = node->next; /* answering touches this parcel alone */
        parcel_hold(parcel);
        for (unsigned i = 0; i < count; i++)
            if (parcel->slots[i] != NULL)
                each(arg, parcel->slots[i]);
        parcel_release(&parcel);
    }
}
