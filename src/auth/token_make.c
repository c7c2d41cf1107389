/* token_make.c -- new keys and new tokens, for the command line.
 *
 * A token is put together from texts that are escaped as JSON strings, signed
 * with the one algorithm of its key, and nothing else is in it than what was
 * asked for: typ JWT, alg, perhaps kid, and the claims. Before it is given away
 * it is checked as a server would, so that nobody finds out later that it is too
 * long or says something that is refused.
 */
#include <tidings/auth.h>
#include <tidings/check.h>
#include <tidings/wire.h>

#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "keyring.h"

#define NEW_RSA_BITS ((size_t)3072)

/* ---- keys -----------------------------------------------------------------
 */

enum status signing_key_read(const char *path, struct signing_key **key_out,
                             char *why, size_t why_bytes)
{
    struct key_list list = {.count = 0};
    enum status st = key_file_read(path, &list, why, why_bytes);

    if (st == ST_OK && list.count != 1) {
        snprintf(why, why_bytes, "%s: has %u keys; which is to sign?", path,
                 list.count);
        st = ST_BAD_INPUT;
    }
    if (st == ST_OK && !list.keys[0]->is_private) {
        snprintf(why, why_bytes,
                 "%s: has a public key, with which nothing can be signed; "
                 "the private half is needed, as PEM",
                 path);
        st = ST_BAD_INPUT;
    }
    if (st == ST_OK) {
        *key_out = list.keys[0];
        list.count = 0;
    }
    key_list_fini(&list);
    return st == ST_OK ? ST_OK : ST_BAD_INPUT;
}

enum status signing_key_of_secret(struct text secret,
                                  struct signing_key **key_out,
                                  const char **why_out)
{
    return key_of_secret(secret, key_out, why_out);
}

void signing_key_destroy(struct signing_key **key)
{
    key_destroy(key);
}

const char *signing_key_algorithm(const struct signing_key *key)
{
    return algorithm_name(key->algorithm);
}

static void append_pem(EVP_PKEY *pair, bool is_private, struct buffer *out)
{
    BIO *memory = BIO_new(is_private ? BIO_s_secmem() : BIO_s_mem());
    char *bytes = NULL;
    long length;

    CHECK(memory != NULL);
    if (is_private)
        CHECK(PEM_write_bio_PKCS8PrivateKey(memory, pair, NULL, NULL, 0, NULL,
                                            NULL) == 1);
    else
        CHECK(PEM_write_bio_PUBKEY(memory, pair) == 1);
    length = BIO_get_mem_data(memory, &bytes);
    buffer_append(out, bytes, (size_t)length);
    BIO_free(memory);
}

static void new_secret(struct buffer *out)
{
    unsigned char bytes[SECRET_MIN_BYTES];

    CHECK(RAND_bytes(bytes, sizeof bytes) == 1);
    base64url_append(out, (struct text){(const char *)bytes, sizeof bytes});
    buffer_append_char(out, '\n');
    OPENSSL_cleanse(bytes, sizeof bytes);
}

static EVP_PKEY *new_pair(enum algorithm algorithm)
{
    switch (algorithm) {
    case ALGORITHM_RS256:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", NEW_RSA_BITS);
    case ALGORITHM_ES256:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    case ALGORITHM_EDDSA:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case ALGORITHM_HS256:
        break;
    }
    return NULL;
}

enum status signing_key_new(const char *name, struct buffer *private_out,
                            struct buffer *public_out)
{
    enum algorithm algorithm = ALGORITHM_HS256;
    EVP_PKEY *pair;

    if (!algorithm_find(text_of(name), &algorithm))
        return ST_NOT_FOUND;
    if (algorithm == ALGORITHM_HS256) {
        new_secret(private_out);
        return ST_OK;
    }
    pair = new_pair(algorithm);
    CHECK(pair != NULL);
    append_pem(pair, true, private_out);
    append_pem(pair, false, public_out);
    EVP_PKEY_free(pair);
    return ST_OK;
}

/* ---- tokens ---------------------------------------------------------------
 */

static void append_name(struct buffer *out, const char *name)
{
    buffer_printf(out, "%s\"%s\":", out->length > 1 ? "," : "", name);
}

static void append_text(struct buffer *out, const char *name, struct text text)
{
    if (text.length == 0)
        return;
    append_name(out, name);
    json_append_string(out, text);
}

static void append_time(struct buffer *out, const char *name, int64_t wall_ms)
{
    if (wall_ms == 0)
        return;
    append_name(out, name);
    buffer_printf(out, "%" PRId64, wall_ms / 1000);
}

static void append_selectors(struct buffer *out, const char *name,
                             struct text list)
{
    struct text selector;
    size_t cursor = 0;

    if (list.length == 0)
        return;
    append_name(out, name);
    buffer_append_char(out, '[');
    while (list_next(list, &cursor, &selector)) {
        if (out->bytes[out->length - 1] != '[')
            buffer_append_char(out, ',');
        json_append_string(out, selector);
    }
    buffer_append_char(out, ']');
}

static void append_header(struct buffer *json, const struct signing_key *key,
                          struct text kid)
{
    buffer_append_char(json, '{');
    append_text(json, "alg", text_of(algorithm_name(key->algorithm)));
    append_text(json, "typ", text_of("JWT"));
    append_text(json, "kid", kid);
    buffer_append_char(json, '}');
}

static void append_claims(struct buffer *json,
                          const struct token_claims *claims)
{
    buffer_append_char(json, '{');
    append_text(json, "iss", claims->issuer);
    append_text(json, "aud", claims->audience);
    append_text(json, "sub", claims->subject);
    append_selectors(json, "subscribe", claims->subscribe);
    append_selectors(json, "publish", claims->publish);
    if (claims->is_admin) {
        append_name(json, "admin");
        buffer_append_string(json, "true");
    }
    append_time(json, "iat", claims->issued_ms);
    append_time(json, "nbf", claims->not_before_ms);
    append_time(json, "exp", claims->expires_ms);
    buffer_append_char(json, '}');
}

static void append_token(struct buffer *out, const struct signing_key *key,
                         const struct token_claims *claims)
{
    struct buffer json, signature;

    buffer_init(&json);
    buffer_init(&signature);
    append_header(&json, key, claims->kid);
    base64url_append(out, buffer_text(&json));
    buffer_append_char(out, '.');
    json.length = 0;
    append_claims(&json, claims);
    base64url_append(out, buffer_text(&json));
    signature_append(key, buffer_text(out), &signature);
    buffer_append_char(out, '.');
    base64url_append(out, buffer_text(&signature));
    buffer_fini(&signature);
    buffer_fini(&json);
}

/* As a server would, that has this key alone. */
static enum status check(struct signing_key *key, struct text token,
                         const struct token_claims *claims,
                         const char **why_out)
{
    char any[] = "";
    struct keyring ring = {.issuer = any, .audience = any};
    const int64_t then_ms = claims->not_before_ms > claims->issued_ms
                                ? claims->not_before_ms
                                : claims->issued_ms;
    struct grant *grant = NULL;
    enum status st;

    ring.list.keys[ring.list.count++] = key;
    st = token_check(&ring, token, then_ms, &grant, why_out);
    grant_unref(&grant);
    return st;
}

enum status token_make(struct buffer *out, struct signing_key *key,
                       const struct token_claims *claims, const char **why_out)
{
    struct buffer token;
    enum status st;

    buffer_init(&token);
    append_token(&token, key, claims);
    st = check(key, buffer_text(&token), claims, why_out);
    if (st == ST_OK)
        buffer_append_text(out, buffer_text(&token));
    buffer_fini(&token);
    return st;
}
