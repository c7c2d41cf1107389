/* deadlines.c -- FIFO lists per duration.
 *
 * Everything in one list waits equally long, so the list is in order of due
 * time without sorting. The durations are few (the settings, and whole seconds
 * of long-poll timeouts): a linear search finds the list, and the array is
 * allocated once so that list heads never move.
 */
#include "deadlines.h"

#include <tidings/check.h>

#include <stdlib.h>

void deadlines_init(struct deadlines *deadlines)
{
    deadlines->lists = must_calloc(DEADLINE_LISTS, sizeof *deadlines->lists);
    deadlines->count = 0;
}

void deadlines_fini(struct deadlines *deadlines)
{
    for (unsigned i = 0; i < deadlines->count; i++)
        CHECK(list_is_empty(&deadlines->lists[i].waiting));
    free(deadlines->lists);
    deadlines->lists = NULL;
    deadlines->count = 0;
}

void deadline_init(struct deadline *deadline)
{
    list_init(&deadline->node);
    deadline->due_ms = 0;
}

/* The list of this duration, or when all are taken the next longer one. */
static struct deadline_list *list_of(struct deadlines *deadlines,
                                     int64_t duration_ms)
{
    struct deadline_list *nearest = NULL;

    for (unsigned i = 0; i < deadlines->count; i++) {
        struct deadline_list *list = &deadlines->lists[i];

        if (list->duration_ms == duration_ms)
            return list;
        if (list->duration_ms > duration_ms &&
            (nearest == NULL || list->duration_ms < nearest->duration_ms))
            nearest = list;
    }
    if (deadlines->count == DEADLINE_LISTS)
        return nearest != NULL ? nearest : &deadlines->lists[0];
    nearest = &deadlines->lists[deadlines->count++];
    nearest->duration_ms = duration_ms;
    list_init(&nearest->waiting);
    return nearest;
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline,
                  int64_t duration_ms, int64_t now_ms)
{
    struct deadline_list *list = list_of(deadlines, duration_ms);

    list_remove(&deadline->node);
    deadline->due_ms = now_ms + list->duration_ms;
    list_append(&list->waiting, &deadline->node);
}

void deadline_clear(struct deadline *deadline)
{
    list_remove(&deadline->node);
}

static struct deadline *head_of(const struct deadline_list *list)
{
    return list_is_empty(&list->waiting)
               ? NULL
               : CONTAINER_OF(list->waiting.next, struct deadline, node);
}

struct deadline *deadlines_expired(struct deadlines *deadlines, int64_t now_ms)
{
    for (unsigned i = 0; i < deadlines->count; i++) {
        struct deadline *head = head_of(&deadlines->lists[i]);

        if (head != NULL && head->due_ms <= now_ms) {
            deadline_clear(head);
            return head;
        }
    }
    return NULL;
}

int64_t deadlines_next_ms(const struct deadlines *deadlines)
{
    int64_t next_ms = INT64_MAX;

    for (unsigned i = 0; i < deadlines->count; i++) {
        const struct deadline *head = head_of(&deadlines->lists[i]);

        if (head != NULL && head->due_ms < next_ms)
            next_ms = head->due_ms;
    }
    return next_ms;
}
