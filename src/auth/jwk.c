/* jwk.c -- keys as JSON (RFC 7517, 7518 6, 8037 2): one, or a set of them.
 *
 * What a key says about itself must fit what we would do with it: `use` is sig,
 * `key_ops` has verify (or sign, for a secret or a private half), `alg` is the
 * one algorithm of its kind. A key that says otherwise was put here by mistake,
 * and the start says so, with the number of the key. Only a `kty` that is not
 * known is passed over with a warning, as RFC 7517 section 5 wants it of
 * readers that are older than a key.
 *
 * `x5u`, `x5c` and the like are not read: nothing is fetched, no certificate is
 * believed. Private halves are not read either.
 */
#include "key.h"

#include <tidings/check.h>
#include <tidings/logger.h>
#include <tidings/wire.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>

#include "members.h"
#include "wire/json_object.h"

#define P256_BYTES    32
#define ED25519_BYTES 32
#define RSA_MAX_BYTES (RSA_MAX_BITS / 8 + 1)

/* clang-format off */
#define JWK_MEMBERS(M)                                                         \
    M(kty) M(kid) M(use) M(key_ops) M(alg) M(crv) M(k) M(n) M(e) M(x) M(y) M(d)
/* clang-format on */

struct jwk {
#define M(name) struct text name;
    JWK_MEMBERS(M)
#undef M
};

static enum status refused(const char **why_out, const char *sentence)
{
    *why_out = sentence;
    return ST_BAD_INPUT;
}

static enum status take_members(struct text object, struct jwk *jwk,
                                const char **why_out)
{
    const struct wanted wanted[] = {
#define M(name) {#name, &jwk->name},
        JWK_MEMBERS(M)
#undef M
    };

    return members_take(object, wanted, sizeof wanted / sizeof wanted[0],
                        why_out);
}

/* ---- does it fit? ---------------------------------------------------------
 */

static bool operations_fit(const struct jwk *jwk, bool may_sign)
{
    struct text operation;
    bool fits = false;
    size_t cursor = 0;

    if (jwk->key_ops.bytes[0] != '[')
        return false;
    while (json_next_element(jwk->key_ops, &cursor, &operation)) {
        if (operation.bytes[0] != '"')
            return false;
        if (member_is(operation, "verify") ||
            (may_sign && member_is(operation, "sign")))
            fits = true;
    }
    return fits;
}

static enum status judge(const struct jwk *jwk, enum algorithm algorithm,
                         const char **why_out)
{
    const bool may_sign = algorithm == ALGORITHM_HS256 || jwk->d.length > 0;

    if (jwk->use.length > 0 && !member_is(jwk->use, "sig"))
        return refused(why_out, "its \"use\" is not \"sig\"");
    if (jwk->key_ops.length > 0 && !operations_fit(jwk, may_sign))
        return refused(why_out, "its \"key_ops\" have no \"verify\"");
    if (jwk->alg.length > 0 && !member_is(jwk->alg, algorithm_name(algorithm)))
        return refused(why_out, "its \"alg\" is not one that its \"kty\" has "
                                "here (HS256, RS256, ES256, EdDSA)");
    if (algorithm_curve(algorithm)[0] != '\0' &&
        !member_is(jwk->crv, algorithm_curve(algorithm)))
        return refused(why_out, "its \"crv\" is not known (P-256 for EC, "
                                "Ed25519 for OKP)");
    return ST_OK;
}

/* ---- its numbers ----------------------------------------------------------
 */

static bool take_bytes(struct text member, size_t least, size_t most,
                       struct buffer *out)
{
    struct text inside;

    out->length = 0;
    return json_string_inside(member, &inside) &&
           base64url_decode(inside, out) && out->length >= least &&
           out->length <= most;
}

static EVP_PKEY *pair_of(const char *kind, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *pair = NULL;

    CHECK(params != NULL && context != NULL);
    if (EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pair, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pair = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return pair;
}

static BIGNUM *number(const struct buffer *bytes)
{
    BIGNUM *number = BN_bin2bn((const unsigned char *)bytes->bytes,
                               (int)bytes->length, NULL);

    CHECK(number != NULL);
    return number;
}

static EVP_PKEY *rsa_pair(const struct buffer *modulus,
                          const struct buffer *exponent)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = number(modulus), *e = number(exponent);
    EVP_PKEY *pair;

    CHECK(build != NULL);
    CHECK(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1);
    CHECK(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1);
    pair = pair_of("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pair;
}

static EVP_PKEY *ec_pair(const struct buffer *x, const struct buffer *y)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    unsigned char point[1 + 2 * P256_BYTES] = {0x04}; /* not compressed */
    EVP_PKEY *pair;

    CHECK(build != NULL);
    memcpy(point + 1, x->bytes, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, y->bytes, P256_BYTES);
    CHECK(OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                          "prime256v1", 0) == 1);
    CHECK(OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                           point, sizeof point) == 1);
    pair = pair_of("EC", build);
    OSSL_PARAM_BLD_free(build);
    return pair;
}

