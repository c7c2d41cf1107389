/* pattern.h -- the patterns that somebody on this thread subscribes to.
 *
 * A trie over tokens, kept as one hash table of (node, token) edges: finding
 * the patterns that cover a channel takes two look-ups per token and branch,
 * however many patterns there are.
 *
 * Threads   The crew thread that owns the set.
 * Memory    A pattern lives while it has members; nodes live while a pattern is
 *           below them.
 * Units     None.
 * Errors    None: selectors were checked by wire/names.c.
 */
#ifndef CHANNEL_PATTERN_H
#define CHANNEL_PATTERN_H

#include <tidings/list.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

struct pattern_node;

struct pattern {
    struct list_node members; /* of struct membership */
    struct list_node idle;    /* for the directory: released at turn's end */
    unsigned member_count;
    struct pattern_node *node;
    uint16_t selector_bytes;
    char selector[];
};

struct pattern_set {
    struct pattern_node *root;
    struct pattern_node **edges; /* hash table of all nodes but the root */
    unsigned edge_count, edge_capacity;
    unsigned pattern_count;
    uint64_t generation; /* changes when a pattern comes or goes */
};

void pattern_set_init(struct pattern_set *set);
void pattern_set_fini(struct pattern_set *set);

static inline struct text pattern_selector(const struct pattern *pattern)
{
    return (struct text){pattern->selector, pattern->selector_bytes};
}

struct pattern *pattern_set_add(struct pattern_set *set, struct text selector);

/* NULL if nobody subscribes to it. */
struct pattern *pattern_set_find(const struct pattern_set *set,
                                 struct text selector);

/* Frees the pattern if it has no members. */
void pattern_set_release(struct pattern_set *set, struct pattern *pattern);

typedef void pattern_match_fn(void *arg, struct pattern *pattern);
void pattern_set_match(struct pattern_set *set, struct text channel,
                       pattern_match_fn *match, void *arg);

/* Every pattern, in no order. */
void pattern_set_each(struct pattern_set *set, pattern_match_fn *each,
                      void *arg);

#endif
