/* check_config.c -- `tidings check`: would these settings serve, and what?
 *
 * Loads the settings exactly as `serve` does and touches nothing: no port, no
 * file. What is wrong on its own is told by the loader; what only does not go
 * together is told here, as an error where `serve` would refuse and as a note
 * where it would warn.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tidings/auth.h>
#include <tidings/clock.h>
#include <tidings/config.h>
#include <tidings/nats_login.h>
#include <tidings/shutdown.h>
#include <tidings/tls.h>
#include <tidings/wire.h>

#include "command.h"

#define HELP                                                                   \
    "tidings check [--config FILE] [--name value ...]\n\n"                     \
    "Reads the settings as `tidings serve` would, says what would be served, " \
    "and ends\nwith 1 and a sentence if something is wrong. Touches "          \
    "nothing.\n"

enum status cli_check_access(const struct config *config,
                             const struct keyring *keyring, char *why,
                             size_t why_bytes)
{
    const bool has_keys = !keyring_is_empty(keyring);

    if (config_check_listeners(config, why, why_bytes) != ST_OK)
        return ST_BAD_INPUT;
    if (!has_keys && !config->insecure && !config_is_loopback(config))
        (void)snprintf(why, why_bytes,
                       "listen = %s, listen_tls = %s: others could reach this "
                       "and nobody needs a token; set token_keys, use a "
                       "loopback address, or --insecure if that is meant",
                       config->listen, config->listen_tls);
    else if (!has_keys && strcmp(config->admin, "token") == 0)
        (void)snprintf(why, why_bytes,
                       "admin = token needs keys, and there are none: set "
                       "token_keys");
    else
        return ST_OK;
    return ST_BAD_INPUT;
}

static void print_age(int64_t age_ms)
{
    const int64_t minute_ms = 60 * 1000;
    const int64_t day_ms = 24 * 60 * minute_ms;

    if (age_ms == 0)
        printf("any age");
    else if (age_ms % day_ms == 0)
        printf("%" PRId64 " days", age_ms / day_ms);
    else if (age_ms % minute_ms == 0)
        printf("%" PRId64 " minutes", age_ms / minute_ms);
    else
        printf("%" PRId64 " ms", age_ms);
}

static void print_size(int64_t bytes)
{
    const int64_t mib = INT64_C(1) << 20;
    const int64_t gib = INT64_C(1) << 30;

    if (bytes % gib == 0)
        printf("%" PRId64 " GiB", bytes / gib);
    else if (bytes % mib == 0)
        printf("%" PRId64 " MiB", bytes / mib);
    else
        printf("%" PRId64 " bytes", bytes);
}

static void print_keeping(const struct config *config)
{
    printf("keeps     ");
    print_age(config->keep_age_ms);
    if (config->keep_count > 0)
        printf(", %" PRId64 " events of a channel", config->keep_count);
    if (config->keep_bytes > 0) {
        printf(", ");
        print_size(config->keep_bytes);
        printf(" in all");
    }
    putchar('\n');
}

static void print_nats(const struct config *config)
{
    struct nats_login login;
    struct buffer shown;

    if (config->nats[0] == '\0') {
        printf("NATS      none\n");
        return;
    }
    login = nats_login_of(config);
    buffer_init(&shown);
    urls_append_masked(&shown, text_of(config->nats));
    printf("NATS      %.*s, subjects %s.>, %s%s\n",
           TEXT_ARGS(buffer_text(&shown)), config->nats_prefix,
           nats_login_kind(&login),
           nats_login_wants_tls(&login) ? ", always by TLS" : "");
    buffer_fini(&shown);
}

static void print_listeners(const char *scheme, const char *list)
{
    struct text address;
    size_t cursor = 0;

    while (config_next_address(list, &cursor, &address))
        printf("listens   %s://%.*s\n", scheme, TEXT_ARGS(address));
}

static void print_most(int64_t most, const char *what)
{
    if (most > 0)
        printf("%" PRId64 " %s", most, what);
    else
        printf("any number of %s", what);
}

static void print_limits(const struct config *config)
{
    printf("limits    of one address ");
    if (config->connections_per_address > 0)
        print_most(config->connections_per_address, "connections");
    else
        printf("three quarters of all connections");
    printf(", ");
    print_most(config->connections_per_address_per_second, "new in a second");
    printf("; of one client ");
    print_most(config->streams_per_subject, "streams");
    printf(", ");
    print_most(config->publish_events_per_second, "events in a second");
    putchar('\n');
}

static void print_proxies(const struct config *config)
{
    if (config->trusted_proxies[0] == '\0')
        return;
    printf("believes  %s about their clients, by %s\n", config->trusted_proxies,
           strcmp(config->proxy_protocol, "off") != 0
               ? "the PROXY protocol and their requests"
               : config->forwarded_header);
}

static void print_plan(const struct config *config)
{
    print_listeners("http", config->listen);
    print_listeners("https", config->listen_tls);
    printf("journal   %s\n", config->data);
    print_keeping(config);
    print_nats(config);
    print_limits(config);
    print_proxies(config);
    if (config->origins[0] != '\0')
        printf("pages of  %s\n", config->origins);
    for (unsigned i = 0; i < config->channel_count; i++)
        printf("%-9s %s\n", i == 0 ? "sections" : "",
               config->channels[i].pattern);
}

/* What is now counts as the next: nothing was missed. */
static void print_next_shutdown(const struct schedule *schedule)
{
    int64_t now_ms = clock_wall_ms(&system_clock);
    struct window window = {now_ms, 0};
    struct buffer text;

    if (!schedule_covers(schedule, now_ms, &window.end_ms) &&
        !schedule_next(schedule, now_ms, &window))
        return;
    buffer_init(&text);
    time_append_iso(&text, window.begin_ms);
    buffer_append_string(&text, " to ");
    time_append_iso(&text, window.end_ms);
    printf("shutdown  %.*s\n", TEXT_ARGS(buffer_text(&text)));
    buffer_fini(&text);
}

