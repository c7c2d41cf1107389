/* fuzz_keys.c -- key files: PEM, JWK, sets of them, secrets.
 *
 * What is taken for a key must be one: strong enough, not a key of another kind
 * for a secret, and, written as PEM or as the bytes of a secret, read again as
 * the same key.
 */
#include "fuzz.h"

#include <tidings/logger.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "auth/key.h"

static void check_read_again(const struct signing_key *key, struct text bytes)
{
    struct key_list list = {.count = 0};
    char why[600];

    CHECK(key_bytes_read("again", bytes, &list, why, sizeof why) == ST_OK);
    CHECK(list.count == 1);
    CHECK(list.keys[0]->algorithm == key->algorithm);
    CHECK(memcmp(list.keys[0]->fingerprint, key->fingerprint,
                 FINGERPRINT_BYTES) == 0);
    key_list_fini(&list);
}

static void check_pair(struct signing_key *key)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    long length;

    key_forget_private(key);
    CHECK(!key->is_private);
    CHECK(PEM_write_bio_PUBKEY(memory, key->pair) == 1);
    length = BIO_get_mem_data(memory, &bytes);
    check_read_again(key, (struct text){bytes, (size_t)length});
    BIO_free(memory);
    if (key->algorithm == ALGORITHM_RS256)
        CHECK(EVP_PKEY_get_bits(key->pair) >= RSA_MIN_BITS);
}

/* A secret out of JSON may begin or end like something else in a file. */
static void check_secret(const struct signing_key *key)
{
    const struct text secret = buffer_text(&key->material);
    struct signing_key *again = NULL;
    const char *why;

    CHECK(secret.length >= SECRET_MIN_BYTES);
    CHECK(!secret_looks_like_a_key(secret));
    CHECK(key_of_secret(secret, &again, &why) == ST_OK);
    CHECK(memcmp(again->fingerprint, key->fingerprint, FINGERPRINT_BYTES) == 0);
    key_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_list list = {.count = 0};
    char why[600] = "";
    static bool is_quiet;

    if (!is_quiet)
        logger_init(LOG_ERROR, false);
    is_quiet = true;
    if (key_bytes_read("input", text_of_input(data, size), &list, why,
                       sizeof why) == ST_OK)
        CHECK(list.count > 0 && why[0] == '\0');
    else
        CHECK(strncmp(why, "input", 5) == 0);
    for (unsigned i = 0; i < list.count; i++) {
        if (list.keys[i]->algorithm == ALGORITHM_HS256)
            check_secret(list.keys[i]);
        else
            check_pair(list.keys[i]);
    }
    key_list_fini(&list);
    return 0;
}
