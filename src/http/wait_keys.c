/* wait_keys.c -- a hash table of the keys that are held.
 *
 * The name of an entry is its selectors, a slash, the length of the key in a byte,
 * the key, and whose it is: no slash can be in a selector, so nothing of one part
 * is taken for another's.
 */
#include "wait_keys.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/registry.h>

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct wait_key {
    struct wait_key *next;
    uint64_t hash;
    size_t length;
    char name[];
};

struct wait_keys {
    struct wait_key *buckets[BUCKETS];
};

struct wait_keys *wait_keys_create(void)
{
    return must_calloc(1, sizeof(struct wait_keys));
}

void wait_keys_destroy(struct wait_keys **keys)
{
    if (*keys == NULL)
        return;
    for (unsigned i = 0; i < BUCKETS; i++)
        CHECK((*keys)->buckets[i] == NULL);
    free(*keys);
    *keys = NULL;
}

static void append_name(struct buffer *name, const struct order *order,
                        struct text owner)
{
    for (unsigned i = 0; i < order->selector_count; i++) {
        buffer_append_text(name, order->selectors[i]);
        buffer_append_char(name, ',');
    }
    buffer_append_char(name, '/');
    buffer_append_char(name, (char)order->wait_key.length);
    buffer_append_text(name, order->wait_key);
    if (!seeded_bug("wait-key-unowned"))
        buffer_append_text(name, owner);
}

struct wait_key *wait_keys_hold(struct wait_keys *keys,
                                const struct order *order, struct text owner)
{
    struct buffer name;
    struct wait_key *key, **bucket;
    uint64_t hash;

    buffer_init(&name);
    append_name(&name, order, owner);
    hash = registry_hash(buffer_text(&name));
    bucket = &keys->buckets[hash % BUCKETS];
    for (key = *bucket; key != NULL; key = key->next)
        if (key->hash == hash &&
            text_equals((struct text){key->name, key->length},
                        buffer_text(&name)))
            break;
    if (key != NULL) {
        buffer_fini(&name);
        return NULL;
    }
    key = must_calloc(1, sizeof *key + name.length);
    key->hash = hash;
    key->length = name.length;
    memcpy(key->name, name.bytes, name.length);
    key->next = *bucket;
    *bucket = key;
    buffer_fini(&name);
    return key;
}

void wait_keys_free(struct wait_keys *keys, struct wait_key **key)
{
    struct wait_key **place;

    if (*key == NULL)
        return;
    place = &keys->buckets[(*key)->hash % BUCKETS];
    while (*place != *key)
        place = &(*place)->next;
    *place = (*key)->next;
    free(*key);
    *key = NULL;
}