static void print_keys(const struct keyring *keyring)
{
    struct key_view key;

    for (unsigned i = 0; keyring_key(keyring, i, &key); i++)
        printf("%-9s %s from %s\n", i == 0 ? "keys" : "", key.algorithm,
               key.place);
}

/* What is open to whom: docs/operations.md has the whole table. */
static void print_access(const struct config *config,
                         const struct keyring *keyring)
{
    const bool has_keys = !keyring_is_empty(keyring);

    print_keys(keyring);
    if (has_keys)
        printf("tokens    needed; without a token: %s\n",
               config->anonymous_subscribe[0] != '\0'
                   ? config->anonymous_subscribe
                   : "nothing");
    else
        printf("tokens    none needed: whoever can connect reads and "
               "publishes\n");
    if (strcmp(config->admin, "off") == 0)
        printf("/admin    nobody\n");
    else if (strcmp(config->admin, "token") == 0)
        printf("/admin    tokens with the claim admin\n");
    else
        printf("/admin    programs on this machine%s\n",
               has_keys ? ", with the claim admin" : "");
    printf("/metrics  %s\n",
           has_keys
               ? "programs on this machine, and tokens with the claim admin"
               : "whoever can connect");
    printf("/healthz  whoever can connect, pages and scripts too\n");
    if (config->nats[0] != '\0')
        printf("by NATS   who may publish there publishes here: tokens are for "
               "HTTP\n");
    if (config->core_dumps)
        printf("note: core_dumps: a crash leaves keys and tokens in a file\n");
}

static void print_notes(const struct config *config,
                        const struct keyring *keyring)
{
    if (config->retry_ms > config->keepalive_ms)
        printf("note: retry_ms is longer than keepalive_ms; a client that "
               "waits so long looks gone\n");
    if (config->keep_age_ms == 0 && config->keep_bytes == 0)
        printf("note: nothing limits the journal but the disk\n");
    if (config->presence && config->nats[0] == '\0')
        printf("note: presence is for NATS, and there is none\n");
    if (config->event_max_bytes > config->body_max_bytes)
        printf("note: event_max_bytes is over body_max_bytes; by HTTP the "
               "smaller one counts\n");
    if (config->insecure && !config_is_loopback(config) &&
        keyring_is_empty(keyring))
        printf("note: insecure: whoever reaches this address may read and "
               "publish\n");
}

static enum status check_nats(const struct config *config, char *why,
                              size_t why_bytes)
{
    const struct nats_login login = nats_login_of(config);

    return config->nats[0] == '\0' ? ST_OK
                                   : nats_login_check(&login, why, why_bytes);
}

/* Is there a certificate that would serve? */
static enum status check_pair(const struct config *config, char *why,
                              size_t why_bytes)
{
    struct tls *tls = NULL;
    enum status st = ST_OK;

    if (config->listen_tls[0] == '\0')
        return ST_OK;
    st = tls_open(config->tls_certificate, config->tls_key, &tls, why,
                  why_bytes);
    tls_close(&tls);
    return st;
}

int cli_check(int argc, char **argv)
{
    struct config config;
    struct schedule schedule;
    struct keyring *keyring = NULL;
    char why[600];
    int exit_code = EXIT_DONE;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(HELP, stdout);
        return EXIT_DONE;
    }
    if (config_load(&config, argc, argv, why, sizeof why) != ST_OK)
        return cli_fail(EXIT_FAILED, "%s", why);
    if (check_nats(&config, why, sizeof why) != ST_OK) {
        config_fini(&config);
        return cli_fail(EXIT_FAILED, "%s", why);
    }
    if (shutdown_read_schedule(&config, &schedule, why, sizeof why) != ST_OK) {
        config_fini(&config);
        return cli_fail(EXIT_FAILED, "%s", why);
    }
    if (keyring_load(&config, &keyring, why, sizeof why) != ST_OK ||
        cli_check_access(&config, keyring, why, sizeof why) != ST_OK ||
        check_pair(&config, why, sizeof why) != ST_OK) {
        exit_code = cli_fail(EXIT_FAILED, "%s", why);
    } else {
        print_plan(&config);
        print_access(&config, keyring);
        print_next_shutdown(&schedule);
        print_notes(&config, keyring);
    }
    if (keyring != NULL)
        keyring_unref(&keyring);
    schedule_fini(&schedule);
    config_fini(&config);
    return exit_code;
}
