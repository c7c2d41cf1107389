/* shutdown_file.h -- small files, read bounded and written whole.
 *
 * Threads   main: these calls wait for the disk.
 * Memory    The caller's.
 * Units     Bytes.
 * Errors    ST_NOT_FOUND there is none; ST_TOO_BIG over the limit, or no file;
 *           ST_IO; ST_NO_SPACE.
 */
#ifndef HTTP_SHUTDOWN_FILE_H
#define HTTP_SHUTDOWN_FILE_H

#include <tidings/buffer.h>
#include <tidings/status.h>

enum status small_file_read(const char *path, size_t limit,
                            struct buffer *out) MUST_USE;

/* Under a name beside it first, synced, then renamed: a reader sees the old
 * text or the new one, and after this call the new one survives a power cut. */
enum status small_file_replace(const char *path, struct text text) MUST_USE;

enum status small_file_remove(const char *path) MUST_USE;

#endif
