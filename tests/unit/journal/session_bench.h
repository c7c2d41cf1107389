/* session_bench.h -- a workbench with sessions.
 *
 * Threads   The test's.
 * Memory    The teardown removes everything.
 * Units     Ids; milliseconds.
 * Errors    A failed assertion ends the test.
 */
#ifndef SESSION_BENCH_H
#define SESSION_BENCH_H

#include "workbench.h"

enum { SESSION_KEEP_MS = 1000000 }; /* room for 5000 of them */

int bench_setup_sessions(void **state);
int bench_teardown_sessions(void **state);

struct sessions *sessions_of(struct bench *bench);
struct session_view create(struct bench *bench, const char *name,
                           uint64_t acked);
struct session_view find(struct bench *bench, const char *name);
bool is_there(struct bench *bench, const char *name);

/* The position that is acknowledged afterwards. */
uint64_t ack(struct bench *bench, const char *name, uint64_t id);
uint64_t use(struct bench *bench, const char *name, uint64_t upto);

/* One that is written whole. */
void answer(struct bench *bench, const char *name, uint64_t id);

void commit(struct bench *bench);
void reopen(struct bench *bench);

#endif
