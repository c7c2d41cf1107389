/* dedup.c -- two tables: by hash to ask, by id to forget.
 *
 *   dedup       hash -> id, time
 *   dedup_age   id   -> time, hash
 *
 * The hash is the first half of SHA-256 over channel, NUL, key, before them for
 * an amendment what it amends: 128 bits, so that nobody can find two keys that
 * silence each other. The key of an event can be used again for its correction. Ids rise with time, so
 * the first rows of dedup_age are the oldest keys; trimming takes them from
 * there, a few in each commit, and looks no further than the first one that may
 * stay.
 *
 * A key may be published again after its window and before it was trimmed: it
 * counts as new, its row in `dedup` is replaced, and when the old row of
 * dedup_age goes it must not take the new one along; hence the comparison of
 * ids.
 *
 * Rows come at random places of `dedup`: each costs a page of the commit. That
 * is the price of the promise, paid only by publishers who give keys.
 */
#include "dedup.h"

#include "little_endian.h"

#include <tidings/check.h>

#include <openssl/evp.h>

#define ROW_BYTES     16
#define AGE_ROW_BYTES (8 + DEDUP_HASH_BYTES)
#define NEVER         INT64_MAX

void dedup_init(struct dedup *dedup, const struct environment *environment,
                int64_t window_ms)
{
    *dedup = (struct dedup){.environment = environment, .window_ms = window_ms};
    dedup->context = EVP_MD_CTX_new();
    dedup->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
    CHECK(dedup->context != NULL && dedup->digest != NULL);
    /* 0: the first trim looks, and finds out. */
}

void dedup_fini(struct dedup *dedup)
{
    EVP_MD_free(dedup->digest);
    EVP_MD_CTX_free(dedup->context);
    dedup->digest = NULL;
    dedup->context = NULL;
}

/* No channel begins with NUL, so no event has the hash of an amendment. */
static void digest_amendment(EVP_MD_CTX *context,
                             const struct amendment *amends)
{
    unsigned char target[10] = {0, (unsigned char)amends->kind};

    put_u64(target + 2, amends->id);
    CHECK(EVP_DigestUpdate(context, target, sizeof target) == 1);
}

bool dedup_key_of(struct dedup *dedup, const struct event *event,
                  struct dedup_key *key_out)
{
    const struct text channel = event_channel(event);
    const struct text key = event_key(event);
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = dedup->context;

    if (key.length == 0 || dedup->window_ms <= 0)
        return false;
    CHECK(EVP_DigestInit_ex2(context, dedup->digest, NULL) == 1);
    if (event->amends != NULL)
        digest_amendment(context, event->amends);
    CHECK(EVP_DigestUpdate(context, channel.bytes, channel.length) == 1);
    CHECK(EVP_DigestUpdate(context, "", 1) == 1);
    CHECK(EVP_DigestUpdate(context, key.bytes, key.length) == 1);
    CHECK(EVP_DigestFinal_ex(context, digest, NULL) == 1);
    memcpy(key_out->hash, digest, sizeof key_out->hash);
    return true;
}

static MDB_val hash_value(const unsigned char *hash)
{
    union {
        const unsigned char *hash;
        void *memory;
    } lent = {hash}; /* LMDB only reads keys */

    return (MDB_val){DEDUP_HASH_BYTES, lent.memory};
}

static enum status get_row(struct dedup *dedup, MDB_txn *txn,
                           const unsigned char *hash, uint64_t *id_out,
                           int64_t *time_ms_out)
{
    MDB_val key = hash_value(hash);
    MDB_val value;
    enum status st =
        from_lmdb(mdb_get(txn, dedup->environment->dedup, &key, &value));

    if (st != ST_OK)
        return st;
    if (value.mv_size != ROW_BYTES)
        return ST_CORRUPT;
    *id_out = get_u64(value.mv_data);
    *time_ms_out = (int64_t)get_u64((const unsigned char *)value.mv_data + 8);
    return ST_OK;
}

