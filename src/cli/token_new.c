/* token_new.c -- `tidings token new`: a token on standard output.
 *
 * The key decides the algorithm here too. Its file has the private half or a
 * secret; without --key it is the secret of TIDINGS_TOKEN_SECRET. What would be
 * refused later is refused now: a selector that is none, a token that is too
 * long, one that allows nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <tidings/auth.h>
#include <tidings/clock.h>

#include "command.h"
#include "options.h"
#include "token_command.h"

#define TTL_MAX_S ((uint64_t)10 * 366 * 24 * 3600)

static const char about[] =
    "Makes a token and prints it. SELECTORS are channels and patterns with "
    "commas\nbetween: news,orders.*,user.17.> . The key's file has a secret or "
    "a private key\n(PEM); the key decides the algorithm. TTL takes s m h d "
    "behind the number.\n";

static const char *or_nothing(const char *word)
{
    return word != NULL ? word : "";
}

/* Seconds, perhaps with a unit. */
static bool read_ttl(const char *word, uint64_t *seconds_out)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 24 * 3600}};
    const size_t length = strlen(word);
    uint64_t factor = 1;
    char digits[16];

    if (length == 0 || length >= sizeof digits)
        return false;
    memcpy(digits, word, length + 1);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (digits[length - 1] == units[i].unit) {
            digits[length - 1] = '\0';
            factor = units[i].seconds;
            break;
        }
    }
    if (!option_number(digits, 1, TTL_MAX_S, seconds_out))
        return false;
    *seconds_out *= factor;
    return *seconds_out <= TTL_MAX_S;
}

/* EXIT_DONE and the key, or what went wrong, said. */
static int read_key(const char *path, struct signing_key **key_out)
{
    const char *secret = getenv("TIDINGS_TOKEN_SECRET");
    const char *sentence = "";
    char why[600];

    if (path == NULL && (secret == NULL || secret[0] == '\0'))
        return cli_fail(EXIT_USAGE, "which key? --key FILE, or the secret in "
                                    "TIDINGS_TOKEN_SECRET");
    if (path != NULL) {
        if (signing_key_read(path, key_out, why, sizeof why) == ST_OK)
            return EXIT_DONE;
        return cli_fail(EXIT_FAILED, "%s", why);
    }
    if (signing_key_of_secret(text_of(secret), key_out, &sentence) == ST_OK)
        return EXIT_DONE;
    return cli_fail(EXIT_FAILED, "TIDINGS_TOKEN_SECRET: %s", sentence);
}

static int print_token(struct signing_key *key,
                       const struct token_claims *claims)
{
    const char *why = "";
    struct buffer token;
    int exit_code = EXIT_DONE;

    buffer_init(&token);
    if (token_make(&token, key, claims, &why) == ST_OK)
        printf("%.*s\n", TEXT_ARGS(buffer_text(&token)));
    else
        exit_code = cli_fail(EXIT_USAGE, "it would be refused: %s", why);
    buffer_fini(&token);
    return exit_code;
}

static int run(const char *key_path, const struct token_claims *claims)
{
    struct signing_key *key = NULL;
    int exit_code = read_key(key_path, &key);

    if (exit_code == EXIT_DONE)
        exit_code = print_token(key, claims);
    signing_key_destroy(&key);
    return exit_code;
}

int cli_token_new(int argc, char **argv)
{
    const char *key = NULL, *subscribe = NULL, *publish = NULL, *subject = NULL,
               *ttl = "1h", *kid = NULL, *audience = NULL, *issuer = NULL;
    struct token_claims claims = {.is_admin = false};
    const struct option rows[] = {
        {"key", "FILE", &key, NULL, "else the secret of TIDINGS_TOKEN_SECRET"},
        {"subscribe", "SELECTORS", &subscribe, NULL, "what it may read"},
        {"publish", "SELECTORS", &publish, NULL, "where it may publish"},
        {"admin", NULL, NULL, &claims.is_admin, "it may use /admin"},
        {"subject", "TEXT", &subject, NULL, "whom it is about (sub)"},
        {"ttl", "TIME", &ttl, NULL, "how long it is good; default 1h"},
        {"kid", "TEXT", &kid, NULL, "which key it names, for rotation"},
        {"audience", "TEXT", &audience, NULL, "whom it is for (aud)"},
        {"issuer", "TEXT", &issuer, NULL, "who made it (iss)"}};
    const struct options options = {
        "tidings token new --key FILE --subscribe SELECTORS", about, rows,
        sizeof rows / sizeof rows[0]};
    uint64_t seconds = 0;
    int exit_code;

    if (!options_read(&options, &argc, argv, &exit_code))
        return exit_code;
    if (argc > 0)
        return cli_fail(EXIT_USAGE, "usage: %s", options.usage);
    if (!read_ttl(ttl, &seconds))
        return cli_fail(EXIT_USAGE, "--ttl: \"%.20s\" is no time such as 15m",
                        ttl);
    claims.subscribe = text_of(or_nothing(subscribe));
    claims.publish = text_of(or_nothing(publish));
    if (!selector_list_is_valid(claims.subscribe) ||
        !selector_list_is_valid(claims.publish))
        return cli_fail(EXIT_USAGE, "--subscribe and --publish take channels "
                                    "and patterns with commas between");
    if (claims.subscribe.length + claims.publish.length == 0 &&
        !claims.is_admin)
        return cli_fail(EXIT_USAGE, "a token without --subscribe, --publish or "
                                    "--admin allows nothing");
    claims.subject = text_of(or_nothing(subject));
    claims.kid = text_of(or_nothing(kid));
    claims.audience = text_of(or_nothing(audience));
    claims.issuer = text_of(or_nothing(issuer));
    claims.issued_ms = clock_wall_ms(&system_clock);
    claims.expires_ms = claims.issued_ms + (int64_t)seconds * 1000;
    return run(key, &claims);
}
