/* key.c -- what may be a key at all.
 *
 * A key is judged when it is loaded, so that a weak one stops the start and not
 * the night after: RSA from 2048 bits with an odd exponent from 3, EC on P-256
 * only, Ed25519 whose point is not one of the eight of small order (with which
 * anybody's signature is right), secrets of 32 bytes and more.
 *
 * A secret must be one. The oldest attack on tokens is a server that takes the
 * text of a public key for an HMAC secret: so what looks like a key of another
 * kind, in whatever wrapping, is refused as a secret.
 *
 * Who it is: SHA-256 of what it is, without name or place. So a key that moved
 * to another file, or got another kid, is still the one that signed.
 */
#include "key.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/seeded_bug.h"

#define ED25519_BYTES 32

static enum status refused(const char **why_out, const char *sentence)
{
    *why_out = sentence;
    return ST_BAD_INPUT;
}

static struct signing_key *create(enum algorithm algorithm)
{
    struct signing_key *key = must_calloc(1, sizeof *key);

    key->algorithm = algorithm;
    buffer_init(&key->material);
    return key;
}

static void take_fingerprint(struct signing_key *key)
{
    CHECK(EVP_Digest(key->material.bytes, key->material.length,
                     key->fingerprint, NULL, EVP_sha256(), NULL) == 1);
}

void key_destroy(struct signing_key **key)
{
    if (*key == NULL)
        return;
    if ((*key)->material.bytes != NULL)
        OPENSSL_cleanse((*key)->material.bytes, (*key)->material.capacity);
    buffer_fini(&(*key)->material);
    EVP_PKEY_free((*key)->pair);
    free((*key)->place);
    free((*key)->kid);
    free(*key);
    *key = NULL;
}

/* ---- secrets --------------------------------------------------------------
 */

static bool contains(struct text text, const char *word)
{
    const size_t length = strlen(word);

    for (size_t i = 0; i + length <= text.length; i++)
        if (memcmp(text.bytes + i, word, length) == 0)
            return true;
    return false;
}

static bool starts_with(struct text text, const char *word)
{
    const size_t length = strlen(word);

    return text.length >= length && memcmp(text.bytes, word, length) == 0;
}

/* Public or private key or certificate, as DER. */
static bool is_der_key(struct text text)
{
    const unsigned char *at = (const unsigned char *)text.bytes;
    EVP_PKEY *pair;
    X509 *certificate;
    bool is_key;

    if (text.length < 2 || text.bytes[0] != 0x30)
        return false; /* no ASN.1 sequence */
    pair = d2i_PUBKEY(NULL, &at, (long)text.length);
    at = (const unsigned char *)text.bytes;
    if (pair == NULL)
        pair = d2i_AutoPrivateKey(NULL, &at, (long)text.length);
    at = (const unsigned char *)text.bytes;
    certificate = d2i_X509(NULL, &at, (long)text.length);
    is_key = pair != NULL || certificate != NULL;
    EVP_PKEY_free(pair);
    X509_free(certificate);
    return is_key;
}

/* What PEM has between its lines, without them. */
static bool is_base64_key(struct text text)
{
    struct buffer plain, der;
    bool is_key;

    buffer_init(&plain);
    buffer_init(&der);
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.bytes[i];

        if (c != '\r' && c != '\n' && c != ' ' && c != '=')
            buffer_append_char(&plain, c == '+' ? '-' : c == '/' ? '_' : c);
    }
    is_key = base64url_decode(buffer_text(&plain), &der) &&
             is_der_key(buffer_text(&der));
    if (plain.bytes != NULL)
        OPENSSL_cleanse(plain.bytes, plain.capacity);
    if (der.bytes != NULL)
        OPENSSL_cleanse(der.bytes, der.capacity);
    buffer_fini(&plain);
    buffer_fini(&der);
    return is_key;
}

bool secret_looks_like_a_key(struct text secret)
{
    static const char *const beginnings[] = {"ssh-", "ecdsa-sha2-", "sk-ssh-",
                                             "PuTTY-User-Key"};

    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (starts_with(secret, beginnings[i]))
            return true;
    return contains(secret, "-----BEGIN ") || contains(secret, "\"kty\"") ||
           is_der_key(secret) || is_base64_key(secret);
}

enum status key_of_secret(struct text secret, struct signing_key **key_out,
                          const char **why_out)
{
    struct signing_key *key;

    if (secret.length < SECRET_MIN_BYTES && !seeded_bug("secret-short"))
        return refused(why_out, "a secret needs 32 bytes or more");
    if (secret.length > SECRET_MAX_BYTES)
        return refused(why_out, "a secret has at most 4096 bytes");
    if (secret_looks_like_a_key(secret) && !seeded_bug("secret-is-a-key"))
        return refused(why_out, "this is a key of another kind and no secret: "
                                "whoever knows its public half could sign");
    key = create(ALGORITHM_HS256);
    key->is_private = true;
    buffer_append_text(&key->material, secret);
    take_fingerprint(key);
    *key_out = key;
    return ST_OK;
}

