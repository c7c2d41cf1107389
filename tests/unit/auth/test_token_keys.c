/* test_token_keys.c -- which files are keys, and what is said of the others.
 *
 * Keys are made here, good and weak ones, and their numbers put into PEM and
 * JSON in ways that no honest program would.
 */
#include "forge.h"

#include <tidings/check.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])
#define P256_BYTES     32
#define ED25519_BYTES  32

#define THIRTY_TWO "0123456789abcdef0123456789abcdef"

/* The numbers of good keys, in base64url. */
static const char *n, *e, *x, *y, *ed, *k;

static const char *coded(const void *bytes, size_t length)
{
    struct buffer text;
    const char *kept;

    buffer_init(&text);
    base64url_append(&text, (struct text){bytes, length});
    kept = forge_text("%.*s", TEXT_ARGS(buffer_text(&text))).bytes;
    buffer_fini(&text);
    return kept;
}

static const char *coded_number(EVP_PKEY *pair, const char *name)
{
    unsigned char bytes[RSA_MAX_BITS / 8];
    BIGNUM *number = NULL;
    int length;

    assert_int_equal(EVP_PKEY_get_bn_param(pair, name, &number), 1);
    length = BN_bn2bin(number, bytes);
    BN_free(number);
    return coded(bytes, (size_t)length);
}

/* Public halves end with their point (SubjectPublicKeyInfo). */
static int make_numbers(void **state)
{
    const struct signing_key *rsa = forge_key("RS256", NULL);
    const struct signing_key *ec = forge_key("ES256", NULL);
    const struct signing_key *edwards = forge_key("EdDSA", NULL);
    const char *end = ec->material.bytes + ec->material.length;

    (void)state;
    n = coded_number(rsa->pair, OSSL_PKEY_PARAM_RSA_N);
    e = coded_number(rsa->pair, OSSL_PKEY_PARAM_RSA_E);
    x = coded(end - 2 * P256_BYTES, P256_BYTES);
    y = coded(end - P256_BYTES, P256_BYTES);
    end = edwards->material.bytes + edwards->material.length;
    ed = coded(end - ED25519_BYTES, ED25519_BYTES);
    k = coded(THIRTY_TWO, 32);
    return 0;
}

static int empty(void **state)
{
    (void)state;
    forge_empty();
    return 0;
}

/* "" and how many keys, or the sentence. */
static const char *reading(struct text bytes, unsigned *count_out)
{
    struct key_list list = {.count = 0};
    static char why[600];

    why[0] = '\0';
    if (key_bytes_read("file", bytes, &list, why, sizeof why) == ST_OK)
        assert_string_equal(why, "");
    else
        assert_string_not_equal(why, "");
    *count_out = list.count;
    key_list_fini(&list);
    return why;
}

static void assert_keys(struct text bytes, unsigned wanted)
{
    unsigned count;
    const char *why = reading(bytes, &count);

    if (why[0] != '\0' || count != wanted)
        fail_msg("%.*s: %u keys, %s", TEXT_ARGS(bytes), count, why);
}

static void assert_refused(struct text bytes, const char *sentence)
{
    unsigned count;
    const char *why = reading(bytes, &count);

    if (strcmp(why, sentence) != 0)
        fail_msg("%.*s: %s", TEXT_ARGS(bytes), why);
}

/* ---- JSON ------------------------------------------------------------------
 */

/* clang-format off */
#define RSA "\"kty\":\"RSA\",\"n\":\"@n\",\"e\":\"@e\""
#define EC  "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@x\",\"y\":\"@y\""
#define OKP "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"@o\""
#define OCT "\"kty\":\"oct\",\"k\":\"@k\""

/* @n @e @x @y @o @k: the good numbers. */
static const struct {
    const char *json;
    unsigned count;
} good[] = {
    {"{" RSA "}",                                                     1},
    {"{" EC "}",                                                      1},
    {"{" OKP "}",                                                     1},
    {"{" OCT "}",                                                     1},
    {" \n{" EC ",\"use\":\"sig\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"],\"kid\":\"\\u0061\"} \n", 1},
    {"{" OCT ",\"key_ops\":[\"sign\"],\"alg\":\"HS256\"}",            1},
    {"{" EC ",\"d\":\"AA\",\"key_ops\":[\"sign\"]}",                  1},
    {"{" RSA ",\"x5c\":[\"AA\"],\"x5u\":\"https://example.org\",\"ext\":true}", 1},
    {"{\"keys\":[{" RSA "},{" EC "},{" OKP "},{" OCT "}],\"more\":1}", 4},
    {"{\"keys\":[{\"kty\":\"AKP\"},{" EC "},{\"kty\":7}]}",           1},
    {"{\"keys\":[{" EC ",\"kid\":\"a\"},{" EC ",\"kid\":\"a\"}]}",    2},
};

