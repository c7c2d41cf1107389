/* test_token_claims.c -- signed tokens: what their claims mean, and which are
 * refused. */
#include "forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])
#define EXP            "\"exp\":1800000300"
#define HEADER         "{\"alg\":\"HS256\"}"

static const char *const algorithms[] = {"HS256", "RS256", "ES256", "EdDSA"};

static struct signing_key *secret;
static struct keyring *ring;

static int set_up(void **state)
{
    (void)state;
    secret = forge_key("HS256", NULL);
    ring = forge_ring(1, &secret, "", "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    forge_empty();
    return 0;
}

static struct grant *granted(const struct keyring *by, struct text token)
{
    struct grant *grant = NULL;
    const char *why = "";

    if (token_check(by, token, NOW_MS, &grant, &why) != ST_OK)
        fail_msg("refused: %s", why);
    return grant;
}

static void test_what_is_made_is_what_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct signing_key *key = forge_key(algorithms[i], NULL);
        struct keyring *by = forge_ring(1, &key, "https://me", "tidings");
        struct token_claims claims = {0};
        struct grant *grant;
        struct buffer token;
        const char *why = "";

        claims.kid = text_of("main");
        claims.issuer = text_of("https://me");
        claims.audience = text_of("tidings");
        claims.subject = text_of("us\"er 17");
        claims.subscribe = text_of("orders.*, news");
        claims.publish = text_of("orders.17");
        claims.is_admin = i == 0;
        claims.issued_ms = NOW_MS;
        claims.not_before_ms = NOW_MS;
        claims.expires_ms = NOW_MS + 5000;
        buffer_init(&token);
        assert_int_equal(token_make(&token, key, &claims, &why), ST_OK);
        grant = granted(by, buffer_text(&token));
        assert_true(text_is(grant_subject(grant), "us\"er 17"));
        assert_int_equal(grant_expires_ms(grant), NOW_MS + 5000);
        assert_int_equal(grant_is_admin(grant), i == 0);
        assert_true(
            text_is(grant_selectors(grant, RIGHT_SUBSCRIBE), "orders.*,news"));
        assert_true(grant_allows(grant, RIGHT_SUBSCRIBE, text_of("orders.17")));
        assert_false(grant_allows(grant, RIGHT_SUBSCRIBE, text_of("orders.>")));
        assert_true(grant_allows(grant, RIGHT_PUBLISH, text_of("orders.17")));
        assert_false(grant_allows(grant, RIGHT_PUBLISH, text_of("news")));
        assert_true(keyring_holds(by, grant));
        assert_false(keyring_holds(ring, grant));
        grant_unref(&grant);
        buffer_fini(&token);
    }
}

/* clang-format off */
static const char *const good_claims[] = {
    "{" EXP "}",
    " { " EXP " } \r\n",
    "{\"exp\":1800000300.5}",
    "{\"exp\":1.8000003e9}",
    "{\"exp\":253402300799}",
    "{\"\\u0065xp\":1800000300}",
    "{\"exp\":1799999941}",
    "{\"exp\":1799999940.001}",
    "{" EXP ",\"nbf\":1800000060}",
    "{" EXP ",\"nbf\":0,\"iat\":0}",
    "{" EXP ",\"iat\":1900000000}",
    "{" EXP ",\"sub\":\"\"}",
    "{" EXP ",\"sub\":\"Gruy\xc3\xa8re\",\"jti\":7,\"scope\":{\"exp\":[1,{\"exp\":2}]}}",
    "{" EXP ",\"aud\":[],\"iss\":\"anybody\"}",
    "{" EXP ",\"subscribe\":[],\"publish\":[],\"admin\":false}",
    "{" EXP ",\"subscribe\":\"a.*\",\"publish\":\">\",\"admin\":true}",
};

