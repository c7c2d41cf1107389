/* key_watch.h -- keys that change while the server runs.
 *
 * The files of the setting token_keys are looked at each second; when one has
 * changed, and then stayed as it is for another second, and at SIGHUP at once,
 * all keys are read anew and given to the server. What cannot be read, or would
 * leave no key at all, is logged, and the keys of before hold.
 *
 * Threads   main.
 * Memory    The watch has a reference of the keys that hold.
 * Units     None.
 * Errors    None after the start.
 */
#ifndef TIDINGS_KEY_WATCH_H
#define TIDINGS_KEY_WATCH_H

#include <tidings/auth.h>
#include <tidings/config.h>
#include <tidings/http.h>

#include <uv.h>

struct key_watch;

/* Takes the keys and gives them to the server, which has not started. */
struct key_watch *key_watch_start(const struct config *config, uv_loop_t *loop,
                                  struct server *server,
                                  struct keyring **keyring);

/* No more of it; its handles close when the loop runs next. */
void key_watch_stop(struct key_watch *watch);
void key_watch_destroy(struct key_watch **watch);

#endif
