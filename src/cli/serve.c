/* serve.c -- the whole server on one screen: start in order, wait, stop in
 * reverse.
 *
 *     start   settings, keys, journal, crews, the shutdown's schedule, journal's
 *             thread, NATS, listeners
 *     stop    no more requests; streams end over drain_ms; NATS intake ends;
 * the journal commits and answers all that was accepted; crews write the
 *             answers; listeners; journal
 */
#include "command.h"

#include "../base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/config.h>
#include <tidings/file_watch.h>
#include <tidings/http.h>
#include <tidings/intake.h>
#include <tidings/journal.h>
#include <tidings/key_watch.h>
#include <tidings/logger.h>
#include <tidings/platform.h>
#include <tidings/shutdown.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    WHY_BYTES = 512,
    DRAIN_LOOK_MS = 50,
    DRAIN_GRACE_MS = 2000,
    TICKET_KEYS_MS = 12 * 3600 * 1000
};

struct service {
    struct config config;
    struct journal *journal;
    struct intake *intake;
    struct presence *presence;
    struct server *server;
    struct shutdown *shutdown;
    struct keyring *keyring; /* until the watch has it */
    struct key_watch *keys;
    struct file_watch *certificate;
    char why[WHY_BYTES];

    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    uv_timer_t drained;
    int64_t drain_until_ms;
};

/* ---- start
 * ------------------------------------------------------------------------ */

static struct journal_keep keep_of(void *arg, struct text channel)
{
    const struct config *config = arg;
    const struct channel_config *own = config_channel(config, channel);
    struct journal_keep keep = {.age_ms = config->keep_age_ms,
                                .count = (uint64_t)config->keep_count,
                                .bytes = 0};

    if (own == NULL)
        return keep;
    if (own->keep_age_ms >= 0)
        keep.age_ms = own->keep_age_ms;
    if (own->keep_count >= 0)
        keep.count = (uint64_t)own->keep_count;
    if (own->keep_bytes >= 0)
        keep.bytes = (uint64_t)own->keep_bytes;
    return keep;
}

static enum status open_journal(struct service *service)
{
    const struct config *config = &service->config;
    struct journal_options options = {
        .directory = config->data,
        .map_bytes = (size_t)config->map_bytes,
        .first_id = (uint64_t)config->first_id,
        .follows = config->stream,
        .keep_bytes = (uint64_t)config->keep_bytes,
        .dedup_window_ms = config->dedup_window_ms,
        .channels_max = (unsigned)config->channels_max,
        .sessions_max = (unsigned)config->sessions_max,
        .session_keep_ms = config->keep_age_ms > config->dedup_window_ms
                               ? config->keep_age_ms
                               : config->dedup_window_ms,
        .mailbox_count = (unsigned)config->journal_queue_events,
        .mailbox_bytes = (size_t)config->journal_queue_bytes,
        .commit_events_max = 16384,
        .clock = &system_clock,
        .keep = keep_of,
        .keep_arg = &service->config,
    };

    return journal_open(&options, &service->journal, service->why, WHY_BYTES);
}

static bool is_intake_ready(const void *intake)
{
    return intake_is_ready(intake);
}

static const char *stream_state(const void *intake)
{
    return intake_stream_state(intake);
}

static const char *stream_alarm(const void *intake)
{
    return intake_stream_alarm(intake);
}

static enum status publish_through(void *intake, struct publish **publish)
{
    return intake_publish(intake, publish);
}

static struct intake_check check_of(const struct service *service)
{
    if (service->intake == NULL)
        return (struct intake_check){0};
    return (struct intake_check){
        .is_ready = is_intake_ready,
        .stream_state = service->config.stream[0] != '\0' ? stream_state : NULL,
        .stream_alarm = service->config.stream[0] != '\0' ? stream_alarm : NULL,
        .arg = service->intake,
        .publish = service->config.stream[0] != '\0' ? publish_through : NULL,
        .publish_arg = service->intake};
}

static void make_presence(struct service *service)
{
    const struct config *config = &service->config;
    char name[INSTANCE_NAME_MAX_BYTES + 1];

    if (!config->presence || config->nats[0] == '\0')
        return;
    intake_instance_name(config, name);
    service->presence =
        presence_create(text_of(name), (unsigned)config->presence_channels_max,
                        config->presence_quiet_ms);
    LOG_LINE(LOG_INFO, "main", "subscribers are counted for NATS",
             LOG_STR("instance", name));
}

