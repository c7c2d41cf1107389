/* registry.c -- channels by name and by number, read without a lock.
 *
 * Entries live in chunks of 4,096, reached by number through a table of chunk
 * pointers that is reserved once for every possible number (8 MiB of address
 * space, of which only the touched pages are ever real). A chunk never moves,
 * so an entry's address is its identity.
 *
 * By name: open addressing with linear probing over a table of entry pointers,
 * at most half full, twice as large when it gets fuller. There is one writer.
 * It fills the new table before it publishes it and keeps the old ones until
 * the end (together they are no larger than the newest), so a reader that still
 * probes an old table only misses what was added after it looked.
 *
 * An entry is complete before its slot, its number and the count are published
 * with release; readers load with acquire.
 *
 * Numbers have holes when a channel's first commit failed and the process ended
 * before another: its number was never stored.
 */
#include <tidings/check.h>
#include <tidings/registry.h>

#include <stdlib.h>

#define CHUNK_ENTRIES  4096u
#define CHUNKS         (UINT32_MAX / CHUNK_ENTRIES + 1)
#define SLOTS_AT_START 1024u

struct slots {
    struct slots *older; /* freed with the registry */
    size_t mask;
    _Atomic(struct channel_entry *) slot[];
};

struct registry {
    unsigned limit; /* fixed at create */

    /* Written by the journal's thread, read by all. */
    _Atomic(struct slots *) slots;
    _Atomic(struct channel_entry *) *chunks; /* CHUNKS of them */
    _Atomic uint32_t highest;                /* number */
    atomic_uint count;
};

/* FNV-1a (Fowler, Noll, Vo), then the finisher of MurmurHash3 (Appleby): FNV
 * alone leaves the upper bits of short names alike. Both are public domain. */
uint64_t registry_hash(struct text name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < name.length; i++) {
        hash ^= (unsigned char)name.bytes[i];
        hash *= UINT64_C(0x100000001b3);
    }
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    hash ^= hash >> 33;
    return hash;
}

static struct slots *slots_create(size_t count, struct slots *older)
{
    struct slots *slots =
        must_calloc(1, sizeof *slots + count * sizeof slots->slot[0]);

    slots->mask = count - 1;
    slots->older = older;
    return slots;
}

struct registry *registry_create(unsigned limit)
{
    struct registry *registry = must_calloc(1, sizeof *registry);

    registry->limit = limit;
    registry->chunks = must_calloc(CHUNKS, sizeof registry->chunks[0]);
    atomic_init(&registry->slots, slots_create(SLOTS_AT_START, NULL));
    return registry;
}

static void free_names(void *arg, struct channel_entry *entry)
{
    union {
        const char *name;
        void *memory;
    } owned = {entry->name};

    (void)arg;
    free(owned.memory);
}

void registry_destroy(struct registry **registry)
{
    struct registry *mine = *registry;
    struct slots *slots;
    uint32_t highest;

    *registry = NULL;
    if (mine == NULL)
        return;
    registry_each(mine, free_names, NULL);
    highest = atomic_load(&mine->highest);
    for (uint32_t chunk = 0; chunk <= highest / CHUNK_ENTRIES; chunk++)
        free(atomic_load(&mine->chunks[chunk]));
    free(mine->chunks);
    slots = atomic_load(&mine->slots);
    while (slots != NULL) {
        struct slots *older = slots->older;

        free(slots);
        slots = older;
    }
    free(mine);
}

static struct channel_entry *find_hashed(struct registry *registry,
                                         struct text name, uint64_t hash)
{
    struct slots *slots =
        atomic_load_explicit(&registry->slots, memory_order_acquire);
    size_t at = hash & slots->mask;

    for (;;) {
        struct channel_entry *entry =
            atomic_load_explicit(&slots->slot[at], memory_order_acquire);

        if (entry == NULL)
            return NULL;
        if (entry->hash == hash && text_equals(channel_entry_name(entry), name))
            return entry;
        at = (at + 1) & slots->mask;
    }
}

struct channel_entry *registry_find(struct registry *registry, struct text name)
{
    return find_hashed(registry, name, registry_hash(name));
}

