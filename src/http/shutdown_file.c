/* shutdown_file.c -- small files by libuv's calls that wait.
 *
 * A path is opened without waiting (somebody may have made a pipe of that name)
 * and read only if it is a file.
 */
#include "shutdown_file.h"

#include <tidings/check.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

enum { FILE_MODE = 0644 };

static enum status from_uv(int code)
{
    if (code >= 0)
        return ST_OK;
    if (code == UV_ENOENT || code == UV_ENOTDIR)
        return ST_NOT_FOUND;
    return code == UV_ENOSPC ? ST_NO_SPACE : ST_IO;
}

static int open_file(const char *path, int flags)
{
    uv_fs_t request;
    int file = uv_fs_open(NULL, &request, path, flags, FILE_MODE, NULL);

    uv_fs_req_cleanup(&request);
    return file;
}

static void close_file(uv_file file)
{
    uv_fs_t request;

    (void)uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
}

static bool is_regular(uv_file file)
{
    uv_fs_t request;
    bool is = uv_fs_fstat(NULL, &request, file, NULL) == 0 &&
              S_ISREG(request.statbuf.st_mode);

    uv_fs_req_cleanup(&request);
    return is;
}

/* ---- reading
 * -------------------------------------------------------------------- */

/* One byte more than the limit shows that there is more. */
static enum status read_all(uv_file file, size_t limit, struct buffer *out)
{
    size_t left = limit + 1;

    while (left > 0) {
        uv_buf_t room = uv_buf_init(buffer_reserve(out, left), (unsigned)left);
        uv_fs_t request;
        int got = (int)uv_fs_read(NULL, &request, file, &room, 1, -1, NULL);

        uv_fs_req_cleanup(&request);
        if (got < 0)
            return from_uv(got);
        if (got == 0)
            return ST_OK;
        out->length += (size_t)got;
        left -= (size_t)got;
    }
    return ST_TOO_BIG;
}

enum status small_file_read(const char *path, size_t limit, struct buffer *out)
{
    int file = open_file(path, UV_FS_O_RDONLY | UV_FS_O_NONBLOCK);
    enum status st;

    if (file < 0)
        return from_uv(file);
    st = is_regular(file) ? read_all(file, limit, out) : ST_TOO_BIG;
    close_file(file);
    return st;
}

/* ---- writing
 * -------------------------------------------------------------------- */

static int sync_file(uv_file file)
{
    uv_fs_t request;
    int code = uv_fs_fsync(NULL, &request, file, NULL);

    uv_fs_req_cleanup(&request);
    return code;
}

static enum status write_all(uv_file file, struct text text)
{
    while (text.length > 0) {
        struct buffer copy;
        uv_buf_t piece;
        uv_fs_t request;
        int put;

        buffer_init(&copy); /* libuv's pieces are not const */
        buffer_append_text(&copy, text);
        piece = uv_buf_init(copy.bytes, (unsigned)copy.length);
        put = (int)uv_fs_write(NULL, &request, file, &piece, 1, -1, NULL);
        uv_fs_req_cleanup(&request);
        buffer_fini(&copy);
        if (put < 0)
            return from_uv(put);
        text.bytes += put;
        text.length -= (size_t)put;
    }
    return from_uv(sync_file(file));
}

static enum status write_fresh(const char *path, struct text text)
{
    int file = open_file(path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC);
    enum status st;

    if (file < 0)
        return from_uv(file);
    st = write_all(file, text);
    close_file(file);
    return st;
}

/* Some systems do not open directories: they sync names by themselves. */
static enum status sync_directory_of(const char *path)
{
    char *directory = must_strdup(path);
    char *slash = strrchr(directory, '/');
    int file, code;

    if (slash != NULL)
        slash[slash == directory] = '\0';
    file = open_file(slash == NULL ? "." : directory, UV_FS_O_RDONLY);
    free(directory);
    if (file < 0)
        return ST_OK;
    code = sync_file(file);
    close_file(file);
    return from_uv(code);
}

enum status small_file_replace(const char *path, struct text text)
{
    struct buffer fresh;
    uv_fs_t request;
    enum status st;

    buffer_init(&fresh);
    buffer_printf(&fresh, "%s.new%c", path, '\0');
    st = write_fresh(fresh.bytes, text);
    if (st == ST_OK) {
        st = from_uv(uv_fs_rename(NULL, &request, fresh.bytes, path, NULL));
        uv_fs_req_cleanup(&request);
    }
    buffer_fini(&fresh);
    return st == ST_OK ? sync_directory_of(path) : st;
}

enum status small_file_remove(const char *path)
{
    uv_fs_t request;
    enum status st = from_uv(uv_fs_unlink(NULL, &request, path, NULL));

    uv_fs_req_cleanup(&request);
    return st == ST_OK ? sync_directory_of(path) : st;
}