static enum status start(struct service *service)
{
    enum status st = open_journal(service);

    if (st != ST_OK)
        return st;
    make_presence(service);
    st = server_create(&service->config, service->journal, service->presence,
                       &service->server, service->why, WHY_BYTES);
    if (st != ST_OK)
        return st;
    service->keys = key_watch_start(&service->config, &service->loop,
                                    service->server, &service->keyring);
    st = shutdown_start(&service->config, &service->loop, service->server,
                        &service->shutdown, service->why, WHY_BYTES);
    if (st != ST_OK)
        return st;
    journal_start(service->journal);
    if (service->config.nats[0] != '\0') {
        st = intake_start(&service->config, service->journal, &service->intake,
                          service->why, WHY_BYTES);
        if (st != ST_OK)
            return st;
        if (service->presence != NULL)
            intake_tell_presence(service->intake, service->presence);
    }
    return server_start(service->server, check_of(service), service->why,
                        WHY_BYTES);
}

/* Written whole or not at all: who waits for the file may read it at once. */
static enum status write_port_file(const char *path, uint16_t port)
{
    char fresh[4096];
    FILE *file;
    bool is_written;

    if (path[0] == '\0')
        return ST_OK;
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return ST_TOO_BIG;
    file = fopen(fresh, "w");
    if (file == NULL)
        return ST_IO;
    is_written = fprintf(file, "%u\n", (unsigned)port) > 0;
    if (fclose(file) != 0 || !is_written || rename(fresh, path) != 0)
        return ST_IO;
    return ST_OK;
}

static void on_reload_tls(void *arg)
{
    struct service *service = arg;

    server_reload_tls(service->server);
}

/* The keys of session tickets go with the old pair, so it is also read again
 * now and then. */
static void watch_certificate(struct service *service)
{
    const struct config *config = &service->config;
    const char *const pair[] = {config->tls_certificate, config->tls_key, NULL};

    if (config->listen_tls[0] != '\0')
        service->certificate = file_watch_start(
            &service->loop, pair, TICKET_KEYS_MS, on_reload_tls, service);
}

/* ---- stop
 * ------------------------------------------------------------------------- */

static void stop(struct service *service)
{
    if (service->shutdown != NULL)
        shutdown_stop(service->shutdown);
    if (service->intake != NULL)
        intake_quiesce(service->intake);
    if (service->journal != NULL)
        journal_stop(service->journal);
    if (service->server != NULL)
        server_stop(service->server);
    if (service->intake != NULL)
        intake_stop(&service->intake);
    server_destroy(&service->server);
    presence_destroy(&service->presence);
    if (service->journal != NULL)
        journal_close(&service->journal);
}

/* ---- waiting
 * ---------------------------------------------------------------------- */

static void on_drain_look(uv_timer_t *timer)
{
    struct service *service = timer->data;

    if (!server_is_drained(service->server) &&
        clock_monotonic_ms(&system_clock) < service->drain_until_ms)
        return;
    uv_stop(&service->loop);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct service *service = signal->data;

    if (service->drain_until_ms != 0) {
        uv_stop(&service->loop); /* asked twice: now */
        return;
    }
    LOG_LINE(LOG_INFO, "main", "stopping", LOG_NUM("signal", number),
             LOG_NUM("drain_ms", service->config.drain_ms));
    service->drain_until_ms = clock_monotonic_ms(&system_clock) +
                              service->config.drain_ms + DRAIN_GRACE_MS;
    server_drain(service->server);
    CHECK(uv_timer_start(&service->drained, on_drain_look, DRAIN_LOOK_MS,
                         DRAIN_LOOK_MS) == 0);
}

static void watch_signals(struct service *service)
{
    CHECK(uv_loop_init(&service->loop) == 0);
    CHECK(uv_signal_init(&service->loop, &service->terminate) == 0);
    CHECK(uv_signal_init(&service->loop, &service->interrupt) == 0);
    CHECK(uv_timer_init(&service->loop, &service->drained) == 0);
    service->terminate.data = service;
    service->interrupt.data = service;
    service->drained.data = service;
    CHECK(uv_signal_start(&service->terminate, on_signal, SIGTERM) == 0);
    CHECK(uv_signal_start(&service->interrupt, on_signal, SIGINT) == 0);
}