struct channel_entry *registry_by_number(struct registry *registry,
                                         uint32_t number)
{
    struct channel_entry *chunk, *entry;

    if (number == 0 ||
        number > atomic_load_explicit(&registry->highest, memory_order_acquire))
        return NULL;
    chunk = atomic_load_explicit(&registry->chunks[number / CHUNK_ENTRIES],
                                 memory_order_relaxed);
    if (chunk == NULL)
        return NULL; /* a hole as wide as a chunk */
    entry = &chunk[number % CHUNK_ENTRIES];
    return entry->name == NULL ? NULL : entry;
}

unsigned registry_count(struct registry *registry)
{
    return atomic_load_explicit(&registry->count, memory_order_acquire);
}

void registry_each(struct registry *registry, registry_each_fn *each, void *arg)
{
    const uint32_t highest =
        atomic_load_explicit(&registry->highest, memory_order_acquire);

    for (uint32_t number = 1; number <= highest && number != 0; number++) {
        struct channel_entry *entry = registry_by_number(registry, number);

        if (entry != NULL)
            each(arg, entry);
    }
}

/* ---- adding: the journal's thread only ----------------------------------- */

static void insert(struct slots *slots, struct channel_entry *entry)
{
    size_t at = entry->hash & slots->mask;

    while (atomic_load_explicit(&slots->slot[at], memory_order_relaxed) != NULL)
        at = (at + 1) & slots->mask;
    atomic_store_explicit(&slots->slot[at], entry, memory_order_release);
}

static struct slots *slots_with_room(struct registry *registry)
{
    struct slots *slots =
        atomic_load_explicit(&registry->slots, memory_order_relaxed);
    struct slots *larger;

    if ((size_t)registry_count(registry) * 2 < slots->mask)
        return slots;
    larger = slots_create((slots->mask + 1) * 2, slots);
    for (size_t i = 0; i <= slots->mask; i++) {
        struct channel_entry *entry =
            atomic_load_explicit(&slots->slot[i], memory_order_relaxed);

        if (entry != NULL)
            insert(larger, entry);
    }
    atomic_store_explicit(&registry->slots, larger, memory_order_release);
    return larger;
}

static struct channel_entry *place_for(struct registry *registry,
                                       uint32_t number)
{
    _Atomic(struct channel_entry *) *chunk =
        &registry->chunks[number / CHUNK_ENTRIES];
    struct channel_entry *entries =
        atomic_load_explicit(chunk, memory_order_relaxed);

    if (entries == NULL) {
        entries = must_calloc(CHUNK_ENTRIES, sizeof *entries);
        atomic_store_explicit(chunk, entries, memory_order_release);
    }
    CHECK(entries[number % CHUNK_ENTRIES].name == NULL);
    return &entries[number % CHUNK_ENTRIES];
}

static struct channel_entry *add(struct registry *registry, struct text name,
                                 uint64_t hash, uint32_t number)
{
    struct channel_entry *entry = place_for(registry, number);
    struct slots *slots = slots_with_room(registry);
    char *copy = must_malloc(name.length + 1);

    memcpy(copy, name.bytes, name.length);
    copy[name.length] = '\0';
    entry->name = copy;
    entry->name_bytes = (uint16_t)name.length;
    entry->hash = hash;
    entry->number = number;

    insert(slots, entry);
    atomic_fetch_add_explicit(&registry->count, 1, memory_order_release);
    if (number > atomic_load_explicit(&registry->highest, memory_order_relaxed))
        atomic_store_explicit(&registry->highest, number, memory_order_release);
    return entry;
}

enum status registry_intern(struct registry *registry, struct text name,
                            uint32_t number, struct channel_entry **entry_out)
{
    const uint64_t hash = registry_hash(name);
    struct channel_entry *entry = find_hashed(registry, name, hash);

    CHECK(name.length > 0 && name.length <= UINT16_MAX);
    if (entry == NULL) {
        /* What is stored already is let in: the limit may be a new setting. */
        if (number == 0 && registry_count(registry) >= registry->limit)
            return ST_FULL;
        if (number == 0)
            number =
                atomic_load_explicit(&registry->highest, memory_order_relaxed) +
                1;
        if (number == 0)
            return ST_FULL; /* all numbers are used up */
        entry = add(registry, name, hash, number);
    }
    *entry_out = entry;
    return ST_OK;
}
