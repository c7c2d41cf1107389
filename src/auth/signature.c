/* signature.c -- is a signature right, and how one is made.
 *
 * What is done follows from the key alone. HS256 is compared in constant time,
 * and only at its full length. ES256 travels as r and s, 32 bytes each (RFC
 * 7518 3.4), where OpenSSL wants them in DER: they are converted here, so DER
 * itself, or a number that is shorter or longer, is no signature. OpenSSL
 * refuses r and s out of range, and an Ed25519 S that is not reduced.
 */
#include "key.h"

#include <tidings/check.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/seeded_bug.h"

#define HMAC_BYTES 32
#define P256_BYTES 32
#define DER_MAX    (2 * P256_BYTES + 16)
#define PAIR_MAX   (RSA_MAX_BITS / 8)

static const unsigned char *as_bytes(struct text text)
{
    return (const unsigned char *)text.bytes;
}

static void hmac(struct text secret, struct text message,
                 unsigned char out[HMAC_BYTES])
{
    unsigned length = 0;

    CHECK(HMAC(EVP_sha256(), secret.bytes, (int)secret.length,
               as_bytes(message), message.length, out, &length) != NULL);
    CHECK(length == HMAC_BYTES);
}

static bool hmac_is_right(struct text secret, struct text message,
                          struct text signature)
{
    unsigned char right[HMAC_BYTES];

    hmac(secret, message, right);
    if (seeded_bug("token-signature-prefix") && signature.length < HMAC_BYTES)
        return CRYPTO_memcmp(right, signature.bytes, signature.length) == 0;
    return signature.length == HMAC_BYTES &&
           CRYPTO_memcmp(right, signature.bytes, HMAC_BYTES) == 0;
}

/* r and s as OpenSSL reads them; the length, 0: they are not two numbers. */
static size_t der_of_raw(struct text raw, unsigned char der[DER_MAX])
{
    ECDSA_SIG *pair;
    BIGNUM *r, *s;
    unsigned char *at = der;
    int length;

    if (raw.length != 2 * P256_BYTES)
        return 0;
    pair = ECDSA_SIG_new();
    r = BN_bin2bn(as_bytes(raw), P256_BYTES, NULL);
    s = BN_bin2bn(as_bytes(raw) + P256_BYTES, P256_BYTES, NULL);
    CHECK(pair != NULL && r != NULL && s != NULL);
    CHECK(ECDSA_SIG_set0(pair, r, s) == 1); /* it owns them now */
    length = i2d_ECDSA_SIG(pair, NULL);
    CHECK(length > 0 && length <= DER_MAX);
    length = i2d_ECDSA_SIG(pair, &at);
    ECDSA_SIG_free(pair);
    return (size_t)length;
}

static void append_raw(struct text der, struct buffer *out)
{
    const unsigned char *at = as_bytes(der);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der.length);
    unsigned char raw[2 * P256_BYTES];

    CHECK(pair != NULL);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, P256_BYTES) == P256_BYTES);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + P256_BYTES, P256_BYTES) ==
          P256_BYTES);
    ECDSA_SIG_free(pair);
    buffer_append(out, raw, sizeof raw);
}

static const EVP_MD *digest_of(enum algorithm algorithm)
{
    return algorithm == ALGORITHM_EDDSA ? NULL : EVP_sha256();
}

static bool pair_is_right(const struct signing_key *key, struct text message,
                          struct text signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_right;

    CHECK(context != NULL);
    is_right = EVP_DigestVerifyInit(context, NULL, digest_of(key->algorithm),
                                    NULL, key->pair) == 1 &&
               EVP_DigestVerify(context, as_bytes(signature), signature.length,
                                as_bytes(message), message.length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error(); /* a wrong signature leaves its reasons there */
    return is_right;
}

bool signature_is_right(const struct signing_key *key, struct text message,
                        struct text signature)
{
    unsigned char der[DER_MAX];

    switch (key->algorithm) {
    case ALGORITHM_HS256:
        return hmac_is_right(buffer_text(&key->material), message, signature);
    case ALGORITHM_ES256:
        signature.length = der_of_raw(signature, der);
        signature.bytes = (const char *)der;
        return signature.length > 0 && pair_is_right(key, message, signature);
    case ALGORITHM_RS256:
    case ALGORITHM_EDDSA:
        return pair_is_right(key, message, signature);
    }
    CHECK(false);
    return false;
}

static void append_pair(const struct signing_key *key, struct text message,
                        struct buffer *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char made[PAIR_MAX];
    size_t length = sizeof made;

    CHECK(context != NULL);
    CHECK(EVP_DigestSignInit(context, NULL, digest_of(key->algorithm), NULL,
                             key->pair) == 1);
    CHECK(EVP_DigestSign(context, made, &length, as_bytes(message),
                         message.length) == 1);
    EVP_MD_CTX_free(context);
    if (key->algorithm == ALGORITHM_ES256)
        append_raw((struct text){(const char *)made, length}, out);
    else
        buffer_append(out, made, length);
}

void signature_append(const struct signing_key *key, struct text message,
                      struct buffer *out)
{
    unsigned char code[HMAC_BYTES];

    CHECK(key->is_private);
    if (key->algorithm == ALGORITHM_HS256) {
        hmac(buffer_text(&key->material), message, code);
        buffer_append(out, code, sizeof code);
    } else {
        append_pair(key, message, out);
    }
}