static void unwatch_signals(struct service *service)
{
    file_watch_stop(&service->certificate);
    uv_close((uv_handle_t *)&service->terminate, NULL);
    uv_close((uv_handle_t *)&service->interrupt, NULL);
    uv_close((uv_handle_t *)&service->drained, NULL);
    if (service->keys != NULL)
        key_watch_stop(service->keys);
    (void)uv_run(&service->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&service->loop) == 0);
    shutdown_destroy(&service->shutdown);
    key_watch_destroy(&service->keys);
}

static int serve(struct service *service)
{
    enum status st;
    uint16_t port = 0, tls_port = 0;

    watch_signals(service);
    st = start(service);
    if (st == ST_OK) {
        watch_certificate(service);
        port = server_port(service->server);
        tls_port = server_tls_port(service->server);
        st = write_port_file(service->config.port_file,
                             port != 0 ? port : tls_port);
        if (st == ST_OK)
            st = write_port_file(service->config.tls_port_file, tls_port);
        if (st != ST_OK)
            (void)snprintf(service->why, WHY_BYTES,
                           "cannot write the port file");
    }
    if (st != ST_OK) {
        LOG_LINE(LOG_ERROR, "main", "cannot start",
                 LOG_STR("why", service->why),
                 LOG_STR("status", status_text(st)));
        stop(service);
        unwatch_signals(service);
        return EXIT_FAILURE;
    }
    LOG_LINE(LOG_INFO, "main", "ready",
             LOG_STR("listen", service->config.listen), LOG_NUM("port", port),
             LOG_STR("listen_tls", service->config.listen_tls),
             LOG_NUM("tls_port", tls_port),
             LOG_STR("data", service->config.data),
             LOG_NUM("last_id", journal_last_id(service->journal)));
    (void)uv_run(&service->loop, UV_RUN_DEFAULT);
    stop(service);
    unwatch_signals(service);
    LOG_LINE(LOG_INFO, "main", "stopped", LOG_NUM("port", port));
    return EXIT_SUCCESS;
}

/* ---- the command
 * ------------------------------------------------------------------- */

static void print_help(void)
{
    printf("tidings serve [FLAGS]\n\n"
           "Takes events from NATS and HTTP, keeps them, pushes them to "
           "browsers.\n"
           "--print-config prints the settings as they would be used.\n\n");
    config_help(stdout);
}

static enum log_level level_of(const char *name)
{
#define LEVEL(level, text)                                                     \
    if (strcmp(name, text) == 0)                                               \
        return LOG_##level;
    LOG_LEVELS(LEVEL)
#undef LEVEL
    return LOG_INFO;
}

/* Takes a flag that is no setting out of argv; was it there? */
static bool take_flag(int *argc, char **argv, const char *flag)
{
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], flag) != 0)
            continue;
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i - 1) * sizeof *argv);
        (*argc)--;
        return true;
    }
    return false;
}

int cli_serve(int argc, char **argv)
{
    struct service service;
    bool prints;
    int result;

    memset(&service, 0, sizeof service);
    if (take_flag(&argc, argv, "--help")) {
        print_help();
        return EXIT_SUCCESS;
    }
    prints = take_flag(&argc, argv, "--print-config");
    if (config_load(&service.config, argc, argv, service.why, WHY_BYTES) !=
        ST_OK)
        return cli_fail(EXIT_USAGE, "%s", service.why);
    if (prints) {
        config_print(&service.config, stdout);
        config_fini(&service.config);
        return EXIT_SUCCESS;
    }
    if (!service.config.core_dumps && !seeded_bug("core-dumps-left-on"))
        platform_forbid_core_dumps(); /* before any key is read from a file */
    if (keyring_load(&service.config, &service.keyring, service.why,
                     WHY_BYTES) != ST_OK ||
        cli_check_access(&service.config, service.keyring, service.why,
                         WHY_BYTES) != ST_OK) {
        result = cli_fail(EXIT_USAGE, "%s", service.why);
        if (service.keyring != NULL)
            keyring_unref(&service.keyring);
        config_fini(&service.config);
        return result;
    }
    logger_init(level_of(service.config.log_level),
                strcmp(service.config.log_format, "json") == 0);
    platform_ignore_sigpipe();
    if (platform_is_root())
        LOG_LINE(
            LOG_WARN, "main", "running as root",
            LOG_STR("better", "a user of its own: nothing here needs root"));
    result = serve(&service);
    if (service.keyring != NULL)
        keyring_unref(&service.keyring);
    config_fini(&service.config);
    return result;
}