static const struct {
    const char *claims, *why;
} bad_claims[] = {
    {"{}",                                    "it has no exp: a token must end"},
    {"{\"Exp\":1800000300}",                  "it has no exp: a token must end"},
    {"{\"exp\":\"1800000300\"}",              "its exp is no time in seconds"},
    {"{\"exp\":null}",                        "its exp is no time in seconds"},
    {"{\"exp\":true}",                        "its exp is no time in seconds"},
    {"{\"exp\":[1800000300]}",                "its exp is no time in seconds"},
    {"{\"exp\":{}}",                          "its exp is no time in seconds"},
    {"{\"exp\":-1}",                          "its exp is no time in seconds"},
    {"{\"exp\":1e400}",                       "its exp is no time in seconds"},
    {"{\"exp\":1e12}",                        "its exp is no time in seconds"},
    {"{\"exp\":1800000300000}",               "its exp is no time in seconds"},
    {"{\"exp\":99999999999999999999999999999999999999999}", "its exp is no time in seconds"},
    {"{\"exp\":0}",                           "it has expired"},
    {"{\"exp\":1799999940}",                  "it has expired"},
    {"{\"exp\":1799999939}",                  "it has expired"},
    {"{" EXP ",\"nbf\":1800000061}",          "it is not valid yet"},
    {"{" EXP ",\"nbf\":1800000060.5}",        "it is not valid yet"},
    {"{" EXP ",\"nbf\":\"0\"}",               "its nbf is no time in seconds"},
    {"{" EXP ",\"nbf\":-5}",                  "its nbf is no time in seconds"},
    {"{" EXP ",\"iat\":\"now\"}",             "its iat is no time in seconds"},
    {"{" EXP ",\"sub\":17}",                  "its sub is no text of at most 255 bytes on one line"},
    {"{" EXP ",\"sub\":\"a\\nb\"}",           "its sub is no text of at most 255 bytes on one line"},
    {"{" EXP ",\"sub\":\"a\\u0000\"}",        "its sub is no text of at most 255 bytes on one line"},
    {"{" EXP ",\"sub\":\"\\ud800\"}",         "its sub is no text of at most 255 bytes on one line"},
    {"{" EXP ",\"iss\":[\"me\"]}",            "its iss is no text"},
    {"{" EXP ",\"aud\":17}",                  "its aud is neither a text nor texts"},
    {"{" EXP ",\"aud\":[\"a\",1]}",           "its aud is neither a text nor texts"},
    {"{" EXP ",\"aud\":{\"a\":1}}",           "its aud is neither a text nor texts"},
    {"{" EXP ",\"admin\":\"true\"}",          "its admin is neither true nor false"},
    {"{" EXP ",\"admin\":1}",                 "its admin is neither true nor false"},
    {"{" EXP ",\"subscribe\":\"\"}",          "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP ",\"subscribe\":\"a,b\"}",       "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP ",\"subscribe\":\"a b\"}",       "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP ",\"subscribe\":[\"a\",\"b..c\"]}", "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP ",\"publish\":[[\"a\"]]}",       "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP ",\"publish\":true}",            "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP ",\"publish\":{\"a\":1}}",       "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP ",\"publish\":[null]}",          "a selector in its subscribe or publish is neither a channel nor a pattern"},
    {"{" EXP "," EXP "}",                     "its claims are no JSON object with each name once"},
    {"{" EXP ",\"\\u0065xp\":1900000000}",    "its claims are no JSON object with each name once"},
    {"{" EXP ",\"x\":1,\"x\":1}",             "its claims are no JSON object with each name once"},
    {"{" EXP ",}",                            "its claims are no JSON object with each name once"},
    {"{'exp':1800000300}",                    "its claims are no JSON object with each name once"},
    {"{" EXP "} {}",                          "its claims are no JSON object with each name once"},
    {"{" EXP ",\"x\":\"\xff\"}",              "its claims are no JSON object with each name once"},
    {"{\"exp\":01800000300}",                 "its claims are no JSON object with each name once"},
    {"{\"exp\":+1800000300}",                 "its claims are no JSON object with each name once"},
    {"{\"exp\":Infinity}",                    "its claims are no JSON object with each name once"},
    {"{\"exp\":NaN}",                         "its claims are no JSON object with each name once"},
    {"{\"exp\":0x6b49d200}",                  "its claims are no JSON object with each name once"},
    {"{" EXP ",\"\\ud800\":1}",               "its claims are no JSON object with each name once"},
    {"\xef\xbb\xbf{" EXP "}",                 "its claims are no JSON object with each name once"},
    {"[" "1800000300]",                       "its claims are no JSON object with each name once"},
    {"1800000300",                            "its claims are no JSON object with each name once"},
    {"null",                                  "its claims are no JSON object with each name once"},
    {" ",                                     "its claims are no JSON object with each name once"},
    {"",                                      "its claims are not base64url"},
};
/* clang-format on */

static void test_good_claims_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_claims); i++) {
        const char *why =
            forge_why(ring, forge_token(secret, HEADER, good_claims[i]));

        if (why[0] != '\0')
            fail_msg("%s: %s", good_claims[i], why);
    }
}

static void test_bad_claims_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_claims); i++) {
        const char *why =
            forge_why(ring, forge_token(secret, HEADER, bad_claims[i].claims));

        if (strcmp(why, bad_claims[i].why) != 0)
            fail_msg("%s: %s", bad_claims[i].claims, why);
    }
}

