/* environment_room.c -- room that only retention may use.
 *
 * A full disk is a trap: to delete, LMDB must write pages too, and what it
 * frees stays inside its file. Single events would use up the last free page,
 * and then nothing could ever be deleted again. So some room is kept from
 * publishers, in two ways, for there are two ways to be full.
 *
 * The map ends. A transaction is refused when it would leave fewer than 64
 * pages that a later one could use: those behind the last page, and those
 * inside that were freed before the newest transaction.
 *
 * The disk ends. A file of 1 MiB lies beside the journal, the ballast. When a
 * write finds no room it is removed, and retention has that much to work with.
 * While it is gone only the free pages inside the journal's file count as room:
 * publishing goes on when retention has freed enough of them, or when the
 * ballast could be written again, which proves that the disk has room.
 *
 * A write that the disk takes only in part is an "input/output error" to LMDB,
 * the same as a broken disk. Which of the two it is, is found out by writing a
 * file: if that fails for want of room, so did the commit.
 *
 * Free pages are counted in the table of LMDB that lists them, no further than
 * asked for, and only when the end is near.
 */
#include "environment.h"

#include <tidings/check.h>

#include <string.h>
#include <uv.h>

#define RESERVE_PAGES 64 /* that publishes leave to retention... */
#define RESERVE_PART  10 /* ...or this part of a small map */
#define BALLAST_BYTES (1u << 20)
#define BLOCK_BYTES   4096u
#define FILE_MODE     0640

/* Free pages that the next transaction may use, counted no further than
 * `enough`. The list of free pages is table 0; each row is an array whose first
 * number is its length, under the transaction that freed them. */
static uint64_t count_free_pages(const struct environment *environment,
                                 uint64_t newest, uint64_t enough)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_txn *txn;
    uint64_t pages = 0;

    if (mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &txn) != 0)
        return enough; /* readers are busy: LMDB itself will say */
    if (mdb_cursor_open(txn, 0, &cursor) == 0) {
        while (pages < enough &&
               mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
            uint64_t freed_by, length;

            memcpy(&freed_by, key.mv_data, sizeof freed_by);
            memcpy(&length, value.mv_data, sizeof length);
            if (freed_by >= newest)
                break;
            pages += length;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return pages;
}

bool environment_has_room(const struct environment *environment, uint64_t pages)
{
    MDB_envinfo info;
    MDB_stat stat;
    uint64_t map_pages, unused = 0, needed = pages;

    (void)mdb_env_info(environment->env, &info);
    (void)mdb_env_stat(environment->env, &stat);
    map_pages = info.me_mapsize / stat.ms_psize;
    if (environment->has_ballast)
        unused = map_pages - (info.me_last_pgno + 1);
    needed += map_pages / RESERVE_PART < RESERVE_PAGES
                  ? map_pages / RESERVE_PART
                  : RESERVE_PAGES;
    if (unused >= needed)
        return true;
    return unused + count_free_pages(environment, info.me_last_txnid,
                                     needed - unused) >=
           needed;
}

/* ---- ballast ------------------------------------------------------------- */

static void remove_file(const char *path)
{
    uv_fs_t request;

    (void)uv_fs_unlink(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
}

void environment_drop_ballast(struct environment *environment)
{
    if (environment->has_ballast)
        remove_file(environment->ballast_path);
    environment->has_ballast = false;
}

/* Some file systems store nothing for zeros, or for the same block again. */
static void fill_block(char *block, unsigned number)
{
    uint32_t noise = number * 2654435761u + 1;

    for (unsigned i = 0; i < BLOCK_BYTES; i++) {
        noise = noise * 1664525u + 1013904223u;
        block[i] = (char)(noise >> 24);
    }
}

/* The system's code, 0 if all of it is on the disk. */
static int write_blocks(uv_file file, uint64_t bytes)
{
    char block[BLOCK_BYTES];
    const uv_buf_t buffer = uv_buf_init(block, sizeof block);
    uv_fs_t request;
    int code;

    for (unsigned i = 0; i <= (bytes - 1) / BLOCK_BYTES; i++) {
        fill_block(block, i);
        code = uv_fs_write(NULL, &request, file, &buffer, 1, -1, NULL);
        uv_fs_req_cleanup(&request);
        if (code != (int)sizeof block)
            return code < 0 ? code : UV_ENOSPC;
    }
    code = uv_fs_fsync(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    return code;
}

/* A new file of so many bytes, which is removed again if that fails. */
static int write_file(const char *path, uint64_t bytes)
{
    uv_fs_t request;
    const uv_file file = uv_fs_open(
        NULL, &request, path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC,
        FILE_MODE, NULL);
    int code;

    uv_fs_req_cleanup(&request);
    if (file < 0)
        return file;
    code = write_blocks(file, bytes);
    (void)uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    if (code != 0)
        remove_file(path);
    return code;
}

static int try_to_write(const struct environment *environment, uint64_t bytes)
{
    const int code = write_file(environment->trial_path, bytes);

    if (code == 0)
        remove_file(environment->trial_path);
    return code;
}

bool environment_is_disk_full(const struct environment *environment,
                              uint64_t bytes)
{
    const int code = try_to_write(environment, bytes + BALLAST_BYTES);

    return code != 0 && from_lmdb(-code) == ST_NO_SPACE;
}

static bool is_ballast_whole(const char *path)
{
    uv_fs_t request;
    const int code = uv_fs_stat(NULL, &request, path, NULL);
    const bool is_whole = code == 0 && request.statbuf.st_size == BALLAST_BYTES;

    uv_fs_req_cleanup(&request);
    return is_whole;
}

void environment_load_ballast(struct environment *environment,
                              uint64_t spare_bytes)
{
    if (environment->has_ballast)
        return;
    remove_file(environment->trial_path); /* of a process that was killed */
    environment->has_ballast =
        is_ballast_whole(environment->ballast_path) ||
        write_file(environment->ballast_path, BALLAST_BYTES) == 0;
    if (spare_bytes > 0 && try_to_write(environment, spare_bytes) != 0)
        environment_drop_ballast(environment);
}