static const struct {
    const char *json, *sentence;
} bad[] = {
    {"{}",                              "file: it has neither \"keys\" nor \"kty\""},
    {"{\"keys\":{}}",                   "file: it has neither \"keys\" nor \"kty\""},
    {"{\"keys\":[]}",                   "file: no key in it can check a token"},
    {"{\"keys\":[{\"kty\":\"AKP\"}]}",  "file: no key in it can check a token"},
    {"{\"keys\":[7]}",                  "file, key 1: it is no JSON object"},
    {"{\"keys\":[{}]}",                 "file, key 1: its \"kty\" is not known (RSA, EC, OKP, oct)"},
    {"{\"keys\":[{" EC "},{" EC ",\"use\":\"enc\"}]}", "file, key 2: its \"use\" is not \"sig\""},
    {"{\"kty\":\"AKP\"}",               "file: its \"kty\" is not known (RSA, EC, OKP, oct)"},
    {"{\"kty\":\"rsa\",\"n\":\"@n\",\"e\":\"@e\"}", "file: its \"kty\" is not known (RSA, EC, OKP, oct)"},
    {"{" EC "",                         "file: it is no JSON object"},
    {"{" EC "}{}",                      "file: it is no JSON object"},
    {"{" EC "," EC "}",                 "file: the object has the same member twice"},
    {"{" EC ",\"\\u006bty\":\"oct\"}",  "file: the object has the same member twice"},
    {"{" EC ",\"use\":\"enc\"}",        "file: its \"use\" is not \"sig\""},
    {"{" EC ",\"use\":7}",              "file: its \"use\" is not \"sig\""},
    {"{" EC ",\"key_ops\":[\"sign\"]}", "file: its \"key_ops\" have no \"verify\""},
    {"{" EC ",\"key_ops\":[]}",         "file: its \"key_ops\" have no \"verify\""},
    {"{" EC ",\"key_ops\":\"verify\"}", "file: its \"key_ops\" have no \"verify\""},
    {"{" EC ",\"key_ops\":[\"verify\",7]}", "file: its \"key_ops\" have no \"verify\""},
    {"{" EC ",\"alg\":\"ES384\"}",      "file: its \"alg\" is not one that its \"kty\" has here (HS256, RS256, ES256, EdDSA)"},
    {"{" RSA ",\"alg\":\"PS256\"}",     "file: its \"alg\" is not one that its \"kty\" has here (HS256, RS256, ES256, EdDSA)"},
    {"{" RSA ",\"alg\":\"HS256\"}",     "file: its \"alg\" is not one that its \"kty\" has here (HS256, RS256, ES256, EdDSA)"},
    {"{" OCT ",\"alg\":\"none\"}",      "file: its \"alg\" is not one that its \"kty\" has here (HS256, RS256, ES256, EdDSA)"},
    {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"@x\",\"y\":\"@y\"}",     "file: its \"crv\" is not known (P-256 for EC, Ed25519 for OKP)"},
    {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"@x\",\"y\":\"@y\"}", "file: its \"crv\" is not known (P-256 for EC, Ed25519 for OKP)"},
    {"{\"kty\":\"EC\",\"x\":\"@x\",\"y\":\"@y\"}",  "file: its \"crv\" is not known (P-256 for EC, Ed25519 for OKP)"},
    {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"@o\"}", "file: its \"crv\" is not known (P-256 for EC, Ed25519 for OKP)"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"@o\"}",  "file: its \"crv\" is not known (P-256 for EC, Ed25519 for OKP)"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@x\"}",   "file: its numbers are not those of a key of its kind"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@x\",\"y\":\"@x\"}", "file: its numbers are not those of a key of its kind"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@x\",\"y\":\"@yAAAA\"}", "file: its numbers are not those of a key of its kind"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@x\",\"y\":\"@y=\"}", "file: its numbers are not those of a key of its kind"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@x\",\"y\":7}", "file: its numbers are not those of a key of its kind"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"\"}",  "file: its numbers are not those of a key of its kind"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "file: the Ed25519 key is a point of small order: with it every signature is right"},
    {"{\"kty\":\"RSA\",\"n\":\"@n\"}",                    "file: its numbers are not those of a key of its kind"},
    {"{\"kty\":\"RSA\",\"n\":\"@x\",\"e\":\"@e\"}",       "file: an RSA key needs 2048 bits or more"},
    {"{\"kty\":\"RSA\",\"n\":\"@n\",\"e\":\"AQ\"}",       "file: the RSA key's exponent must be odd and from 3 to 64 bits"},
    {"{\"kty\":\"RSA\",\"n\":\"@n\",\"e\":\"Ag\"}",       "file: the RSA key's exponent must be odd and from 3 to 64 bits"},
    {"{\"kty\":\"RSA\",\"n\":\"@n\",\"e\":\"AA\"}",       "file: the RSA key's exponent must be odd and from 3 to 64 bits"},
    {"{\"kty\":\"oct\"}",                                 "file: its \"k\" is no secret in base64url"},
    {"{\"kty\":\"oct\",\"k\":\"\"}",                      "file: a secret needs 32 bytes or more"},
    {"{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",               "file: a secret needs 32 bytes or more"},
    {"{\"kty\":\"oct\",\"k\":\"@k=\"}",                   "file: its \"k\" is no secret in base64url"},
    {"{\"kty\":\"oct\",\"k\":\"LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0gYW5kIG1vcmU\"}", "file: this is a key of another kind and no secret: whoever knows its public half could sign"},
    {"{" EC ",\"kid\":7}",                                "file: its \"kid\" is no text of at most 200 bytes"},
    {"{" EC ",\"kid\":\"a\\u0000\"}",                     "file: its \"kid\" is no text of at most 200 bytes"},
};
/* clang-format on */

