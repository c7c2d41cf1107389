/* forge.c -- what token_make.c does not make: tokens of any header and claims,
 * and rings of keys that never were in a file. */
#include "forge.h"

#include <tidings/check.h>

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/keyring.h"

#define POOL_MAX 2000

static struct {
    char *texts[POOL_MAX];
    struct signing_key *keys[POOL_MAX];
    struct keyring *rings[POOL_MAX];
    unsigned text_count, key_count, ring_count;
} pool;

void forge_empty_rings(void)
{
    for (unsigned i = 0; i < pool.ring_count; i++)
        keyring_unref(&pool.rings[i]);
    pool.ring_count = 0;
}

void forge_empty(void)
{
    for (unsigned i = 0; i < pool.text_count; i++)
        free(pool.texts[i]);
    for (unsigned i = 0; i < pool.key_count; i++)
        key_destroy(&pool.keys[i]);
    pool.text_count = pool.key_count = 0;
    forge_empty_rings();
}

static struct text keep(struct buffer *buffer)
{
    const size_t length = buffer->length;

    assert_true(pool.text_count < POOL_MAX);
    buffer_append_char(buffer, '\0');
    pool.texts[pool.text_count] = buffer_detach(buffer);
    return (struct text){pool.texts[pool.text_count++], length};
}

struct signing_key *forge_key(const char *algorithm, const char *kid)
{
    struct buffer private_half, public_half;
    struct key_list list = {.count = 0};
    char why[200];

    buffer_init(&private_half);
    buffer_init(&public_half);
    assert_int_equal(signing_key_new(algorithm, &private_half, &public_half),
                     ST_OK);
    assert_int_equal(key_bytes_read("forged", buffer_text(&private_half), &list,
                                    why, sizeof why),
                     ST_OK);
    buffer_fini(&private_half);
    buffer_fini(&public_half);
    assert_int_equal(list.count, 1);
    assert_true(pool.key_count < POOL_MAX);
    if (kid != NULL)
        list.keys[0]->kid = must_strdup(kid);
    pool.keys[pool.key_count++] = list.keys[0];
    return list.keys[0];
}

static struct signing_key *copy_of(const struct signing_key *key)
{
    struct signing_key *copy = must_malloc(sizeof *copy);

    *copy = *key;
    copy->place = must_strdup(key->place);
    copy->kid = key->kid != NULL ? must_strdup(key->kid) : NULL;
    buffer_init(&copy->material);
    buffer_append_text(&copy->material, buffer_text(&key->material));
    if (copy->pair != NULL)
        assert_int_equal(EVP_PKEY_up_ref(copy->pair), 1);
    return copy;
}

struct keyring *forge_ring(unsigned count, struct signing_key *const *keys,
                           const char *issuer, const char *audience)
{
    struct config config;
    struct keyring *ring = NULL;
    char why[200];

    config_init(&config);
    free(config.token_issuer);
    free(config.token_audience);
    config.token_issuer = must_strdup(issuer);
    config.token_audience = must_strdup(audience);
    assert_int_equal(keyring_load(&config, &ring, why, sizeof why), ST_OK);
    config_fini(&config);
    for (unsigned i = 0; i < count; i++) {
        ring->list.keys[i] = copy_of(keys[i]);
        key_forget_private(ring->list.keys[i]);
    }
    ring->list.count = count;
    assert_true(pool.ring_count < POOL_MAX);
    pool.rings[pool.ring_count++] = ring;
    return ring;
}

static void append_parts(struct buffer *out, const char *header,
                         const char *claims)
{
    base64url_append(out, text_of(header));
    buffer_append_char(out, '.');
    base64url_append(out, text_of(claims));
}

struct text forge_token(const struct signing_key *key, const char *header,
                        const char *claims)
{
    struct buffer token, signature;

    buffer_init(&token);
    buffer_init(&signature);
    append_parts(&token, header, claims);
    signature_append(key, buffer_text(&token), &signature);
    buffer_append_char(&token, '.');
    base64url_append(&token, buffer_text(&signature));
    buffer_fini(&signature);
    return keep(&token);
}

struct text forge_unsigned(const char *header, const char *claims,
                           const char *signature)
{
    struct buffer token;

    buffer_init(&token);
    append_parts(&token, header, claims);
    buffer_append_char(&token, '.');
    buffer_append_string(&token, signature);
    return keep(&token);
}

struct text forge_text(const char *format, ...)
{
    char text[TOKEN_MAX_BYTES * 2];
    struct buffer buffer;
    va_list arguments;

    va_start(arguments, format);
    assert_true(vsnprintf(text, sizeof text, format, arguments) <
                (int)sizeof text);
    va_end(arguments);
    buffer_init(&buffer);
    buffer_append_string(&buffer, text);
    return keep(&buffer);
}

const char *forge_why(const struct keyring *ring, struct text token)
{
    struct grant *grant = NULL;
    const char *why = "";

    if (token_check(ring, token, NOW_MS, &grant, &why) == ST_OK) {
        assert_non_null(grant);
        grant_unref(&grant);
        return "";
    }
    assert_null(grant);
    return why;
}
