/* token_explain.c -- `tidings token check`: what a token allows, in sentences.
 *
 * The keys are those of the settings, as `serve` would have them, so the answer
 * is the server's. What is said about a token ends at the step that failed:
 * nothing of claims that nobody signed. The token itself is never printed, nor
 * its signature: what is on a terminal ends up in tickets.
 */
#include <inttypes.h>
#include <stdio.h>
#include <tidings/auth.h>
#include <tidings/clock.h>

#include "command.h"
#include "json_tokens.h"
#include "token_command.h"

#define HELP                                                                   \
    "tidings token check [TOKEN] [--config FILE] [--name value ...]\n\n"       \
    "Says what a token allows, or why a server with these settings would "     \
    "refuse it; ends\nwith 1 then. Without TOKEN, or with - for it, reads "    \
    "the "                                                                     \
    "token from standard input,\nwhich is better: everybody on this machine "  \
    "can read the words of a command. The\nkeys are those of token_keys and "  \
    "TIDINGS_TOKEN_SECRET.\n"

struct input {
    char bytes[TOKEN_MAX_BYTES + 3]; /* a line end, and one to see that it is
                                        too long */
    struct text token;
};

static void read_input(struct input *input)
{
    input->token.bytes = input->bytes;
    input->token.length = fread(input->bytes, 1, sizeof input->bytes, stdin);
    if (input->token.length > 0 &&
        input->bytes[input->token.length - 1] == '\n')
        input->token.length--;
    if (input->token.length > 0 &&
        input->bytes[input->token.length - 1] == '\r')
        input->token.length--;
}

/* ---- sentences ------------------------------------------------------------
 */

static void print_escaped(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        const unsigned char c = (unsigned char)text.bytes[i];

        if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

static void print_key(const struct keyring *keyring,
                      const struct token_report *report)
{
    struct key_view key;

    if (report->algorithm == NULL)
        return;
    printf("algorithm  %s\n", report->algorithm);
    if (report->kid.length > 0) {
        printf("kid        ");
        print_escaped(buffer_text(&report->kid));
        putchar('\n');
    }
    if (report->key < 0 || !keyring_key(keyring, (unsigned)report->key, &key))
        return;
    printf("signed by  %s\n", key.place);
}

static void print_claim(const struct json_tokens *json, const char *name,
                        const char *label)
{
    const int claim = json_member(json, 0, name);
    struct buffer text;

    if (claim < 0)
        return;
    buffer_init(&text);
    json_append_shown(json, claim, &text);
    printf("%-10s %.*s\n", label, TEXT_ARGS(buffer_text(&text)));
    buffer_fini(&text);
}

static void print_names(struct text claims)
{
    struct json_tokens json;

    if (json_tokens_init(&json, claims) == ST_OK) {
        print_claim(&json, "iss", "issuer");
        print_claim(&json, "aud", "audience");
        print_claim(&json, "sub", "subject");
    }
    json_tokens_fini(&json);
}

static void print_right(const struct grant *grant, enum right right,
                        const char *label)
{
    const struct text list = grant_selectors(grant, right);

    if (list.length > 0)
        printf("%-10s %.*s\n", label, TEXT_ARGS(list));
    else
        printf("%-10s nothing\n", label);
}

static void print_grant(const struct grant *grant, int64_t now_ms)
{
    const int64_t left_s = (grant_expires_ms(grant) - now_ms) / 1000;
    struct buffer time;

    print_right(grant, RIGHT_SUBSCRIBE, "subscribe");
    print_right(grant, RIGHT_PUBLISH, "publish");
    printf("admin      %s\n", grant_is_admin(grant) ? "yes" : "no");
    buffer_init(&time);
    time_append_iso(&time, grant_expires_ms(grant));
    printf("expires    %.*s, ", TEXT_ARGS(buffer_text(&time)));
    if (left_s >= 0)
        printf("in %" PRId64 " s\n", left_s);
    else
        printf("%" PRId64 " s ago\n", -left_s);
    buffer_fini(&time);
}

static int explain(const struct keyring *keyring, struct text token)
{
    const int64_t now_ms = clock_wall_ms(&system_clock);
    struct token_report report;
    int exit_code = EXIT_DONE;

    token_explain(keyring, token, now_ms, &report);
    print_key(keyring, &report);
    if (report.claims.length > 0 && report.grant != NULL)
        print_names(buffer_text(&report.claims));
    if (report.grant != NULL)
        print_grant(report.grant, now_ms);
    if (report.why != NULL)
        exit_code =
            cli_fail(EXIT_FAILED, "the token is refused: %s", report.why);
    else
        printf("the token is good\n");
    token_report_fini(&report);
    return exit_code;
}

static int check(const struct config *config, struct text token)
{
    struct keyring *keyring = NULL;
    char why[600];
    int exit_code;

    if (keyring_load(config, &keyring, why, sizeof why) != ST_OK)
        return cli_fail(EXIT_FAILED, "%s", why);
    if (keyring_is_empty(keyring))
        exit_code = cli_fail(EXIT_USAGE,
                             "there are no keys to check it with: --token_keys "
                             "FILE, or TIDINGS_TOKEN_SECRET");
    else
        exit_code = explain(keyring, token);
    keyring_unref(&keyring);
    return exit_code;
}

int cli_token_check(int argc, char **argv)
{
    static struct input input;
    struct config config;
    char why[600];
    const char *word = NULL;
    int exit_code;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(HELP, stdout);
        return EXIT_DONE;
    }
    if (argc > 0 && strncmp(argv[0], "--", 2) != 0) {
        word = argv[0];
        argc--;
        argv++;
    }
    if (config_load(&config, argc, argv, why, sizeof why) != ST_OK)
        return cli_fail(EXIT_USAGE, "%s", why);
    if (word == NULL || strcmp(word, "-") == 0)
        read_input(&input);
    else
        input.token = text_of(word);
    exit_code = check(&config, input.token);
    config_fini(&config);
    return exit_code;
}
