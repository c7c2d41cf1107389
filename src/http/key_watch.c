/* key_watch.c -- stat() of a few files each second, and a signal.
 *
 * A file's inode, size and times say whether it is another: a rename over it, a
 * link that points elsewhere (as Kubernetes does) and writing in place all show.
 * Who writes in place is not done at once, and half of a file may well be read
 * as fewer keys, which would end the streams of those that are missing: so a
 * change counts when the next look finds no further one.
 */
#include <tidings/key_watch.h>

#include <tidings/check.h>
#include <tidings/logger.h>
#include <tidings/wire.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { LOOK_MS = 1000, WHY_BYTES = 512 };

struct key_watch {
    const struct config *config;
    struct server *server;
    struct keyring *keyring;
    uv_timer_t timer;
    uv_signal_t hangup;
    unsigned long looks_like;  /* what the files were when they were read */
    unsigned long looked_like; /* and when they were looked at last */
};

/* One number for what all files look like. */
static unsigned long look(const struct config *config)
{
    const struct text list = text_of(config->token_keys);
    unsigned long sum = crc32(0, NULL, 0);
    struct text name;
    size_t cursor = 0;

    while (list_next(list, &cursor, &name)) {
        struct stat found;
        char path[4096];
        unsigned char bytes[64] = {0};
        int64_t parts[6] = {0};

        if (name.length < sizeof path) {
            memcpy(path, name.bytes, name.length);
            path[name.length] = '\0';
            if (stat(path, &found) == 0) {
                parts[0] = (int64_t)found.st_ino;
                parts[1] = found.st_size;
                parts[2] = found.st_mtim.tv_sec;
                parts[3] = found.st_mtim.tv_nsec;
                parts[4] = found.st_ctim.tv_sec;
                parts[5] = found.st_ctim.tv_nsec;
            }
        }
        memcpy(bytes, parts, sizeof parts);
        sum = crc32(sum, bytes, sizeof bytes);
    }
    return sum;
}

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
    LOG_LINE(LOG_INFO, "keys", "read",
             LOG_NUM("count", keyring_count(keyring)));
    if (keyring_equals(keyring, watch->keyring))
        keyring_unref(&keyring); /* what the threads remember stays right */
    else
        hold(watch, &keyring);
}

static void on_look(uv_timer_t *timer)
{
    struct key_watch *watch = timer->data;
    const unsigned long now = look(watch->config);
    const bool is_still = now == watch->looked_like;

    watch->looked_like = now;
    if (now == watch->looks_like || !is_still)
        return;
    watch->looks_like = now;
    read_anew(watch);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct key_watch *watch = signal->data;

    (void)number;
    watch->looks_like = watch->looked_like = look(watch->config);
    read_anew(watch);
}

struct key_watch *key_watch_start(const struct config *config, uv_loop_t *loop,
                                  struct server *server,
                                  struct keyring **keyring)
{
    struct key_watch *watch = must_calloc(1, sizeof *watch);

    watch->config = config;
    watch->server = server;
    watch->timer.data = watch;
    watch->hangup.data = watch;
    hold(watch, keyring);
    CHECK(uv_timer_init(loop, &watch->timer) == 0);
    CHECK(uv_signal_init(loop, &watch->hangup) == 0);
    CHECK(uv_signal_start(&watch->hangup, on_hangup, SIGHUP) == 0);
    watch->looks_like = watch->looked_like = look(config);
    if (config->token_keys[0] != '\0')
        CHECK(uv_timer_start(&watch->timer, on_look, LOOK_MS, LOOK_MS) == 0);
    return watch;
}

void key_watch_stop(struct key_watch *watch)
{
    uv_close((uv_handle_t *)&watch->timer, NULL);
    uv_close((uv_handle_t *)&watch->hangup, NULL);
}

void key_watch_destroy(struct key_watch **watch)
{
    if (*watch == NULL)
        return;
    keyring_unref(&(*watch)->keyring);
    free(*watch);
    *watch = NULL;
}