/* ---- pairs ----------------------------------------------------------------
 */

static enum status judge_rsa(EVP_PKEY *pair, const char **why_out)
{
    const int bits = EVP_PKEY_get_bits(pair);
    BIGNUM *exponent = NULL;
    bool is_good;

    if (bits < RSA_MIN_BITS)
        return refused(why_out, "an RSA key needs 2048 bits or more");
    if (bits > RSA_MAX_BITS)
        return refused(why_out, "an RSA key has at most 16384 bits");
    is_good = EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_E, &exponent) &&
              BN_is_odd(exponent) && !BN_is_one(exponent) &&
              BN_num_bits(exponent) <= 64;
    BN_free(exponent);
    return is_good ? ST_OK
                   : refused(why_out, "the RSA key's exponent must be odd and "
                                      "from 3 to 64 bits");
}

static enum status judge_ec(EVP_PKEY *pair, const char **why_out)
{
    EVP_PKEY_CTX *context;
    char curve[32] = "";
    bool is_good;

    if (EVP_PKEY_get_utf8_string_param(pair, OSSL_PKEY_PARAM_GROUP_NAME, curve,
                                       sizeof curve, NULL) != 1 ||
        strcmp(curve, "prime256v1") != 0)
        return refused(why_out, "an EC key must be on the curve P-256");
    context = EVP_PKEY_CTX_new(pair, NULL);
    CHECK(context != NULL);
    is_good = EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return is_good ? ST_OK
                   : refused(why_out, "the EC key's point is not on "
                                      "its curve");
}

/* The encodings of the points whose order divides 8, without their sign bit;
 * also those that are not reduced. */
static bool is_of_small_order(const unsigned char *point)
{
    /* clang-format off */
    static const unsigned char small[][ED25519_BYTES] = {
        {0x00}, /* 0 */
        {0x01}, /* 1 */
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
         0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
         0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        if (memcmp(small[i], point, ED25519_BYTES - 1) == 0 &&
            small[i][ED25519_BYTES - 1] == (point[ED25519_BYTES - 1] & 0x7f))
            return true;
    return false;
}

static enum status judge_ed25519(EVP_PKEY *pair, const char **why_out)
{
    unsigned char point[ED25519_BYTES];
    size_t length = sizeof point;

    if (EVP_PKEY_get_raw_public_key(pair, point, &length) != 1 ||
        (is_of_small_order(point) && !seeded_bug("key-of-small-order")))
        return refused(why_out, "the Ed25519 key is a point of small order: "
                                "with it every signature is right");
    return ST_OK;
}

static enum status judge(EVP_PKEY *pair, enum algorithm *algorithm_out,
                         const char **why_out)
{
    switch (EVP_PKEY_get_base_id(pair)) {
    case EVP_PKEY_RSA:
        *algorithm_out = ALGORITHM_RS256;
        return judge_rsa(pair, why_out);
    case EVP_PKEY_EC:
        *algorithm_out = ALGORITHM_ES256;
        return judge_ec(pair, why_out);
    case EVP_PKEY_ED25519:
        *algorithm_out = ALGORITHM_EDDSA;
        return judge_ed25519(pair, why_out);
    default:
        return refused(why_out, "a key must be RSA, EC on P-256, or Ed25519");
    }
}

enum status key_of_pair(EVP_PKEY **pair, bool is_private,
                        struct signing_key **key_out, const char **why_out)
{
    enum algorithm algorithm = ALGORITHM_RS256;
    enum status st = judge(*pair, &algorithm, why_out);
    unsigned char *der = NULL;
    struct signing_key *key;
    int length;

    if (st != ST_OK)
        return st;
    length = i2d_PUBKEY(*pair, &der);
    if (length <= 0)
        return refused(why_out, "the key has no public half");
    key = create(algorithm);
    key->is_private = is_private;
    key->pair = *pair;
    *pair = NULL;
    buffer_append(&key->material, der, (size_t)length);
    OPENSSL_free(der);
    take_fingerprint(key);
    *key_out = key;
    return ST_OK;
}

void key_forget_private(struct signing_key *key)
{
    const unsigned char *at = (const unsigned char *)key->material.bytes;
    EVP_PKEY *half;

    if (key->pair == NULL || !key->is_private)
        return;
    half = d2i_PUBKEY(NULL, &at, (long)key->material.length);
    CHECK(half != NULL);
    EVP_PKEY_free(key->pair);
    key->pair = half;
    key->is_private = false;
}

/* ---- lists ----------------------------------------------------------------
 */

void key_list_fini(struct key_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        key_destroy(&list->keys[i]);
    list->count = 0;
}

enum status key_list_add(struct key_list *list, struct signing_key **key,
                         const char *place, char *why, size_t why_bytes)
{
    if (list->count == KEYS_MAX) {
        key_destroy(key);
        snprintf(why, why_bytes, "%s: there are more than %d keys in all",
                 place, KEYS_MAX);
        return ST_FULL;
    }
    (*key)->place = must_strdup(place);
    list->keys[list->count++] = *key;
    *key = NULL;
    return ST_OK;
}
