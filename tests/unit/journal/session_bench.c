/* session_bench.c -- what the tests of sessions share. */
#include "session_bench.h"

int bench_setup_sessions(void **state)
{
    static struct bench bench;

    bench_begin(&bench);
    bench.options.sessions_max = 5000;
    bench.options.session_keep_ms = SESSION_KEEP_MS;
    bench_open(&bench);
    *state = &bench;
    return 0;
}

int bench_teardown_sessions(void **state)
{
    bench_close(*state);
    return 0;
}

struct sessions *sessions_of(struct bench *bench)
{
    return journal_sessions(bench->journal);
}

struct session_view create(struct bench *bench, const char *name,
                           uint64_t acked)
{
    struct session_view view;

    assert_int_equal(sessions_create(sessions_of(bench), text_of(name), acked,
                                     bench->now_ms, &view),
                     ST_OK);
    return view;
}

struct session_view find(struct bench *bench, const char *name)
{
    struct session_view view;

    assert_int_equal(sessions_find(sessions_of(bench), text_of(name), &view),
                     ST_OK);
    return view;
}

bool is_there(struct bench *bench, const char *name)
{
    struct session_view view;

    return sessions_find(sessions_of(bench), text_of(name), &view) == ST_OK;
}

uint64_t ack(struct bench *bench, const char *name, uint64_t id)
{
    struct session_view view;

    assert_int_equal(sessions_ack(sessions_of(bench), text_of(name), id,
                                  bench->now_ms, &view),
                     ST_OK);
    return view.acked;
}

uint64_t use(struct bench *bench, const char *name, uint64_t upto)
{
    struct session_view view;

    assert_int_equal(sessions_use(sessions_of(bench), text_of(name), upto,
                                  bench->now_ms, &view),
                     ST_OK);
    return view.acked;
}

void commit(struct bench *bench)
{
    assert_int_equal(run_publish(bench, publish_create(0)), ST_OK);
}

void reopen(struct bench *bench)
{
    bench_shut(bench);
    bench_open(bench);
}

void answer(struct bench *bench, const char *name, uint64_t id)
{
    sessions_begin(sessions_of(bench), text_of(name), id, 3);
    sessions_written(sessions_of(bench), text_of(name), id);
}
