/* list.h -- doubly linked list of nodes inside the things listed.
 *
 * A node that is in no list points at itself, so that removing it twice is
 * harmless and "is it listed" is a question.
 *
 * Threads   The list's owner.
 * Memory    None of its own.
 * Units     None.
 * Errors    None.
 */
#ifndef TIDINGS_LIST_H
#define TIDINGS_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list_node {
    struct list_node *previous, *next;
};

/* The thing that contains the node. */
#define CONTAINER_OF(node, type, member)                                       \
    ((type *)((uintptr_t)(node)-offsetof(type, member)))

static inline void list_init(struct list_node *list)
{
    list->previous = list->next = list;
}

static inline bool list_is_empty(const struct list_node *list)
{
    return list->next == list;
}

static inline void list_remove(struct list_node *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

static inline void list_append(struct list_node *list, struct list_node *node)
{
    node->previous = list->previous;
    node->next = list;
    list->previous->next = node;
    list->previous = node;
}

#endif
