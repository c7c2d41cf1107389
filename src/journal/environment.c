/* environment.c -- opening LMDB the one way that keeps our promises.
 *
 * Default mode: pages are copied on write, a commit writes them, syncs, and
 * then writes one of two meta pages synchronously. WRITEMAP, NOSYNC and
 * MAPASYNC are never used: with WRITEMAP a full disk is a SIGBUS, the others
 * forget commits. NOTLS ties a read transaction to its handle instead of its
 * thread.
 *
 * `writer.lock` says which process writes here; LMDB itself would let two do so
 * in turns, and both would give the same ids. Its own `lock.mdb` holds the
 * slots of the readers. A read-only opener needs a slot there, or the writer
 * could use pages again that are still being read; only where nobody writes and
 * the lock file is missing or may not be written does it read without.
 *
 * What a SIGKILL left behind is repaired by LMDB: the lock is robust, the slots
 * of dead processes are cleared here.
 */
#include "environment.h"

#include "little_endian.h"

#include <tidings/check.h>
#include <tidings/platform.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define READERS_MAX    512 /* crew threads, and processes that read beside us */
#define TABLES_MAX     16
#define FILE_MODE      0640
#define DIRECTORY_MODE 0750
#define WRITABLE       2 /* as access(2) has it; libuv has no names */
#define READABLE       4

_Static_assert(sizeof(size_t) == sizeof(uint64_t),
               "LMDB's integer keys are size_t, ours are 64 bits");

enum status from_lmdb(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return ST_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return ST_NOT_FOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ST_NO_SPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return ST_CORRUPT;
    case MDB_READERS_FULL:
    case EAGAIN:
        return ST_BUSY;
    default:
        return ST_IO;
    }
}

/* A file that was created is there after a power cut only if its directory was
 * synced too. */