/* clang-format off */
static const struct {
    const char *issuer, *audience, *claims, *why;
} addressed[] = {
    {"me", "",   "{" EXP ",\"iss\":\"me\"}",           ""},
    {"me", "",   "{" EXP ",\"iss\":\"m\\u0065\"}",     ""},
    {"me", "",   "{" EXP "}",                          "its iss is not the one of token_issuer"},
    {"me", "",   "{" EXP ",\"iss\":\"Me\"}",           "its iss is not the one of token_issuer"},
    {"me", "",   "{" EXP ",\"iss\":\"me \"}",          "its iss is not the one of token_issuer"},
    {"me", "",   "{" EXP ",\"iss\":\"\"}",             "its iss is not the one of token_issuer"},
    {"",   "us", "{" EXP ",\"aud\":\"us\"}",           ""},
    {"",   "us", "{" EXP ",\"aud\":[\"them\",\"us\"]}", ""},
    {"",   "us", "{" EXP "}",                          "its aud is not the one of token_audience"},
    {"",   "us", "{" EXP ",\"aud\":[]}",               "its aud is not the one of token_audience"},
    {"",   "us", "{" EXP ",\"aud\":\"us them\"}",      "its aud is not the one of token_audience"},
    {"",   "us", "{" EXP ",\"aud\":[\"them\"]}",       "its aud is not the one of token_audience"},
    {"",   "us", "{" EXP ",\"aud\":[\"us\",7]}",       "its aud is neither a text nor texts"},
    {"me", "us", "{" EXP ",\"aud\":\"me\",\"iss\":\"us\"}", "its iss is not the one of token_issuer"},
    {"me", "us", "{" EXP ",\"aud\":\"us\",\"iss\":\"me\"}", ""},
};
/* clang-format on */

static void test_issuer_and_audience_count_when_they_are_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(addressed); i++) {
        struct keyring *by =
            forge_ring(1, &secret, addressed[i].issuer, addressed[i].audience);
        const char *why =
            forge_why(by, forge_token(secret, HEADER, addressed[i].claims));

        if (strcmp(why, addressed[i].why) != 0)
            fail_msg("%s: %s", addressed[i].claims, why);
    }
}

/* 256 selectors of a right are taken and 257 not. */
static void test_the_number_of_selectors_is_bounded(void **state)
{
    char claims[4096] = "{" EXP ",\"subscribe\":[\"a\"";
    char more[5000];

    (void)state;
    for (unsigned i = 1; i < 256; i++)
        strcat(claims, ",\"a\"");
    snprintf(more, sizeof more, "%s,\"a\"]}", claims);
    strcat(claims, "]}");
    assert_string_equal(forge_why(ring, forge_token(secret, HEADER, claims)),
                        "");
    assert_string_equal(forge_why(ring, forge_token(secret, HEADER, more)),
                        "its subscribe or publish has more than 256 selectors");
}

/* 64 members are taken and 65 not; 62 arrays inside of each other (with the
 * object around them and what JSON allows) and not 64. */
static void test_size_and_depth_are_bounded(void **state)
{
    char claims[4096] = "{" EXP;
    char more[5000], member[32], deep[400] = "{" EXP ",\"x\":";

    (void)state;
    for (unsigned i = 1; i < 64; i++) {
        snprintf(member, sizeof member, ",\"m%u\":1", i);
        strcat(claims, member);
    }
    snprintf(more, sizeof more, "%s,\"n\":1}", claims);
    strcat(claims, "}");
    assert_string_equal(forge_why(ring, forge_token(secret, HEADER, claims)),
                        "");
    assert_string_equal(forge_why(ring, forge_token(secret, HEADER, more)),
                        "its claims are no JSON object with each name once");
    for (unsigned i = 0; i < 64; i++)
        strcat(deep, "[");
    for (unsigned i = 0; i < 64; i++)
        strcat(deep, "]");
    strcat(deep, "}");
    assert_string_equal(forge_why(ring, forge_token(secret, HEADER, deep)),
                        "its claims are no JSON object with each name once");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_made_is_what_is_read),
        cmocka_unit_test(test_good_claims_are_taken),
        cmocka_unit_test(test_bad_claims_are_refused),
        cmocka_unit_test(test_issuer_and_audience_count_when_they_are_set),
        cmocka_unit_test(test_the_number_of_selectors_is_bounded),
        cmocka_unit_test(test_size_and_depth_are_bounded),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