enum status dedup_find(struct dedup *dedup, MDB_txn *txn,
                       const struct dedup_key *key, int64_t now_ms,
                       uint64_t *id_out)
{
    uint64_t id;
    int64_t time_ms;
    const enum status st = get_row(dedup, txn, key->hash, &id, &time_ms);

    if (st != ST_OK)
        return st;
    if (now_ms - time_ms >= dedup->window_ms)
        return ST_NOT_FOUND;
    *id_out = id;
    return ST_OK;
}

enum status dedup_put(struct dedup *dedup, MDB_txn *txn,
                      const struct dedup_key *key, uint64_t id, int64_t now_ms)
{
    unsigned char row[ROW_BYTES], age_row[AGE_ROW_BYTES];
    MDB_val hash = hash_value(key->hash);
    MDB_val value = {sizeof row, row};
    MDB_val age_key = {sizeof id, &id};
    MDB_val age_value = {sizeof age_row, age_row};
    enum status st;

    put_u64(row, id);
    put_u64(row + 8, (uint64_t)now_ms);
    st = from_lmdb(mdb_put(txn, dedup->environment->dedup, &hash, &value, 0));
    if (st != ST_OK)
        return st;
    put_u64(age_row, (uint64_t)now_ms);
    memcpy(age_row + 8, key->hash, sizeof key->hash);
    st = from_lmdb(mdb_put(txn, dedup->environment->dedup_age, &age_key,
                           &age_value, MDB_APPEND));
    if (st == ST_OK && dedup->due_ms == NEVER)
        dedup->due_ms = now_ms + dedup->window_ms;
    return st;
}

/* Removes the row of `dedup` unless a newer event took the key over. */
static enum status forget(struct dedup *dedup, MDB_txn *txn,
                          const unsigned char *hash, uint64_t id)
{
    MDB_val key = hash_value(hash);
    uint64_t owner;
    int64_t time_ms;
    const enum status st = get_row(dedup, txn, hash, &owner, &time_ms);

    if (st == ST_NOT_FOUND || (st == ST_OK && owner != id))
        return ST_OK;
    if (st != ST_OK)
        return st;
    return from_lmdb(mdb_del(txn, dedup->environment->dedup, &key, NULL));
}

/* The oldest key, copied: deleting would pull it away from under us. */
static enum status oldest(struct dedup *dedup, MDB_txn *txn, uint64_t *id_out,
                          int64_t *time_ms_out, unsigned char *hash_out)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    enum status st =
        from_lmdb(mdb_cursor_open(txn, dedup->environment->dedup_age, &cursor));

    if (st != ST_OK)
        return st;
    st = from_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_FIRST));
    if (st == ST_OK &&
        (key.mv_size != sizeof *id_out || value.mv_size != AGE_ROW_BYTES))
        st = ST_CORRUPT;
    if (st == ST_OK) {
        memcpy(id_out, key.mv_data, sizeof *id_out);
        *time_ms_out = (int64_t)get_u64(value.mv_data);
        memcpy(hash_out, (const unsigned char *)value.mv_data + 8,
               DEDUP_HASH_BYTES);
    }
    mdb_cursor_close(cursor);
    return st;
}

enum status dedup_trim(struct dedup *dedup, MDB_txn *txn, int64_t now_ms,
                       unsigned keys)
{
    while (now_ms >= dedup->due_ms && keys-- > 0) {
        unsigned char hash[DEDUP_HASH_BYTES];
        uint64_t id;
        int64_t time_ms;
        MDB_val key = {sizeof id, &id};
        enum status st = oldest(dedup, txn, &id, &time_ms, hash);

        if (st == ST_NOT_FOUND) {
            dedup->due_ms = NEVER;
            return ST_OK;
        }
        if (st != ST_OK)
            return st;
        dedup->due_ms = time_ms + dedup->window_ms;
        if (now_ms < dedup->due_ms)
            return ST_OK;
        st = forget(dedup, txn, hash, id);
        if (st == ST_OK)
            st = from_lmdb(
                mdb_del(txn, dedup->environment->dedup_age, &key, NULL));
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

void dedup_settle(struct dedup *dedup)
{
    dedup->settled_due_ms = dedup->due_ms;
}

void dedup_undo(struct dedup *dedup)
{
    dedup->due_ms = dedup->settled_due_ms;
}
