/* key_watch.c -- the keys are read again when their files have changed.
 *
 * What cannot be read, or would leave no key at all, changes nothing: those of
 * before hold. Half of a file may well be read as fewer keys, which would end
 * the streams of those that are missing; the watch waits until a file is still.
 */
#include <tidings/key_watch.h>

#include <tidings/check.h>
#include <tidings/file_watch.h>
#include <tidings/logger.h>
#include <tidings/wire.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_BYTES = 512 };

struct key_watch {
    const struct config *config;
    struct server *server;
    struct keyring *keyring;
    struct file_watch *files;
};

static void hold(struct key_watch *watch, struct keyring **keyring)
{
    if (watch->keyring != NULL)
        keyring_unref(&watch->keyring);
    watch->keyring = *keyring;
    *keyring = NULL;
    server_set_keys(watch->server, watch->keyring);
}

static void read_anew(struct key_watch *watch)
{
    struct keyring *keyring = NULL;
    char why[WHY_BYTES] = "";
    enum status st = keyring_load(watch->config, &keyring, why, sizeof why);

    if (st == ST_OK &&
        keyring_is_empty(keyring) != keyring_is_empty(watch->keyring)) {
        keyring_unref(&keyring); /* never open by accident */
        (void)snprintf(why, sizeof why, "there would be no key");
        st = ST_BAD_INPUT;
    }
    if (st != ST_OK) {
        LOG_LINE(LOG_ERROR, "keys", "not read; those of before hold",
                 LOG_STR("why", why));
        return;
    }
    if (keyring_equals(keyring, watch->keyring))
        keyring_unref(&keyring); /* what the threads remember stays right */
    else
        hold(watch, &keyring);
    LOG_LINE(LOG_INFO, "keys", "read",
             LOG_NUM("count", keyring_count(watch->keyring)));
}

static void on_change(void *arg)
{
    read_anew(arg);
}

/* The names in the setting, one string each. */
static char **list_paths(const struct config *config)
{
    const struct text list = text_of(config->token_keys);
    char **paths = must_calloc(1, sizeof paths[0]);
    unsigned count = 0;
    struct text name;
    size_t cursor = 0;

    while (list_next(list, &cursor, &name)) {
        paths = must_realloc(paths, (count + 2) * sizeof paths[0]);
        paths[count] = must_calloc(1, name.length + 1);
        memcpy(paths[count], name.bytes, name.length);
        paths[++count] = NULL;
    }
    return paths;
}

static void watch_files(struct key_watch *watch, uv_loop_t *loop)
{
    char **paths = list_paths(watch->config);

    watch->files =
        file_watch_start(loop, (const char *const *)paths, 0, on_change, watch);
    for (char **path = paths; *path != NULL; path++)
        free(*path);
    free(paths);
}

struct key_watch *key_watch_start(const struct config *config, uv_loop_t *loop,
                                  struct server *server,
                                  struct keyring **keyring)
{
    struct key_watch *watch = must_calloc(1, sizeof *watch);

    watch->config = config;
    watch->server = server;
    hold(watch, keyring);
    watch_files(watch, loop);
    return watch;
}

void key_watch_stop(struct key_watch *watch)
{
    file_watch_stop(&watch->files);
}

void key_watch_destroy(struct key_watch **watch)
{
    if (*watch == NULL)
        return;
    keyring_unref(&(*watch)->keyring);
    free(*watch);
    *watch = NULL;
}