static const char *number_of(char letter)
{
    switch (letter) {
    case 'n':
        return n;
    case 'e':
        return e;
    case 'x':
        return x;
    case 'y':
        return y;
    case 'o':
        return ed;
    default:
        return k;
    }
}

static struct text filled(const char *json)
{
    struct buffer text;
    struct text kept;

    buffer_init(&text);
    for (; *json != '\0'; json++) {
        if (*json == '@')
            buffer_append_string(&text, number_of(*++json));
        else
            buffer_append_char(&text, *json);
    }
    kept = forge_text("%.*s", TEXT_ARGS(buffer_text(&text)));
    buffer_fini(&text);
    return kept;
}

static void test_json_keys_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_keys(filled(good[i].json), good[i].count);
}

static void test_json_that_is_no_key_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(filled(bad[i].json), bad[i].sentence);
}

static void test_a_set_has_at_most_64_keys(void **state)
{
    char set[8000] = "{\"keys\":[{" OCT "}", more[8000];

    (void)state;
    for (unsigned i = 1; i < KEYS_MAX; i++)
        strcat(set, ",{" OCT "}");
    snprintf(more, sizeof more, "%.7000s,{" OCT "}]}", set);
    strcat(set, "]}");
    assert_keys(filled(set), KEYS_MAX);
    assert_refused(filled(more), "file: a set has at most 64 keys");
}

/* ---- PEM -------------------------------------------------------------------
 */

enum half { PUBLIC, PRIVATE, LOCKED };

static struct text pem_of(EVP_PKEY *pair, enum half half)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes = NULL, password[] = "secret";
    struct text kept;
    long length;

    if (half == PUBLIC)
        assert_int_equal(PEM_write_bio_PUBKEY(memory, pair), 1);
    else
        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
                             memory, pair,
                             half == LOCKED ? EVP_aes_128_cbc() : NULL,
                             half == LOCKED ? password : NULL,
                             half == LOCKED ? 6 : 0, NULL, NULL),
                         1);
    length = BIO_get_mem_data(memory, &bytes);
    kept = forge_text("%.*s", (int)length, bytes);
    BIO_free(memory);
    return kept;
}

