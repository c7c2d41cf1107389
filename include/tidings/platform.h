/* platform.h -- what systems do differently, behind one name each.
 *
 * libuv covers loops, threads, time and files. What it leaves open is here, and
 * src/base/platform_posix.c is the only file that knows which system it is.
 *
 * Threads   Any, unless a call says otherwise.
 * Memory    None.
 * Units     Bytes; file descriptors.
 * Errors    As named at each call; nothing here aborts.
 */
#ifndef TIDINGS_PLATFORM_H
#define TIDINGS_PLATFORM_H

#include <tidings/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* ---- the process and its threads ---------------------------------------- */

/* Names the calling thread for ps and debuggers; cut at 15 bytes. */
void platform_name_thread(const char *name);

/* Raises the limit of open files as far as the system lets us and returns what
 * it is now. */
uint64_t platform_raise_file_limit(void);

/* The process leaves no core file and lets no debugger of the same user look into
 * it: keys and tokens are in its memory. */
void platform_forbid_core_dumps(void);

/* May this process do everything? */
bool platform_is_root(void);

/* A write to a closed socket or pipe is a status, never a signal. */
void platform_ignore_sigpipe(void);

/* The calling thread, and those that it starts, get no signals: for libraries'
 * threads. `platform_unblock_signals` takes it back. */
void platform_block_signals(void);
void platform_unblock_signals(void);

/* ---- one process per data directory -------------------------------------- */

/* Creates the file if missing and holds it exclusively until unlocked or the
 * process ends, however it ends. ST_BUSY: another holds it (or this process,
 * through another call). ST_IO. `*descriptor_out` is for unlock. */
enum status platform_lock_file(const char *path, int *descriptor_out) MUST_USE;

/* Gives the lock back and sets `*descriptor` to -1; harmless on -1. The file
 * stays: removing it would let two processes hold two files of one name. */
void platform_unlock_file(int *descriptor);

/* Does somebody hold the lock? Creates nothing: false if there is no file. */
bool platform_is_locked(const char *path);

/* ---- sockets that do not block ------------------------------------------- */

/* The largest `count` that platform_writev takes in one call. */
unsigned platform_writev_max(void);

/* ST_OK: `*written_out` bytes are gone, perhaps fewer than all. ST_FULL: the
 * socket has no room now. ST_CLOSED: the other side is gone. ST_IO. */
enum status platform_writev(int descriptor, const struct iovec *pieces,
                            unsigned count, size_t *written_out) MUST_USE;

/* The system keeps at most so many bytes that were not sent yet (where it can):
 * what a slow reader does not take waits in the journal, not in the kernel. */
void platform_limit_unsent(int descriptor, int bytes);

/* ST_OK: `*received_out` bytes came, at least one. ST_EMPTY: none there now.
 * ST_CLOSED: the other side ended or is gone. ST_IO. */
enum status platform_recv(int descriptor, void *bytes, size_t room,
                          size_t *received_out) MUST_USE;

/* The same, and the bytes stay there to be received. */
enum status platform_peek(int descriptor, void *bytes, size_t room,
                          size_t *seen_out) MUST_USE;

#endif
