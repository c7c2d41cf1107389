/* keyring.c -- all keys that hold now, from wherever the settings say.
 *
 * A ring never changes: who wants other keys loads another ring and lets the
 * old one go, and who checks a token at that moment still has his. Several keys
 * count at a time, in files or in one, so a key is changed by adding the new
 * one, waiting until the last token of the old one is over, and taking the old
 * one away.
 */
#include "keyring.h"

#include <tidings/check.h>

#include <stdio.h>
#include <stdlib.h>

#include "grant.h"

static enum status read_files(const char *setting, struct key_list *list,
                              char *why, size_t why_bytes)
{
    const struct text files = text_of(setting);
    enum status st = ST_OK;
    struct text file;
    size_t cursor = 0;

    while (st == ST_OK && list_next(files, &cursor, &file)) {
        char *path = must_malloc(file.length + 1);

        memcpy(path, file.bytes, file.length);
        path[file.length] = '\0';
        st = key_file_read(path, list, why, why_bytes);
        free(path);
    }
    return st;
}

static enum status read_secret(const char *secret, struct key_list *list,
                               char *why, size_t why_bytes)
{
    static const char place[] = "token_secret";
    struct signing_key *key = NULL;
    const char *sentence = "";
    enum status st;

    if (secret[0] == '\0')
        return ST_OK;
    st = key_of_secret(text_of(secret), &key, &sentence);
    if (st == ST_OK)
        return key_list_add(list, &key, place, why, why_bytes);
    snprintf(why, why_bytes, "%s: %s", place, sentence);
    return st;
}

enum status keyring_load(const struct config *config,
                         struct keyring **keyring_out, char *why,
                         size_t why_bytes)
{
    struct keyring *keyring = must_calloc(1, sizeof *keyring);
    enum status st =
        read_files(config->token_keys, &keyring->list, why, why_bytes);

    atomic_init(&keyring->references, 1);
    keyring->issuer = must_strdup(config->token_issuer);
    keyring->audience = must_strdup(config->token_audience);
    if (st == ST_OK)
        st = read_secret(config->token_secret, &keyring->list, why, why_bytes);
    if (st != ST_OK) {
        keyring_unref(&keyring);
        return ST_BAD_INPUT;
    }
    for (unsigned i = 0; i < keyring->list.count; i++)
        key_forget_private(keyring->list.keys[i]);
    *keyring_out = keyring;
    return ST_OK;
}

struct keyring *keyring_ref(struct keyring *keyring)
{
    (void)atomic_fetch_add_explicit(&keyring->references, 1,
                                    memory_order_relaxed);
    return keyring;
}

void keyring_unref(struct keyring **keyring)
{
    struct keyring *mine = *keyring;

    *keyring = NULL;
    if (mine == NULL || atomic_fetch_sub_explicit(&mine->references, 1,
                                                  memory_order_acq_rel) > 1)
        return;
    key_list_fini(&mine->list);
    free(mine->issuer);
    free(mine->audience);
    free(mine);
}

bool keyring_is_empty(const struct keyring *keyring)
{
    return keyring->list.count == 0;
}

unsigned keyring_count(const struct keyring *keyring)
{
    return keyring->list.count;
}

static bool has_key(const struct keyring *keyring,
                    const unsigned char *fingerprint)
{
    for (unsigned i = 0; i < keyring->list.count; i++)
        if (memcmp(keyring->list.keys[i]->fingerprint, fingerprint,
                   FINGERPRINT_BYTES) == 0)
            return true;
    return false;
}

bool keyring_holds(const struct keyring *keyring, const struct grant *grant)
{
    return has_key(keyring, grant->fingerprint);
}

bool keyring_equals(const struct keyring *one, const struct keyring *other)
{
    if (one->list.count != other->list.count ||
        strcmp(one->issuer, other->issuer) != 0 ||
        strcmp(one->audience, other->audience) != 0)
        return false;
    for (unsigned i = 0; i < one->list.count; i++) {
        const struct signing_key *a = one->list.keys[i];
        const struct signing_key *b = other->list.keys[i];
        const bool is_same_kid = a->kid == NULL || b->kid == NULL
                                     ? a->kid == b->kid
                                     : strcmp(a->kid, b->kid) == 0;

        if (!is_same_kid ||
            memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_BYTES) != 0)
            return false;
    }
    return true;
}

bool keyring_key(const struct keyring *keyring, unsigned number,
                 struct key_view *view_out)
{
    const struct signing_key *key;

    if (number >= keyring->list.count)
        return false;
    key = keyring->list.keys[number];
    view_out->algorithm = algorithm_name(key->algorithm);
    view_out->place = key->place;
    view_out->kid = key->kid;
    return true;
}