static void test_pem_of_good_keys_is_read(void **state)
{
    static const char *const algorithms[] = {"RS256", "ES256", "EdDSA"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        EVP_PKEY *pair = forge_key(algorithms[i], NULL)->pair;
        struct text open = pem_of(pair, PUBLIC);
        struct text own = pem_of(pair, PRIVATE);

        assert_keys(open, 1);
        assert_keys(own, 1);
        assert_keys(forge_text("a word before\n%s%s and behind\n", open.bytes,
                               own.bytes),
                    2);
        assert_refused(pem_of(pair, LOCKED),
                       "file: a private key in it is under a password; give "
                       "its public half (openssl pkey -pubout)");
        assert_refused(forge_text("%.*s", (int)open.length / 2, open.bytes),
                       "file: there is no whole PEM block in it");
        assert_refused(
            forge_text("%s%.*s", open.bytes, (int)open.length / 2, open.bytes),
            "file: a PEM block in it is broken");
    }
}

/* clang-format off */
static const struct {
    const char *kind, *detail, *sentence;
} weak[] = {
    {"RSA",     "1024",   "file: an RSA key needs 2048 bits or more"},
    {"RSA-PSS", "2048",   "file: a key must be RSA, EC on P-256, or Ed25519"},
    {"EC",      "P-384",  "file: an EC key must be on the curve P-256"},
    {"EC",      "secp256k1", "file: an EC key must be on the curve P-256"},
    {"X25519",  "",       "file: a key must be RSA, EC on P-256, or Ed25519"},
    {"ED448",   "",       "file: a key must be RSA, EC on P-256, or Ed25519"},
};
/* clang-format on */

static EVP_PKEY *weak_pair(const char *kind, const char *detail)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *pair = NULL;

    assert_non_null(context);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    if (strcmp(kind, "EC") == 0)
        assert_int_equal(EVP_PKEY_CTX_set_group_name(context, detail), 1);
    else if (detail[0] != '\0')
        assert_int_equal(
            EVP_PKEY_CTX_ctrl_str(context, "bits", detail) |
                EVP_PKEY_CTX_ctrl_str(context, "rsa_keygen_bits", detail),
            1);
    assert_int_equal(EVP_PKEY_generate(context, &pair), 1);
    EVP_PKEY_CTX_free(context);
    return pair;
}

static void test_pem_of_other_keys_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(weak); i++) {
        EVP_PKEY *pair = weak_pair(weak[i].kind, weak[i].detail);

        assert_refused(pem_of(pair, PUBLIC), weak[i].sentence);
        assert_refused(pem_of(pair, PRIVATE), weak[i].sentence);
        EVP_PKEY_free(pair);
    }
    assert_refused(
        text_of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        "file: it has a certificate; give the public key in it (openssl x509 "
        "-pubkey -noout)");
    assert_refused(
        text_of("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        "file: a PEM block in it cannot be decoded, or is of a kind that is "
        "not known");
    assert_refused(text_of("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH "
                           "PARAMETERS-----\n"),
                   "file: a PEM block in it is neither a public nor a private "
                   "key");
}

/* ---- secrets ---------------------------------------------------------------
 */

/* The bytes that a file of a secret stands for; NULL: it is refused. */
static void assert_secret(const char *bytes, size_t length, const char *wanted,
                          size_t wanted_length)
{
    struct key_list list = {.count = 0};
    char why[600];

    assert_int_equal(key_bytes_read("file", (struct text){bytes, length}, &list,
                                    why, sizeof why),
                     ST_OK);
    assert_int_equal(list.keys[0]->algorithm, ALGORITHM_HS256);
    assert_true(text_equals(buffer_text(&list.keys[0]->material),
                            (struct text){wanted, wanted_length}));
    key_list_fini(&list);
}

static void test_a_secret_is_its_bytes_but_for_a_line_end(void **state)
{
    (void)state;
    assert_secret(THIRTY_TWO, 32, THIRTY_TWO, 32);
    assert_secret(THIRTY_TWO "\n", 33, THIRTY_TWO, 32);
    assert_secret(THIRTY_TWO "\r\n", 34, THIRTY_TWO, 32);
    assert_secret(THIRTY_TWO "\n\n", 34, THIRTY_TWO "\n\n", 34);
    assert_secret(THIRTY_TWO "\xff\n", 34, THIRTY_TWO "\xff\n", 34);
    assert_secret(THIRTY_TWO "\0\n", 34, THIRTY_TWO "\0\n", 34);
    assert_secret("{" THIRTY_TWO "\xff", 34, "{" THIRTY_TWO "\xff", 34);
    assert_secret("{" THIRTY_TWO "\x01\n", 35, "{" THIRTY_TWO "\x01\n", 35);
    assert_secret("\n{" THIRTY_TWO "\x80", 35, "\n{" THIRTY_TWO "\x80", 35);
    assert_refused(text_of("{" THIRTY_TWO "}"), "file: it is no JSON object");
    assert_refused(
        text_of("{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAA\xff\"}"),
        "file: this is a key of another kind and no secret: whoever "
        "knows its public half could sign");
    assert_refused(text_of("0123456789abcdef0123456789abcde\n"),
                   "file: a secret needs 32 bytes or more");
    assert_refused(text_of(""), "file: a secret needs 32 bytes or more");
}

