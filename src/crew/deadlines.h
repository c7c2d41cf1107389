/* deadlines.h -- when each connection's patience ends.
 *
 * One list per duration, first in first out: setting is moving to the tail,
 * expiring is popping the head, both O(1), and no timer per connection.
 *
 * Threads   The crew thread that owns the lists.
 * Memory    Nodes are inside connections; at most DEADLINE_LISTS durations, a
 *           longer one is rounded up to the next list when there are more.
 * Units     Milliseconds, monotonic.
 * Errors    None.
 */
#ifndef CREW_DEADLINES_H
#define CREW_DEADLINES_H

#include <tidings/list.h>

#include <stdint.h>

enum { DEADLINE_LISTS = 400 };

struct deadline {
    struct list_node node;
    int64_t due_ms;
};

struct deadline_list {
    int64_t duration_ms;
    struct list_node waiting;
};

struct deadlines {
    struct deadline_list *lists; /* in the order of first use */
    unsigned count;
};

void deadlines_init(struct deadlines *deadlines);
void deadlines_fini(struct deadlines *deadlines);

void deadline_init(struct deadline *deadline);
void deadline_set(struct deadlines *deadlines, struct deadline *deadline,
                  int64_t duration_ms, int64_t now_ms);
void deadline_clear(struct deadline *deadline);

/* One that has passed, cleared; NULL if none. */
struct deadline *deadlines_expired(struct deadlines *deadlines, int64_t now_ms);

/* The earliest; INT64_MAX if none is set. */
int64_t deadlines_next_ms(const struct deadlines *deadlines);

#endif
