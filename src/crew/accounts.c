/* accounts.c -- a hash table of fixed size, and a queue of those not needed.
 *
 *     in use      somebody refers to it: it stays where it is, and its number
 *                 is valid
 *     remembered  nobody does: in the queue, in the order in which that came
 *                 about; found again as long as it is there
 *     free        never used, or taken from the queue's head for somebody else
 *
 * So a place is always found in constant time, and what is forgotten first is
 * what was not used for longest. Whoever comes from thousands of networks can
 * make the table forget a rate, never a count.
 *
 * One lock for all of it: accepting threads and crew threads take it for some
 * tens of nanoseconds, a few times in a connection's life. The hash has a key of
 * its own in every process, so that nobody can choose addresses that meet.
 */
#include <tidings/accounts.h>
#include <tidings/check.h>
#include <tidings/rate.h>

#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "base/seeded_bug.h"

enum { REMEMBERED_AT_LEAST = 4096, ACCOUNTS_PER_CONNECTION = 2 };

enum account_kind { KIND_ADDRESS, KIND_SUBJECT };

struct account {
    struct address key; /* of a subject: the start of its hash */
    struct rate rates[RATE_COUNT];
    uint32_t held[HOLD_COUNT];
    uint32_t references;
    uint32_t next_in_bucket; /* 0: last */
    uint32_t older, newer;   /* in the queue; 0: none */
    uint8_t kind;
};

struct accounts {
    /* Fixed from create. */
    uint64_t seed[2];
    unsigned capacity;
    uint32_t bucket_mask;

    /* Guarded by the lock. */
    pthread_mutex_t mutex;
    uint32_t *buckets;       /* numbers of accounts; 0: empty */
    struct account *rows;    /* [0] is not used */
    uint32_t never_used;     /* from here on */
    uint32_t oldest, newest; /* of the remembered */
    unsigned in_use;
};

struct accounts *accounts_create(unsigned connections_max)
{
    struct accounts *accounts = must_calloc(1, sizeof *accounts);
    uint32_t buckets = 1024;

    accounts->capacity =
        connections_max * ACCOUNTS_PER_CONNECTION + REMEMBERED_AT_LEAST;
    while (buckets < accounts->capacity)
        buckets *= 2;
    accounts->bucket_mask = buckets - 1;
    accounts->buckets = must_calloc(buckets, sizeof *accounts->buckets);
    accounts->rows =
        must_calloc(accounts->capacity + 1u, sizeof *accounts->rows);
    accounts->never_used = 1;
    CHECK(uv_random(NULL, NULL, accounts->seed, sizeof accounts->seed, 0,
                    NULL) == 0);
    CHECK(pthread_mutex_init(&accounts->mutex, NULL) == 0);
    return accounts;
}

void accounts_destroy(struct accounts **accounts)
{
    struct accounts *mine = *accounts;

    *accounts = NULL;
    if (mine == NULL)
        return;
    CHECK(pthread_mutex_destroy(&mine->mutex) == 0);
    free(mine->buckets);
    free(mine->rows);
    free(mine);
}

/* ---- the queue of the remembered ------------------------------------------ */

static void remember_locked(struct accounts *accounts, uint32_t number)
{
    struct account *account = &accounts->rows[number];

    account->older = accounts->newest;
    account->newer = 0;
    if (accounts->newest != 0)
        accounts->rows[accounts->newest].newer = number;
    else
        accounts->oldest = number;
    accounts->newest = number;
}

static void recall_locked(struct accounts *accounts, uint32_t number)
{
    struct account *account = &accounts->rows[number];

    if (account->older != 0)
        accounts->rows[account->older].newer = account->newer;
    else
        accounts->oldest = account->newer;
    if (account->newer != 0)
        accounts->rows[account->newer].older = account->older;
    else
        accounts->newest = account->older;
    account->older = account->newer = 0;
}

/* ---- finding -------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static uint32_t *bucket_of(const struct accounts *accounts,
                           enum account_kind kind, const struct address *key)
{
    uint64_t words[2], hash;

    memcpy(words, key->bytes, sizeof words);
    hash = mix(words[0] ^ accounts->seed[0]);
    hash = mix((hash + words[1]) ^ accounts->seed[1] ^ (uint64_t)kind);
    return &accounts->buckets[hash & accounts->bucket_mask];
}

static uint32_t find_locked(const struct accounts *accounts, uint32_t number,
                            enum account_kind kind, const struct address *key)
{
    while (number != 0 && (accounts->rows[number].kind != kind ||
                           !address_equals(&accounts->rows[number].key, key)))
        number = accounts->rows[number].next_in_bucket;
    return number;
}

static void forget_locked(struct accounts *accounts, uint32_t number)
{
    struct account *account = &accounts->rows[number];
    uint32_t *link =
        bucket_of(accounts, (enum account_kind)account->kind, &account->key);

    while (*link != number)
        link = &accounts->rows[*link].next_in_bucket;
    *link = account->next_in_bucket;
    recall_locked(accounts, number);
}

/* A place for a new account; 0: all are in use. */
static uint32_t place_locked(struct accounts *accounts)
{
    uint32_t number = accounts->oldest;

    if (accounts->never_used <= accounts->capacity)
        return accounts->never_used++;
    if (number != 0)
        forget_locked(accounts, number);
    return number;
}