/* The public half; NULL with a sentence. */
static EVP_PKEY *take_pair(const struct jwk *jwk, enum algorithm algorithm,
                           const char **why_out)
{
    struct buffer one, other;
    EVP_PKEY *pair = NULL;

    buffer_init(&one);
    buffer_init(&other);
    *why_out = "its numbers are not those of a key of its kind";
    if (algorithm == ALGORITHM_RS256) {
        if (take_bytes(jwk->n, 1, RSA_MAX_BYTES, &one) &&
            take_bytes(jwk->e, 1, 8, &other))
            pair = rsa_pair(&one, &other);
    } else if (algorithm == ALGORITHM_ES256) {
        if (take_bytes(jwk->x, P256_BYTES, P256_BYTES, &one) &&
            take_bytes(jwk->y, P256_BYTES, P256_BYTES, &other))
            pair = ec_pair(&one, &other);
    } else if (take_bytes(jwk->x, ED25519_BYTES, ED25519_BYTES, &one)) {
        pair = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                           (const unsigned char *)one.bytes,
                                           one.length);
    }
    buffer_fini(&one);
    buffer_fini(&other);
    return pair;
}

static enum status take_secret(const struct jwk *jwk,
                               struct signing_key **key_out,
                               const char **why_out)
{
    struct buffer secret;
    enum status st;

    buffer_init(&secret);
    if (take_bytes(jwk->k, 0, SECRET_MAX_BYTES, &secret))
        st = key_of_secret(secret.length > 0 ? buffer_text(&secret)
                                             : text_of(""),
                           key_out, why_out);
    else
        st = refused(why_out, "its \"k\" is no secret in base64url");
    if (secret.bytes != NULL)
        OPENSSL_cleanse(secret.bytes, secret.capacity);
    buffer_fini(&secret);
    return st;
}

static enum status take_kid(const struct jwk *jwk, struct signing_key *key,
                            const char **why_out)
{
    struct buffer kid;
    enum status st = ST_OK;

    if (jwk->kid.length == 0)
        return ST_OK;
    buffer_init(&kid);
    if (!member_string(jwk->kid, &kid) || kid.length > KID_MAX_BYTES ||
        (kid.length > 0 && memchr(kid.bytes, '\0', kid.length) != NULL)) {
        st = refused(why_out, "its \"kid\" is no text of at most 200 bytes");
    } else {
        buffer_append_char(&kid, '\0');
        key->kid = buffer_detach(&kid);
    }
    buffer_fini(&kid);
    return st;
}

static enum status make_key(const struct jwk *jwk, enum algorithm algorithm,
                            struct signing_key **key_out, const char **why_out)
{
    enum status st = judge(jwk, algorithm, why_out);
    EVP_PKEY *pair = NULL;

    if (st != ST_OK)
        return st;
    if (algorithm == ALGORITHM_HS256) {
        st = take_secret(jwk, key_out, why_out);
    } else {
        pair = take_pair(jwk, algorithm, why_out);
        st = pair != NULL ? key_of_pair(&pair, false, key_out, why_out)
                          : ST_BAD_INPUT;
        EVP_PKEY_free(pair);
    }
    if (st == ST_OK)
        st = take_kid(jwk, *key_out, why_out);
    if (st != ST_OK)
        key_destroy(key_out);
    return st;
}

/* ---- one, and a set -------------------------------------------------------
 */

static enum status add(const char *place, struct text object, bool is_in_set,
                       struct key_list *list, char *why, size_t why_bytes)
{
    struct jwk jwk;
    struct signing_key *key = NULL;
    const char *sentence = "its \"kty\" is not known (RSA, EC, OKP, oct)";
    enum algorithm algorithm = ALGORITHM_HS256;
    struct text kty;
    enum status st = take_members(object, &jwk, &sentence);

    if (st == ST_OK && (!json_string_inside(jwk.kty, &kty) ||
                        !algorithm_of_kty(kty, &algorithm))) {
        if (is_in_set && jwk.kty.length > 0) {
            LOG_LINE(LOG_WARN, "auth", "a key of a kind that is not known",
                     LOG_STR("place", place));
            return ST_OK;
        }
        st = ST_BAD_INPUT;
    }
    if (st == ST_OK)
        st = make_key(&jwk, algorithm, &key, &sentence);
    if (st == ST_OK)
        return key_list_add(list, &key, place, why, why_bytes);
    snprintf(why, why_bytes, "%s: %s", place, sentence);
    return st;
}

static enum status add_set(const char *place, struct text array,
                           struct key_list *list, char *why, size_t why_bytes)
{
    const unsigned before = list->count;
    enum status st = ST_OK;
    struct text element;
    size_t cursor = 0;
    unsigned number = 0;
    char one[600];

    while (st == ST_OK && json_next_element(array, &cursor, &element)) {
        snprintf(one, sizeof one, "%s, key %u", place, ++number);
        if (number > KEYS_MAX) {
            snprintf(why, why_bytes, "%s: a set has at most %d keys", place,
                     KEYS_MAX);
            return ST_BAD_INPUT;
        }
        st = add(one, element, true, list, why, why_bytes);
    }
    if (st == ST_OK && list->count == before) {
        snprintf(why, why_bytes, "%s: no key in it can check a token", place);
        return ST_BAD_INPUT;
    }
    return st;
}

enum status jwk_read(const char *place, struct text text, struct key_list *list,
                     char *why, size_t why_bytes)
{
    struct text keys, kty;
    const struct wanted wanted[] = {{"keys", &keys}, {"kty", &kty}};
    const char *sentence = "it has neither \"keys\" nor \"kty\"";
    enum status st = members_take(text, wanted, 2, &sentence);

    if (st == ST_OK && kty.length > 0)
        return add(place, text, false, list, why, why_bytes);
    if (st == ST_OK && keys.length > 0 && keys.bytes[0] == '[')
        return add_set(place, keys, list, why, why_bytes);
    snprintf(why, why_bytes, "%s: %s", place, sentence);
    return ST_BAD_INPUT;
}
