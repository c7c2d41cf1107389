/* token_cache.c -- a table of rows of four, found by SHA-256 of the whole token.
 *
 * Nothing shorter would do: who can make two tokens of one hash would get the
 * rights of the other. A grant is as good as on the day it was made, but for two
 * things: its time, which is looked at each time, and its key, so the table
 * belongs to one keyring and is emptied when another one asks.
 */
#include "token_cache.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_ENTRIES = 4, ROWS = TOKEN_CACHE_ENTRIES / ROW_ENTRIES };

struct entry {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct grant *grant; /* NULL: free */
};

struct token_cache {
    struct keyring *keyring; /* what the entries were checked with, or NULL */
    struct entry *entries;   /* NULL: none yet */
};

struct token_cache *token_cache_create(void)
{
    return must_calloc(1, sizeof(struct token_cache));
}

static void empty(struct token_cache *cache)
{
    for (unsigned i = 0; cache->entries != NULL && i < TOKEN_CACHE_ENTRIES; i++)
        if (cache->entries[i].grant != NULL)
            grant_unref(&cache->entries[i].grant);
    free(cache->entries);
    cache->entries = NULL;
    if (cache->keyring != NULL)
        keyring_unref(&cache->keyring);
}

void token_cache_destroy(struct token_cache **cache)
{
    if (*cache == NULL)
        return;
    empty(*cache);
    free(*cache);
    *cache = NULL;
}

/* The row that would have this hash. */
static struct entry *row_of(struct token_cache *cache,
                            const unsigned char *hash)
{
    const unsigned number = hash[0] | (unsigned)hash[1] << 8;

    return cache->entries + (size_t)(number % ROWS) * ROW_ENTRIES;
}

static struct entry *find(struct entry *row, const unsigned char *hash)
{
    for (unsigned i = 0; i < ROW_ENTRIES; i++)
        if (row[i].grant != NULL &&
            memcmp(row[i].hash, hash, SHA256_DIGEST_LENGTH) == 0)
            return &row[i];
    return NULL;
}

/* A free one, else the one that ends first. */
static struct entry *room_in(struct entry *row)
{
    struct entry *first = row;

    for (unsigned i = 0; i < ROW_ENTRIES; i++) {
        if (row[i].grant == NULL)
            return &row[i];
        if (grant_expires_ms(row[i].grant) < grant_expires_ms(first->grant))
            first = &row[i];
    }
    grant_unref(&first->grant);
    return first;
}

static void keep(struct entry *row, const unsigned char *hash,
                 struct grant *grant)
{
    struct entry *entry = room_in(row);

    memcpy(entry->hash, hash, SHA256_DIGEST_LENGTH);
    entry->grant = grant_ref(grant);
}

static void belong_to(struct token_cache *cache, struct keyring *keyring)
{
    if (cache->keyring != keyring && !seeded_bug("cache-outlives-keys"))
        empty(cache);
    if (cache->keyring == NULL)
        cache->keyring = keyring_ref(keyring);
    if (cache->entries == NULL)
        cache->entries =
            must_calloc(TOKEN_CACHE_ENTRIES, sizeof *cache->entries);
}

enum status token_cache_check(struct token_cache *cache,
                              struct keyring *keyring, struct text token,
                              int64_t now_wall_ms, struct metrics *metrics,
                              struct grant **grant_out, const char **why_out)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct entry *row, *known;
    enum status st;

    if (token.length > TOKEN_MAX_BYTES) /* too long to be hashed for nothing */
        return token_check(keyring, token, now_wall_ms, grant_out, why_out);
    belong_to(cache, keyring);
    (void)SHA256((const unsigned char *)token.bytes, token.length, hash);
    row = row_of(cache, hash);
    known = find(row, hash);
    if (known != NULL && grant_expires_ms(known->grant) > now_wall_ms) {
        metrics_add(metrics, METRIC_tokens_remembered, 1);
        *grant_out = grant_ref(known->grant);
        return ST_OK;
    }
    if (known != NULL)
        grant_unref(&known->grant);
    st = token_check(keyring, token, now_wall_ms, grant_out, why_out);
    if (st == ST_OK)
        keep(row, hash, *grant_out);
    return st;
}
