/* pattern.c -- NATS patterns as a trie with hashed edges.
 *
 * `orders.*.paid` is the path root -orders-> -*-> -paid->; a pattern hangs on
 * the node where it ends, and `orders.>` on the `>` child of `orders`. A
 * channel is matched by walking every path that its tokens or `*` can take.
 * Nodes count what hangs below them and go away with the last.
 */
#include "pattern.h"

#include <tidings/check.h>
#include <tidings/registry.h>

#include <stdlib.h>
#include <string.h>

struct pattern_node {
    struct pattern_node *parent;
    struct pattern_node *next; /* in the edge table's bucket */
    struct pattern *pattern;   /* that ends here, or NULL */
    unsigned below;            /* children and own pattern */
    uint64_t hash;
    uint16_t token_bytes;
    char token[];
};

enum { FIRST_CAPACITY = 64 };

void pattern_set_init(struct pattern_set *set)
{
    memset(set, 0, sizeof *set);
    set->edge_capacity = FIRST_CAPACITY;
    set->edges = must_calloc(set->edge_capacity, sizeof *set->edges);
    set->root = must_calloc(1, sizeof *set->root);
}

void pattern_set_fini(struct pattern_set *set)
{
    CHECK(set->pattern_count == 0 && set->edge_count == 0);
    free(set->edges);
    free(set->root);
    memset(set, 0, sizeof *set);
}

static uint64_t edge_hash(const struct pattern_node *parent, struct text token)
{
    return registry_hash(token) ^ ((uint64_t)(uintptr_t)parent * 0x9e3779b1u);
}

static struct pattern_node **bucket(const struct pattern_set *set,
                                    uint64_t hash)
{
    return &set->edges[hash & (set->edge_capacity - 1)];
}

static struct pattern_node *find_child(const struct pattern_set *set,
                                       const struct pattern_node *parent,
                                       struct text token)
{
    uint64_t hash = edge_hash(parent, token);
    struct pattern_node *node = *bucket(set, hash);

    while (node != NULL &&
           (node->hash != hash || node->parent != parent ||
            !text_equals((struct text){node->token, node->token_bytes}, token)))
        node = node->next;
    return node;
}

static void grow(struct pattern_set *set)
{
    struct pattern_node **old = set->edges;
    unsigned old_capacity = set->edge_capacity;

    set->edge_capacity *= 2;
    set->edges = must_calloc(set->edge_capacity, sizeof *set->edges);
    for (unsigned i = 0; i < old_capacity; i++) {
        for (struct pattern_node *node = old[i], *next; node; node = next) {
            struct pattern_node **place = bucket(set, node->hash);

            next = node->next;
            node->next = *place;
            *place = node;
        }
    }
    free(old);
}

static struct pattern_node *add_child(struct pattern_set *set,
                                      struct pattern_node *parent,
                                      struct text token)
{
    struct pattern_node *node = must_calloc(1, sizeof *node + token.length);
    struct pattern_node **place;

    if (set->edge_count == set->edge_capacity)
        grow(set);
    node->parent = parent;
    node->hash = edge_hash(parent, token);
    node->token_bytes = (uint16_t)token.length;
    memcpy(node->token, token.bytes, token.length);
    place = bucket(set, node->hash);
    node->next = *place;
    *place = node;
    set->edge_count++;
    parent->below++;
    return node;
}

static void remove_edge(struct pattern_set *set, struct pattern_node *node)
{
    struct pattern_node **place = bucket(set, node->hash);

    while (*place != node)
        place = &(*place)->next;
    *place = node->next;
    set->edge_count--;
    node->parent->below--;
    free(node);
}

/* Cuts the first token off `rest`; false when nothing is left. */
static bool next_token(struct text *rest, struct text *token_out)
{
    const char *dot;

    if (rest->bytes == NULL)
        return false;
    dot = memchr(rest->bytes, '.', rest->length);
    if (dot == NULL) {
        *token_out = *rest;
        rest->bytes = NULL;
        return true;
    }
    token_out->bytes = rest->bytes;
    token_out->length = (size_t)(dot - rest->bytes);
    rest->length -= token_out->length + 1;
    rest->bytes = dot + 1;
    return true;
}

struct pattern *pattern_set_find(const struct pattern_set *set,
                                 struct text selector)
{
    const struct pattern_node *node = set->root;
    struct text rest = selector, token;

    while (node != NULL && next_token(&rest, &token))
        node = find_child(set, node, token);
    return node == NULL ? NULL : node->pattern;
}

struct pattern *pattern_set_add(struct pattern_set *set, struct text selector)
{
    struct pattern_node *node = set->root;
    struct text rest = selector, token;

    while (next_token(&rest, &token)) {
        struct pattern_node *child = find_child(set, node, token);

        node = child != NULL ? child : add_child(set, node, token);
    }
    if (node->pattern == NULL) {
        struct pattern *pattern =
            must_calloc(1, sizeof *pattern + selector.length);

        list_init(&pattern->members);
        list_init(&pattern->idle);
        pattern->node = node;
        pattern->selector_bytes = (uint16_t)selector.length;
        memcpy(pattern->selector, selector.bytes, selector.length);
        node->pattern = pattern;
        node->below++;
        set->pattern_count++;
        set->generation++;
    }
    return node->pattern;
}

void pattern_set_release(struct pattern_set *set, struct pattern *pattern)
{
    struct pattern_node *node = pattern->node;

    if (pattern->member_count > 0)
        return;
    CHECK(list_is_empty(&pattern->members));
    list_remove(&pattern->idle);
    free(pattern);
    node->pattern = NULL;
    node->below--;
    set->pattern_count--;
    set->generation++;
    while (node != set->root && node->below == 0) {
        struct pattern_node *parent = node->parent;

        remove_edge(set, node);
        node = parent;
    }
}

struct walk {
    const struct pattern_set *set;
    pattern_match_fn *match;
    void *arg;
};

/* As deep as the channel has tokens: at most 100, its length bounds it. */
static void walk_from(const struct walk *walk, const struct pattern_node *node,
                      struct text rest)
{
    struct text token;
    const struct pattern_node *child;

    if (!next_token(&rest, &token)) {
        if (node->pattern != NULL)
            walk->match(walk->arg, node->pattern);
        return;
    }
    child = find_child(walk->set, node, text_of(">"));
    if (child != NULL && child->pattern != NULL)
        walk->match(walk->arg, child->pattern);
    child = find_child(walk->set, node, token);
    if (child != NULL)
        walk_from(walk, child, rest);
    child = find_child(walk->set, node, text_of("*"));
    if (child != NULL)
        walk_from(walk, child, rest);
}

void pattern_set_match(struct pattern_set *set, struct text channel,
                       pattern_match_fn *match, void *arg)
{
    struct walk walk = {set, match, arg};

    if (set->pattern_count > 0)
        walk_from(&walk, set->root, channel);
}

void pattern_set_each(struct pattern_set *set, pattern_match_fn *each,
                      void *arg)
{
    for (unsigned i = 0; i < set->edge_capacity; i++) {
        struct pattern_node *node = set->edges[i];

        for (; node != NULL; node = node->next)
            if (node->pattern != NULL)
                each(arg, node->pattern);
    }
}
