/* fuzz_token.c -- tokens: as they come, and signed whatever is in them.
 *
 * Nobody forges a signature by chance, so an input with a line end in it is a
 * header and claims, which are signed here, properly. Else it is a token. What
 * is accepted must have what a grant promises, and a token that is made of that
 * grant must be accepted and allow the same.
 */
#include "fuzz.h"

#include <tidings/auth.h>

#include <stdlib.h>

#include "auth/key.h"
#include "auth/keyring.h"

#define NOW_MS 1800000000000
#define SECRET "a secret that is no secret at all"

int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct signing_key *secret;
static struct keyring *ring;

static void add(const char *algorithm)
{
    struct buffer private_half, public_half;
    char why[200];

    buffer_init(&private_half);
    buffer_init(&public_half);
    CHECK(signing_key_new(algorithm, &private_half, &public_half) == ST_OK);
    CHECK(key_bytes_read("made", buffer_text(&public_half), &ring->list, why,
                         sizeof why) == ST_OK);
    buffer_fini(&private_half);
    buffer_fini(&public_half);
}

/* Before the first input: an RSA key takes longer than one input may. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct config config;
    const char *sentence;
    char why[200];

    (void)argc;
    (void)argv;
    config_init(&config);
    free(config.token_secret);
    config.token_secret = must_strdup(SECRET);
    CHECK(keyring_load(&config, &ring, why, sizeof why) == ST_OK);
    config_fini(&config);
    add("ES256");
    add("EdDSA");
    add("RS256");
    CHECK(key_of_secret(text_of(SECRET), &secret, &sentence) == ST_OK);
    return 0;
}

static void check_selectors(const struct grant *grant, enum right right)
{
    struct text selector;
    size_t cursor = 0;

    while (list_next(grant_selectors(grant, right), &cursor, &selector)) {
        CHECK(selector_is_valid(selector));
        CHECK(grant_allows(grant, right, selector));
    }
}

static void check_same(const struct grant *one, const struct grant *other)
{
    CHECK(text_equals(grant_subject(one), grant_subject(other)));
    CHECK(text_equals(grant_selectors(one, RIGHT_SUBSCRIBE),
                      grant_selectors(other, RIGHT_SUBSCRIBE)));
    CHECK(text_equals(grant_selectors(one, RIGHT_PUBLISH),
                      grant_selectors(other, RIGHT_PUBLISH)));
    CHECK(grant_is_admin(one) == grant_is_admin(other));
}

/* A token of the same grant. Its escapes may make it too long. */
static void check_again(const struct grant *grant)
{
    struct token_claims claims = {.is_admin = grant_is_admin(grant)};
    struct grant *again = NULL;
    struct buffer token;
    const char *why = "";

    claims.subject = grant_subject(grant);
    claims.subscribe = grant_selectors(grant, RIGHT_SUBSCRIBE);
    claims.publish = grant_selectors(grant, RIGHT_PUBLISH);
    claims.issued_ms = NOW_MS;
    claims.expires_ms = grant_expires_ms(grant);
    buffer_init(&token);
    if (token_make(&token, secret, &claims, &why) == ST_OK) {
        CHECK(token_check(ring, buffer_text(&token), NOW_MS, &again, &why) ==
              ST_OK);
        check_same(grant, again);
        CHECK(keyring_holds(ring, again));
        grant_unref(&again);
    }
    buffer_fini(&token);
}

static void check_token(struct text token)
{
    struct token_report report;
    struct grant *grant = NULL;
    const char *why = NULL;
    const enum status st = token_check(ring, token, NOW_MS, &grant, &why);

    token_explain(ring, token, NOW_MS, &report);
    CHECK((st == ST_OK) == (report.why == NULL));
    CHECK((st == ST_OK) == (grant != NULL));
    CHECK(report.grant == NULL || report.key >= 0);
    CHECK(report.claims.length == 0 || report.key >= 0);
    if (grant != NULL) {
        CHECK(grant_expires_ms(grant) + TOKEN_LEEWAY_MS > NOW_MS);
        check_selectors(grant, RIGHT_SUBSCRIBE);
        check_selectors(grant, RIGHT_PUBLISH);
        check_again(grant);
    } else {
        CHECK(why == report.why);
    }
    token_report_fini(&report);
    grant_unref(&grant);
}

static void check_signed(struct text header, struct text claims)
{
    struct buffer token, signature;

    buffer_init(&token);
    buffer_init(&signature);
    base64url_append(&token, header);
    buffer_append_char(&token, '.');
    base64url_append(&token, claims);
    signature_append(secret, buffer_text(&token), &signature);
    buffer_append_char(&token, '.');
    base64url_append(&token, buffer_text(&signature));
    check_token(buffer_text(&token));
    buffer_fini(&signature);
    buffer_fini(&token);
}

static void check_base64url(struct text text)
{
    struct buffer bytes, again;

    buffer_init(&bytes);
    buffer_init(&again);
    if (base64url_decode(text, &bytes)) {
        base64url_append(&again, buffer_text(&bytes));
        CHECK(text_equals(buffer_text(&again), text));
    }
    buffer_fini(&bytes);
    buffer_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text input = text_of_input(data, size);
    const char *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length;

    check_base64url(input);
    check_token(input);
    if (end == NULL)
        return 0;
    length = (size_t)(end - input.bytes);
    check_signed((struct text){input.bytes, length},
                 (struct text){end + 1, size - length - 1});
    return 0;
}
