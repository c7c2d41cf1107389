/* server.c -- accept on civetweb's thread, serve on the crews.
 *
 * A fresh socket that is let in (admission.c) goes to the crew thread with the
 * fewest connections.
 */
#include <tidings/http.h>

#include "origins.h"
#include "per_thread.h"
#include "routes.h"
#include "self_test.h"

#include <tidings/admission.h>
#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/crew.h>
#include <tidings/logger.h>
#include <tidings/platform.h>
#include <tidings/tls.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SELF_TEST_MS = 10000 };

struct server {
    const struct config *config;
    struct http_context context; /* fixed from start */
    struct crew **crews;
    unsigned crew_count;
    struct handoff *handoff;
    struct tls *tls; /* NULL: no listener speaks it */
    bool is_running;
    struct metrics own_metrics; /* main's */

    /* Civetweb's accepting thread only. */
    struct metrics metrics;
    unsigned next_crew;
    struct admissions admissions;
};

static unsigned count_cores(void)
{
    unsigned cores = uv_available_parallelism();

    return cores < 1 ? 1 : cores > 64 ? 64 : cores;
}

static struct per_thread *make_per_thread(void)
{
    struct per_thread *own = must_calloc(1, sizeof *own);

    own->keys = wait_keys_create();
    own->tokens = token_cache_create();
    own->newcomers = newcomers_create();
    return own;
}

static void free_per_thread(struct per_thread *own)
{
    if (own == NULL)
        return;
    wait_keys_destroy(&own->keys);
    token_cache_destroy(&own->tokens);
    newcomers_destroy(&own->newcomers);
    free(own);
}

/* ---- the certificate
 * -------------------------------------------------------------- */

static void note_expiry(struct server *server)
{
    const int64_t expires_s = tls_expires_s(server->tls);

    metrics_add(&server->own_metrics, METRIC_tls_certificate_expires,
                expires_s -
                    server->own_metrics.value[METRIC_tls_certificate_expires]);
    if (expires_s * 1000 < clock_wall_ms(&system_clock))
        LOG_LINE(LOG_WARN, "http", "the certificate has expired",
                 LOG_STR("certificate", server->config->tls_certificate),
                 LOG_NUM("expired_s", expires_s));
}

static enum status open_tls(struct server *server, char *why, size_t why_bytes)
{
    const struct config *config = server->config;
    enum status st;

    if (config->listen_tls[0] == '\0')
        return ST_OK;
    st = tls_open(config->tls_certificate, config->tls_key, &server->tls, why,
                  why_bytes);
    if (st == ST_OK)
        note_expiry(server);
    return st;
}

void server_reload_tls(struct server *server)
{
    char why[400];

    if (server->tls == NULL)
        return;
    if (tls_reload(server->tls, why, sizeof why) != ST_OK) {
        metrics_add(&server->own_metrics, METRIC_tls_reloads_failed, 1);
        LOG_LINE(LOG_ERROR, "http",
                 "the new certificate is of no use, the old one stays",
                 LOG_STR("why", why));
        return;
    }
    metrics_add(&server->own_metrics, METRIC_tls_reloads, 1);
    LOG_LINE(LOG_INFO, "http", "certificate read again",
             LOG_STR("certificate", server->config->tls_certificate));
    note_expiry(server);
}

/* ---- making
 * -------------------------------------------------------------- */

enum status server_create(const struct config *config, struct journal *journal,
                          struct presence *presence, struct server **server_out,
                          char *why, size_t why_bytes)
{
    struct server *server = must_calloc(1, sizeof *server);
    enum status st;

    server->config = config;
    admissions_open(&server->admissions, config, platform_raise_file_limit(),
                    &server->metrics);
    server->crew_count = config->crew_threads > 0
                             ? (unsigned)config->crew_threads
                             : count_cores();
    server->crews = must_calloc(server->crew_count, sizeof(struct crew *));
    server->context = (struct http_context){.config = config,
                                            .journal = journal,
                                            .admissions = &server->admissions,
                                            .presence = presence,
                                            .crews = server->crews,
                                            .crew_count = server->crew_count,
                                            .origins = origins_create(config),
                                            .packed_assets = assets_pack()};
    metrics_register(&server->metrics);
    metrics_register(&server->own_metrics);
    *server_out = server; /* what is there by now is destroyed with it */
    st = open_tls(server, why, why_bytes);
    if (st != ST_OK)
        return st;
    for (unsigned i = 0; i < server->crew_count; i++) {
        struct crew_options options = {.config = config,
                                       .journal = journal,
                                       .tls = server->tls,
                                       .handler = routes_handle,
                                       .handler_arg = &server->context,
                                       .admissions = &server->admissions,
                                       .presence = presence,
                                       .number = i,
                                       .count = server->crew_count};

        st = crew_create(&options, &server->crews[i]);
        if (st != ST_OK) {
            (void)snprintf(why, why_bytes, "cannot make the crew threads");
            return st;
        }
        crew_set_http(server->crews[i], make_per_thread());
    }
    return ST_OK;
}

/* ---- accepting: on civetweb's thread
 * ------------------------------------------ */

static struct crew *least_loaded(struct server *server, unsigned *total_out)
{
    struct crew *least = NULL;
    unsigned total = 0;