static account_id ref_locked(struct accounts *accounts, enum account_kind kind,
                             const struct address *key)
{
    uint32_t *bucket = bucket_of(accounts, kind, key);
    uint32_t number = find_locked(accounts, *bucket, kind, key);

    if (number == 0) {
        number = place_locked(accounts);
        if (number == 0)
            return ACCOUNT_NONE;
        accounts->rows[number] = (struct account){
            .key = *key, .kind = (uint8_t)kind, .next_in_bucket = *bucket};
        *bucket = number;
    } else if (accounts->rows[number].references == 0) {
        recall_locked(accounts, number);
    }
    if (accounts->rows[number].references++ == 0)
        accounts->in_use++;
    return number;
}

static account_id ref(struct accounts *accounts, enum account_kind kind,
                      const struct address *key)
{
    account_id id;

    pthread_mutex_lock(&accounts->mutex);
    id = ref_locked(accounts, kind, key);
    pthread_mutex_unlock(&accounts->mutex);
    return id;
}

account_id accounts_ref_address(struct accounts *accounts,
                                const struct address *address)
{
    const struct address client = address_client(address);

    return ref(accounts, KIND_ADDRESS, &client);
}

account_id accounts_ref_subject(struct accounts *accounts, struct text subject)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct address key;

    (void)SHA256((const unsigned char *)subject.bytes, subject.length, hash);
    memcpy(key.bytes, hash, sizeof key.bytes);
    return ref(accounts, KIND_SUBJECT, &key);
}

static struct account *account_locked(struct accounts *accounts, account_id id)
{
    CHECK(id < accounts->never_used && accounts->rows[id].references > 0);
    return &accounts->rows[id];
}

void accounts_unref(struct accounts *accounts, account_id *id)
{
    const account_id mine = *id;
    struct account *account;

    *id = ACCOUNT_NONE;
    if (mine == ACCOUNT_NONE)
        return;
    pthread_mutex_lock(&accounts->mutex);
    account = account_locked(accounts, mine);
    if (--account->references == 0) {
        for (unsigned i = 0; i < HOLD_COUNT; i++)
            CHECK(account->held[i] == 0 || seeded_bug("limits-not-given-back"));
        accounts->in_use--;
        remember_locked(accounts, mine);
    }
    pthread_mutex_unlock(&accounts->mutex);
}

/* ---- holding -------------------------------------------------------------- */

bool accounts_hold(struct accounts *accounts, account_id id,
                   enum account_hold what, uint64_t most)
{
    struct account *account;
    bool is_held;

    if (id == ACCOUNT_NONE)
        return true;
    pthread_mutex_lock(&accounts->mutex);
    account = account_locked(accounts, id);
    is_held = most == 0 || account->held[what] < most;
    if (is_held)
        account->held[what]++;
    pthread_mutex_unlock(&accounts->mutex);
    return is_held;
}

void accounts_give_back(struct accounts *accounts, account_id id,
                        enum account_hold what)
{
    struct account *account;

    if (id == ACCOUNT_NONE || seeded_bug("limits-not-given-back"))
        return;
    pthread_mutex_lock(&accounts->mutex);
    account = account_locked(accounts, id);
    CHECK(account->held[what] > 0);
    account->held[what]--;
    pthread_mutex_unlock(&accounts->mutex);
}

/* ---- spending ------------------------------------------------------------- */

static int64_t wait_us_locked(const struct account *account,
                              const struct charge *charges, unsigned count,
                              int64_t now_us, enum account_rate *over_out)
{
    int64_t longest_us = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct charge *charge = &charges[i];
        int64_t wait_us;

        if (charge->per_second == 0 || charge->amount == 0)
            continue;
        wait_us = rate_wait_us(&account->rates[charge->rate],
                               rate_cost_us(charge->amount, charge->per_second),
                               now_us);
        if (wait_us > longest_us) {
            longest_us = wait_us;
            *over_out = charge->rate;
        }
    }
    return longest_us;
}

int64_t accounts_spend(struct accounts *accounts, account_id id,
                       const struct charge *charges, unsigned count,
                       int64_t now_us, enum account_rate *over_out)
{
    struct account *account;
    int64_t wait_us;

    if (id == ACCOUNT_NONE)
        return 0;
    pthread_mutex_lock(&accounts->mutex);
    account = account_locked(accounts, id);
    wait_us = wait_us_locked(account, charges, count, now_us, over_out);
    for (unsigned i = 0; i < count && wait_us == 0; i++)
        if (charges[i].per_second > 0)
            rate_take(&account->rates[charges[i].rate],
                      rate_cost_us(charges[i].amount, charges[i].per_second),
                      now_us);
    pthread_mutex_unlock(&accounts->mutex);
    return (wait_us + 999) / 1000;
}

unsigned accounts_in_use(struct accounts *accounts)
{
    unsigned in_use;

    pthread_mutex_lock(&accounts->mutex);
    in_use = accounts->in_use;
    pthread_mutex_unlock(&accounts->mutex);
    return in_use;
}
