/* dedup.c -- a table by hash to ask, two by age to forget.
 *
 *   dedup       hash       -> id, time
 *   dedup_age   id         -> time, hash
 *   dedup_late  time, hash -> time, hash
 *
 * The hash is the first half of SHA-256 over channel, NUL, key, before them for
 * an amendment what it amends: 128 bits, so that nobody can find two keys that
 * silence each other. The key of an event can be used again for its correction.
 * Ids rise with time, so the first rows of dedup_age are the oldest keys;
 * trimming takes them from there, a few in each commit, and looks no further
 * than the first one that may stay.
 *
 * An amendment that finds nothing to do has no event of its own: its key stands
 * for an older id, which other keys may stand for too. Such keys are in
 * dedup_late, by their time (most significant byte first).
 *
 * A key may be published again after its window and before it was trimmed: it
 * counts as new, its row in `dedup` is replaced, and when the old row of its age
 * goes it must not take the new one along; hence the comparison of times, which
 * are a window apart.
 *
 * Rows come at random places of `dedup`: each costs a page of the commit. That
 * is the price of the promise, paid only by publishers who give keys.
 */
#include "dedup.h"

#include "little_endian.h"

#include <tidings/check.h>

#include <openssl/evp.h>

#define ROW_BYTES      16
#define AGE_ROW_BYTES  (8 + DEDUP_HASH_BYTES)
#define LATE_KEY_BYTES (8 + DEDUP_HASH_BYTES)
#define NEVER          INT64_MAX

/* Of a row in one of the tables by age. */
struct age_key {
    _Alignas(uint64_t) unsigned char bytes[LATE_KEY_BYTES];
    size_t length;
};

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

static MDB_val age_key_value(struct age_key *key)
{
    return (MDB_val){key->length, key->bytes};
}

static enum status put(struct dedup *dedup, MDB_txn *txn, MDB_dbi ages,
                       struct age_key *age_key, const struct dedup_key *key,
                       uint64_t id, int64_t now_ms)
{
    unsigned char row[ROW_BYTES], age_row[AGE_ROW_BYTES];
    MDB_val hash = hash_value(key->hash);
    MDB_val value = {sizeof row, row};
    MDB_val age_at = age_key_value(age_key);
    MDB_val age_value = {sizeof age_row, age_row};
    enum status st;

    put_u64(row, id);
    put_u64(row + 8, (uint64_t)now_ms);
    st = from_lmdb(mdb_put(txn, dedup->environment->dedup, &hash, &value, 0));
    if (st != ST_OK)
        return st;
    put_u64(age_row, (uint64_t)now_ms);
    memcpy(age_row + 8, key->hash, sizeof key->hash);
    st = from_lmdb(
        mdb_put(txn, ages, &age_at, &age_value,
                ages == dedup->environment->dedup_age ? MDB_APPEND : 0));
    if (st == ST_OK && dedup->due_ms == NEVER)
        dedup->due_ms = now_ms + dedup->window_ms;
    return st;
}

enum status dedup_put(struct dedup *dedup, MDB_txn *txn,
                      const struct dedup_key *key, uint64_t id, int64_t now_ms)
{
    struct age_key age_key = {.length = sizeof id};

    memcpy(age_key.bytes, &id, sizeof id);
    return put(dedup, txn, dedup->environment->dedup_age, &age_key, key, id,
               now_ms);
}

enum status dedup_put_late(struct dedup *dedup, MDB_txn *txn,
                           const struct dedup_key *key, uint64_t id,
                           int64_t now_ms)
{
    struct age_key age_key = {.length = LATE_KEY_BYTES};

    for (unsigned i = 0; i < 8; i++)
        age_key.bytes[i] = (unsigned char)((uint64_t)now_ms >> (56 - 8 * i));
    memcpy(age_key.bytes + 8, key->hash, sizeof key->hash);
    return put(dedup, txn, dedup->environment->dedup_late, &age_key, key, id,
               now_ms);
}

/* ---- forgetting ---------------------------------------------------------- */

/* A row of an age table, copied: deleting would pull it away from under us. */
struct aged {
    struct age_key key;
    int64_t time_ms;
    unsigned char hash[DEDUP_HASH_BYTES];
};

/* Removes the row of `dedup` unless the key was put again since. */
static enum status forget(struct dedup *dedup, MDB_txn *txn,
                          const struct aged *aged)
{
    MDB_val key = hash_value(aged->hash);
    uint64_t id;
    int64_t time_ms;
    const enum status st = get_row(dedup, txn, aged->hash, &id, &time_ms);

    if (st == ST_NOT_FOUND || (st == ST_OK && time_ms != aged->time_ms))
        return ST_OK;
    if (st != ST_OK)
        return st;
    return from_lmdb(mdb_del(txn, dedup->environment->dedup, &key, NULL));
}

static enum status oldest(MDB_txn *txn, MDB_dbi ages, struct aged *aged_out)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    enum status st = from_lmdb(mdb_cursor_open(txn, ages, &cursor));

    if (st != ST_OK)
        return st;
    st = from_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_FIRST));
    if (st == ST_OK && (key.mv_size > sizeof aged_out->key.bytes ||
                        value.mv_size != AGE_ROW_BYTES))
        st = ST_CORRUPT;
    if (st == ST_OK) {
        aged_out->key.length = key.mv_size;
        memcpy(aged_out->key.bytes, key.mv_data, key.mv_size);
        aged_out->time_ms = (int64_t)get_u64(value.mv_data);
        memcpy(aged_out->hash, (const unsigned char *)value.mv_data + 8,
               DEDUP_HASH_BYTES);
    }
    mdb_cursor_close(cursor);
    return st;
}

/* `*due_ms_out`: when the first of what is left leaves. */
static enum status trim(struct dedup *dedup, MDB_txn *txn, MDB_dbi ages,
                        int64_t now_ms, unsigned keys, int64_t *due_ms_out)
{
    enum status st = ST_OK;
    struct aged aged;

    *due_ms_out = now_ms;
    while (st == ST_OK && now_ms >= *due_ms_out && keys-- > 0) {
        MDB_val key;

        st = oldest(txn, ages, &aged);
        if (st == ST_NOT_FOUND) {
            *due_ms_out = NEVER;
            return ST_OK;
        }
        if (st != ST_OK)
            return st;
        *due_ms_out = aged.time_ms + dedup->window_ms;
        if (now_ms < *due_ms_out)
            return ST_OK;
        st = forget(dedup, txn, &aged);
        key = age_key_value(&aged.key);
        if (st == ST_OK)
            st = from_lmdb(mdb_del(txn, ages, &key, NULL));
    }
    return st;
}

enum status dedup_trim(struct dedup *dedup, MDB_txn *txn, int64_t now_ms,
                       unsigned keys)
{
    const struct environment *environment = dedup->environment;
    int64_t due_ms, late_due_ms;
    enum status st;

    if (now_ms < dedup->due_ms)
        return ST_OK;
    st = trim(dedup, txn, environment->dedup_age, now_ms, keys, &due_ms);
    if (st == ST_OK)
        st = trim(dedup, txn, environment->dedup_late, now_ms, keys,
                  &late_due_ms);
    if (st == ST_OK)
        dedup->due_ms = due_ms < late_due_ms ? due_ms : late_due_ms;
    return st;
}

void dedup_settle(struct dedup *dedup)
{
    dedup->settled_due_ms = dedup->due_ms;
}

void dedup_undo(struct dedup *dedup)
{
    dedup->due_ms = dedup->settled_due_ms;
}