/* Whatever the wrapping, what everybody may know is no secret. */
static void test_a_key_of_another_kind_is_no_secret(void **state)
{
    static const char sentence[] =
        "file: this is a key of another kind and no secret: whoever knows its "
        "public half could sign";
    const struct text der = buffer_text(&forge_key("RS256", NULL)->material);
    struct buffer plain;

    (void)state;
    buffer_init(&plain);
    base64url_append(&plain, der);
    for (size_t i = 0; i < plain.length; i++)
        if (plain.bytes[i] == '-' || plain.bytes[i] == '_')
            plain.bytes[i] = plain.bytes[i] == '-' ? '+' : '/';
    assert_refused(der, sentence);
    assert_refused(buffer_text(&plain), sentence);
    buffer_append_string(&plain, "==\n");
    assert_refused(buffer_text(&plain), sentence);
    buffer_fini(&plain);
    assert_refused(text_of("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here"),
                   sentence);
    assert_refused(text_of("[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\"}]"),
                   sentence);
}

/* ---- rings -----------------------------------------------------------------
 */

static void test_no_keys_are_an_empty_ring(void **state)
{
    struct keyring *ring = forge_ring(0, NULL, "", "");

    (void)state;
    assert_true(keyring_is_empty(ring));
    assert_int_equal(keyring_count(ring), 0);
}

/* The private half of a key does not stay in a server. */
static void test_a_ring_has_only_public_halves(void **state)
{
    char path[] = "/tmp/tidings-test-XXXXXX";
    struct text pem = pem_of(forge_key("ES256", NULL)->pair, PRIVATE);
    struct key_list list = {.count = 0};
    struct keyring *first = NULL, *second = NULL;
    struct config config;
    BIGNUM *number = NULL;
    char why[600];
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(write(file, pem.bytes, pem.length), pem.length);
    assert_int_equal(close(file), 0);
    assert_int_equal(key_file_read(path, &list, why, sizeof why), ST_OK);
    assert_true(list.keys[0]->is_private);
    key_forget_private(list.keys[0]);
    assert_false(list.keys[0]->is_private);
    assert_int_equal(EVP_PKEY_get_bn_param(list.keys[0]->pair,
                                           OSSL_PKEY_PARAM_PRIV_KEY, &number),
                     0);
    assert_null(number);
    key_list_fini(&list);

    config_init(&config);
    free(config.token_keys);
    config.token_keys = must_strdup(path);
    assert_int_equal(keyring_load(&config, &first, why, sizeof why), ST_OK);
    assert_int_equal(keyring_load(&config, &second, why, sizeof why), ST_OK);
    assert_true(keyring_equals(first, second));
    keyring_unref(&second);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(keyring_load(&config, &second, why, sizeof why),
                     ST_BAD_INPUT);
    assert_null(second);
    assert_non_null(strstr(why, "cannot be opened"));
    config_fini(&config);
    second = forge_ring(0, NULL, "", "");
    assert_false(keyring_equals(first, second));
    keyring_unref(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_keys_are_read),
        cmocka_unit_test(test_json_that_is_no_key_is_told),
        cmocka_unit_test(test_a_set_has_at_most_64_keys),
        cmocka_unit_test(test_pem_of_good_keys_is_read),
        cmocka_unit_test(test_pem_of_other_keys_is_refused),
        cmocka_unit_test(test_a_secret_is_its_bytes_but_for_a_line_end),
        cmocka_unit_test(test_a_key_of_another_kind_is_no_secret),
        cmocka_unit_test(test_no_keys_are_an_empty_ring),
        cmocka_unit_test(test_a_ring_has_only_public_halves),
    };

    return cmocka_run_group_tests(tests, make_numbers, empty);
}
