/* file_watch.h -- files that are read again while the program runs: when one of
 * them has changed, at SIGHUP, and after a time if that is wanted.
 *
 * Threads   main: all on its loop.
 * Memory    start and stop; the paths are copied. After stop the loop must run
 *           once more, to close the handles.
 * Units     Milliseconds.
 * Errors    None: whoever reads again says in the log what came of it.
 */
#ifndef TIDINGS_FILE_WATCH_H
#define TIDINGS_FILE_WATCH_H

#include <stdint.h>
#include <uv.h>

struct file_watch;

typedef void file_watch_fn(void *arg);

/* `paths` ends with NULL; empty ones are passed over. `every_ms` 0: only when
 * something happened. */
struct file_watch *file_watch_start(uv_loop_t *loop, const char *const *paths,
                                    int64_t every_ms, file_watch_fn *read_again,
                                    void *arg);
void file_watch_stop(struct file_watch **watch); /* NULL inside: harmless */

#endif