static void sync_directory(const char *directory)
{
    uv_fs_t request;
    const uv_file file =
        uv_fs_open(NULL, &request, directory, UV_FS_O_RDONLY, 0, NULL);

    uv_fs_req_cleanup(&request);
    if (file < 0)
        return; /* some systems do not open directories */
    (void)uv_fs_fsync(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    (void)uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
}

static enum status make_directory(const char *directory, char *why,
                                  size_t why_bytes)
{
    uv_fs_t request;
    const int code =
        uv_fs_mkdir(NULL, &request, directory, DIRECTORY_MODE, NULL);

    uv_fs_req_cleanup(&request);
    if (code == 0 || code == UV_EEXIST)
        return ST_OK;
    snprintf(why, why_bytes, "cannot create the directory %s: %s", directory,
             uv_strerror(code));
    return code == UV_ENOSPC ? ST_NO_SPACE : ST_IO;
}

static char *join(const char *directory, const char *name)
{
    const size_t bytes = strlen(directory) + strlen(name) + 2;
    char *path = must_malloc(bytes);

    snprintf(path, bytes, "%s/%s", directory, name);
    return path;
}

static enum status lock_directory(struct environment *environment,
                                  const char *directory, char *why,
                                  size_t why_bytes)
{
    char *path = join(directory, "writer.lock");
    const enum status st =
        platform_lock_file(path, &environment->lock_descriptor);

    if (st == ST_BUSY)
        snprintf(why, why_bytes, "another process writes in %s", directory);
    else if (st != ST_OK)
        snprintf(why, why_bytes, "cannot lock %s: %s", path, strerror(errno));
    free(path);
    return st;
}

static bool is_accessible(const char *directory, const char *name, int mode)
{
    char *path = join(directory, name);
    uv_fs_t request;
    const int code = uv_fs_access(NULL, &request, path, mode, NULL);

    uv_fs_req_cleanup(&request);
    free(path);
    return code == 0;
}

static bool is_being_written(const char *directory)
{
    char *path = join(directory, "writer.lock");
    const bool is_locked = platform_is_locked(path);

    free(path);
    return is_locked;
}

/* Which flags a reader may open with; see above. */
static enum status read_only_flags(const char *directory, unsigned *flags_out,
                                   char *why, size_t why_bytes)
{
    if (!is_accessible(directory, "data.mdb", READABLE)) {
        snprintf(why, why_bytes, "there is no journal to read in %s",
                 directory);
        return ST_NOT_FOUND;
    }
    *flags_out = MDB_RDONLY | MDB_NOTLS;
    if (is_accessible(directory, "lock.mdb", READABLE | WRITABLE))
        return ST_OK;
    if (is_being_written(directory)) {
        snprintf(why, why_bytes,
                 "reading beside a writer takes the right to write %s/lock.mdb",
                 directory);
        return ST_IO;
    }
    *flags_out |= MDB_NOLOCK;
    return ST_OK;
}

static int open_env(struct environment *environment, const char *directory,
                    unsigned flags, size_t map_bytes)
{
    int code = mdb_env_create(&environment->env);

    CHECK(code == 0);
    code = mdb_env_set_maxdbs(environment->env, TABLES_MAX);
    if (code == 0)
        code = mdb_env_set_maxreaders(environment->env, READERS_MAX);
    if (code == 0 && !environment->is_read_only) /* readers take the writer's */
        code = mdb_env_set_mapsize(environment->env, map_bytes);
    if (code == 0)
        code = mdb_env_open(environment->env, directory, flags, FILE_MODE);
    if (code == 0)
        code = mdb_reader_check(environment->env, NULL);
    return code;
}

struct table {
    const char *name;
    unsigned flags;
    bool is_needed;
};

static int open_table(const struct environment *environment, MDB_txn *txn,
                      const struct table *table, MDB_dbi *handle_out)
{
    const unsigned creates = environment->is_read_only ? 0 : MDB_CREATE;
    const int code =
        mdb_dbi_open(txn, table->name, table->flags | creates, handle_out);

    if (code != MDB_NOTFOUND || table->is_needed)
        return code;
    *handle_out = TABLE_ABSENT;
    return 0;
}

static int open_tables(struct environment *environment)
{
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(environment->env, NULL,
                             environment->is_read_only ? MDB_RDONLY : 0, &txn);

#define TABLE(name, flags, needed)                                             \
    if (code == 0)                                                             \
        code = open_table(environment, txn,                                    \
                          &(struct table){#name, flags, needed},               \
                          &environment->name);
    JOURNAL_TABLES(TABLE)
#undef TABLE
    if (code != 0) {
        if (txn != NULL)
            mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

enum status environment_open(struct environment *environment,
                             const char *directory, size_t map_bytes,
                             bool is_read_only, char *why, size_t why_bytes)
{
    unsigned flags = MDB_NOTLS;
    enum status st;
    int code;

    *environment = (struct environment){.lock_descriptor = -1,
                                        .is_read_only = is_read_only};
    if (is_read_only) {
        st = read_only_flags(directory, &flags, why, why_bytes);
    } else {
        st = make_directory(directory, why, why_bytes);
        if (st == ST_OK)
            st = lock_directory(environment, directory, why, why_bytes);
        environment->ballast_path = join(directory, "ballast");
        environment->trial_path = join(directory, "trial");
    }
    if (st != ST_OK)
        goto fail;

    code = open_env(environment, directory, flags, map_bytes);
    if (code == 0)
        code = open_tables(environment);
    if (code != 0) {
        snprintf(why, why_bytes, "cannot open the journal in %s: %s", directory,
                 mdb_strerror(code));
        st = from_lmdb(code);
        goto fail;
    }
    if (is_read_only)
        return ST_OK;
    sync_directory(directory);
    environment_load_ballast(environment, 0);
    return ST_OK;

fail:
    environment_close(environment);
    return st;
}

void environment_close(struct environment *environment)
{
    if (environment->env != NULL)
        mdb_env_close(environment->env);
    environment->env = NULL;
    free(environment->ballast_path);
    free(environment->trial_path);
    environment->ballast_path = environment->trial_path = NULL;
    platform_unlock_file(&environment->lock_descriptor);
}

static MDB_val name_value(const char *name)
{
    union {
        const char *name;
        void *memory;
    } lent = {name}; /* LMDB only reads keys */

    return (MDB_val){strlen(name), lent.memory};
}

enum status environment_number(const struct environment *environment,
                               MDB_txn *txn, const char *name,
                               uint64_t *number_out)
{
    MDB_val key = name_value(name);
    MDB_val value;
    const enum status st =
        from_lmdb(mdb_get(txn, environment->meta, &key, &value));

    if (st != ST_OK)
        return st;
    if (value.mv_size != 8)
        return ST_CORRUPT;
    *number_out = get_u64(value.mv_data);
    return ST_OK;
}

enum status environment_put_number(const struct environment *environment,
                                   MDB_txn *txn, const char *name,
                                   uint64_t number)
{
    unsigned char bytes[8];
    MDB_val key = name_value(name);
    MDB_val value = {sizeof bytes, bytes};

    put_u64(bytes, number);
    return from_lmdb(mdb_put(txn, environment->meta, &key, &value, 0));
}
