/* bench_commit.c -- what one LMDB commit costs here.
 *
 *     bench_commit DIRECTORY [MILLISECONDS]
 *
 * The yardstick of the figures that wait for the disk: transactions with one
 * event each, appended to one table with integer keys, committed in LMDB's
 * default mode (so synced), one after the other, on the file system where the
 * journal lies. Prints a JSON line. The file is removed at the end.
 */
#include "bench_base.h"
#include "bench_histogram.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENT_BYTES 250u

static void must(int code, const char *what)
{
    if (code != MDB_SUCCESS)
        bench_die("%s: %s", what, mdb_strerror(code));
}

static MDB_dbi open_table(MDB_env *env)
{
    MDB_txn *txn;
    MDB_dbi table;

    must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    must(mdb_dbi_open(txn, "events", MDB_CREATE | MDB_INTEGERKEY, &table),
         "table");
    must(mdb_txn_commit(txn), "commit");
    return table;
}

static void commit_one(MDB_env *env, MDB_dbi table, uint64_t id)
{
    static char event[EVENT_BYTES];
    MDB_val key = {sizeof id, &id};
    MDB_val data = {sizeof event, event};
    MDB_txn *txn;

    must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    must(mdb_put(txn, table, &key, &data, MDB_APPEND), "put");
    must(mdb_txn_commit(txn), "commit");
}

static void measure(const char *path, int64_t duration_ms)
{
    static struct histogram times;
    int64_t begin_ns = bench_now_ns();
    int64_t before_ns = begin_ns, total_ns;
    MDB_env *env;
    MDB_dbi table;

    must(mdb_env_create(&env), "env");
    must(mdb_env_set_mapsize(env, (size_t)1 << 30), "map");
    must(mdb_env_set_maxdbs(env, 4), "tables");
    must(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), "open");
    table = open_table(env);
    for (uint64_t id = 1; before_ns < begin_ns + duration_ms * 1000000; id++) {
        int64_t now_ns;

        commit_one(env, table, id);
        now_ns = bench_now_ns();
        histogram_add(&times, now_ns - before_ns);
        before_ns = now_ns;
    }
    total_ns = before_ns - begin_ns;
    mdb_env_close(env);
    printf("{\"commits\":%llu,\"mean_us\":%.1f,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f}\n",
           (unsigned long long)times.total,
           (double)total_ns / 1e3 / (double)times.total,
           histogram_us(&times, 0.5), histogram_us(&times, 0.99));
}

int main(int argc, char **argv)
{
    char path[4096], lock[4096 + 8];
    int fd;

    if (argc < 2)
        bench_die("bench_commit DIRECTORY [MILLISECONDS]");
    snprintf(path, sizeof path, "%s/commit-XXXXXX", argv[1]);
    fd = mkstemp(path);
    if (fd < 0)
        bench_die("cannot write in %s", argv[1]);
    close(fd);
    measure(path, argc > 2 ? strtoll(argv[2], NULL, 10) : 2000);
    snprintf(lock, sizeof lock, "%s-lock", path);
    unlink(path);
    unlink(lock);
    return 0;
}
