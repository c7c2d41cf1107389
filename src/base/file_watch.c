/* file_watch.c -- stat() of a few files each second, and a signal.
 *
 * A file's inode, size and times say whether it is another: a rename over it, a
 * link that points elsewhere (as Kubernetes does) and writing in place all show,
 * on any file system. Who writes in place is not done at once, and two files
 * that belong together change one after the other: so a change counts when the
 * next look finds no further one.
 */
#include <tidings/file_watch.h>

#include <tidings/check.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOK_MS = 1000 };

struct file_watch {
    char **paths; /* ended by NULL */
    int64_t every_ms;
    file_watch_fn *read_again;
    void *arg;
    uv_timer_t timer;
    uv_signal_t hangup;
    uint64_t looks_like;  /* what the files were when they were read */
    uint64_t looked_like; /* and when they were looked at last */
    uint64_t read_ms;     /* the loop's time of the last reading */
    unsigned open_handles;
};

/* FNV-1a: what is compared is one's own files with themselves. */
static uint64_t mix(uint64_t sum, int64_t value)
{
    for (unsigned i = 0; i < sizeof value; i++) {
        sum ^= (uint64_t)value >> (8 * i) & 0xff;
        sum *= 0x100000001b3u;
    }
    return sum;
}

/* One number for what all files look like. */
static uint64_t look(const struct file_watch *watch)
{
    uint64_t sum = 0xcbf29ce484222325u;

    for (char **path = watch->paths; *path != NULL; path++) {
        struct stat found;

        memset(&found, 0, sizeof found);
        if (stat(*path, &found) != 0)
            found.st_size = -1; /* not there */
        sum = mix(sum, (int64_t)found.st_ino);
        sum = mix(sum, found.st_size);
        sum = mix(sum, found.st_mtim.tv_sec);
        sum = mix(sum, found.st_mtim.tv_nsec);
        sum = mix(sum, found.st_ctim.tv_sec);
        sum = mix(sum, found.st_ctim.tv_nsec);
    }
    return sum;
}

static void read_again(struct file_watch *watch, uint64_t looks_like)
{
    watch->looks_like = watch->looked_like = looks_like;
    watch->read_ms = uv_now(watch->timer.loop);
    watch->read_again(watch->arg);
}

static void on_look(uv_timer_t *timer)
{
    struct file_watch *watch = timer->data;
    const uint64_t now = look(watch);
    const bool has_changed = now != watch->looks_like;
    const bool is_still = now == watch->looked_like;
    const bool is_old =
        watch->every_ms > 0 &&
        uv_now(timer->loop) - watch->read_ms >= (uint64_t)watch->every_ms;

    watch->looked_like = now;
    if ((has_changed && is_still) || is_old)
        read_again(watch, now);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct file_watch *watch = signal->data;

    (void)number;
    read_again(watch, look(watch));
}

static void copy_paths(struct file_watch *watch, const char *const *paths)
{
    unsigned count = 0, kept = 0;

    while (paths[count] != NULL)
        count++;
    watch->paths = must_calloc(count + 1u, sizeof watch->paths[0]);
    for (unsigned i = 0; i < count; i++)
        if (paths[i][0] != '\0')
            watch->paths[kept++] = must_strdup(paths[i]);
}

struct file_watch *file_watch_start(uv_loop_t *loop, const char *const *paths,
                                    int64_t every_ms, file_watch_fn *again,
                                    void *arg)
{
    struct file_watch *watch = must_calloc(1, sizeof *watch);

    copy_paths(watch, paths);
    watch->every_ms = every_ms;
    watch->read_again = again;
    watch->arg = arg;
    watch->timer.data = watch;
    watch->hangup.data = watch;
    watch->open_handles = 2;
    CHECK(uv_timer_init(loop, &watch->timer) == 0);
    CHECK(uv_signal_init(loop, &watch->hangup) == 0);
    CHECK(uv_signal_start(&watch->hangup, on_hangup, SIGHUP) == 0);
    watch->looks_like = watch->looked_like = look(watch);
    watch->read_ms = uv_now(loop);
    if (watch->paths[0] != NULL || every_ms > 0)
        CHECK(uv_timer_start(&watch->timer, on_look, LOOK_MS, LOOK_MS) == 0);
    return watch;
}

/* Both handles lie in the struct: it goes with the second. */
static void on_closed(uv_handle_t *handle)
{
    struct file_watch *watch = handle->data;

    if (--watch->open_handles > 0)
        return;
    for (char **path = watch->paths; *path != NULL; path++)
        free(*path);
    free(watch->paths);
    free(watch);
}

void file_watch_stop(struct file_watch **watch)
{
    struct file_watch *mine = *watch;

    *watch = NULL;
    if (mine == NULL)
        return;
    uv_close((uv_handle_t *)&mine->timer, on_closed);
    uv_close((uv_handle_t *)&mine->hangup, on_closed);
}