    server->next_crew = (server->next_crew + 1) % server->crew_count;
    for (unsigned i = 0; i < server->crew_count; i++) {
        struct crew *crew =
            server->crews[(server->next_crew + i) % server->crew_count];

        total += crew_load(crew);
        if (least == NULL || crew_load(crew) < crew_load(least))
            least = crew;
    }
    *total_out = total;
    return least;
}

static void on_accepted(void *arg, const struct handoff_socket *fresh)
{
    struct server *server = arg;
    const struct arrival arrival = {.peer = address_of_socket(&fresh->remote),
                                    .local = address_of_socket(&fresh->local),
                                    .is_tls = fresh->is_tls};
    struct admission admission;
    unsigned total = 0;
    struct crew *crew = least_loaded(server, &total);

    if (admissions_admit(&server->admissions, &arrival, total,
                         clock_monotonic_ms(&system_clock) * 1000,
                         &admission)) {
        crew_give_socket(crew, fresh, &admission);
        return;
    }
    metrics_add(&server->metrics, METRIC_connections_refused, 1);
    close(fresh->descriptor);
}

/* ---- start and stop
 * -------------------------------------------------------------- */

static void warn_about_settings(const struct config *config)
{
    if (config->retry_ms > config->keepalive_ms)
        LOG_LINE(LOG_WARN, "http",
                 "retry is longer than the keep-alive interval: clients with a "
                 "watchdog reconnect before the browser does",
                 LOG_NUM("retry_ms", config->retry_ms),
                 LOG_NUM("keepalive_ms", config->keepalive_ms));
}

static enum status listen_on_all(struct server *server, char *why,
                                 size_t why_bytes)
{
    const struct config *config = server->config;
    const bool has_both =
        config->listen[0] != '\0' && config->listen_tls[0] != '\0';
    struct handoff_options options = {
        .accepted = on_accepted,
        .accepted_arg = server,
        .tls_count = config_count_addresses(config->listen_tls)};
    struct buffer all;
    enum status st;

    buffer_init(&all);
    buffer_printf(&all, "%s%s%s", config->listen, has_both ? "," : "",
                  config->listen_tls);
    buffer_append_char(&all, '\0');
    options.listen = all.bytes;
    st = handoff_start(&options, &server->handoff, why, why_bytes);
    buffer_fini(&all);
    return st;
}

static enum status test_listeners(const struct server *server, char *why,
                                  size_t why_bytes)
{
    const struct config *config = server->config;
    enum status st = ST_OK;

    if (config->listen[0] != '\0')
        st = self_test(&server->admissions, config->listen, server_port(server),
                       false, SELF_TEST_MS, why, why_bytes);
    if (st == ST_OK && config->listen_tls[0] != '\0')
        st = self_test(&server->admissions, config->listen_tls,
                       server_tls_port(server), true, SELF_TEST_MS, why,
                       why_bytes);
    return st;
}

enum status server_start(struct server *server, struct intake_check intake,
                         char *why, size_t why_bytes)
{
    enum status st;

    warn_about_settings(server->config);
    server->context.intake = intake;
    st = listen_on_all(server, why, why_bytes);
    if (st != ST_OK)
        return st;
    server->context.tls_port = server->config->tls_public_port > 0
                                   ? (unsigned)server->config->tls_public_port
                                   : server_tls_port(server);
    for (unsigned i = 0; i < server->crew_count; i++)
        crew_start(server->crews[i], server->crews, server->handoff);
    server->is_running = true;
    return test_listeners(server, why, why_bytes);
}

uint16_t server_port(const struct server *server)
{
    return handoff_port(server->handoff);
}

uint16_t server_tls_port(const struct server *server)
{
    return handoff_tls_port(server->handoff);
}

void server_set_shutdown(struct server *server, struct shutdown *shutdown)
{
    server->context.shutdown = shutdown;
}

void server_set_keys(struct server *server, struct keyring *keyring)
{
    for (unsigned i = 0; i < server->crew_count; i++)
        crew_rekey(server->crews[i], keyring);
}

void server_announce(struct server *server, int64_t until_wall_ms)
{
    for (unsigned i = 0; i < server->crew_count; i++)
        crew_announce(server->crews[i], until_wall_ms);
}

void server_drain(struct server *server)
{
    for (unsigned i = 0; i < server->crew_count; i++)
        crew_drain(server->crews[i]);
}

bool server_is_drained(const struct server *server)
{
    for (unsigned i = 0; i < server->crew_count; i++)
        if (crew_undrained(server->crews[i]) > 0)
            return false;
    return true;
}

void server_stop(struct server *server)
{
    if (!server->is_running)
        return;
    for (unsigned i = 0; i < server->crew_count; i++)
        crew_stop(server->crews[i]);
    handoff_stop(&server->handoff);
    server->is_running = false;
}

void server_destroy(struct server **server)
{
    struct server *mine = *server;

    *server = NULL;
    if (mine == NULL)
        return;
    CHECK(!mine->is_running);
    for (unsigned i = 0; i < mine->crew_count; i++) {
        struct per_thread *own;

        if (mine->crews[i] == NULL)
            continue; /* the start failed before it */
        own = crew_http(mine->crews[i]);
        crew_destroy(&mine->crews[i]);
        free_per_thread(own);
    }
    origins_destroy(&mine->context.origins);
    assets_free_packed(&mine->context.packed_assets);
    admissions_close(&mine->admissions);
    tls_close(&mine->tls);
    free(mine->crews);
    free(mine);
}
