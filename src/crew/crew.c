/* crew.c -- one loop, many connections: the turn.
 *
 * libuv looks at the sockets (reading and routing happen there), then the check
 * handle runs the turn:
 *
 *     take the mailbox            fresh sockets, moved connections, batches,
 * answers deliver                     every channel queues frames, once per run
 *     expire                      deadlines that have passed
 *     handshake                   TLS: those whose next bytes are there
 *     resume, replay              pipelined requests; slices of the journal
 *     announce                    a shutdown that began is told
 *     flush                       each touched connection is written once
 *
 * Each part has a quota per turn. What is left keeps the idle handle running,
 * so the next turn comes without waiting but after another look at the sockets:
 * ten thousand writes never stand between a publisher and its commit. While
 * flushes are left over, newer events join them: the busier, the more goes into
 * a write.
 */
#include <tidings/crew.h>

#include "inside.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/logger.h>
#include <tidings/platform.h>
#include <tidings/replay.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FLUSHES_PER_TURN = 1024,
    RESUMES_PER_TURN = 256,
    EXPIRED_PER_TURN = 2048,
    REPLAY_TURN_NS = 4000000,
    DRAIN_TICK_MS = 50,
    MAILBOX_COUNT = 1 << 20
};

static void on_turn(uv_check_t *check);

/* ---- making
 * ------------------------------------------------------------------ */

static void on_wake(uv_async_t *async)
{
    (void)async; /* the turn follows in any case */
}

static void on_more(uv_idle_t *idle)
{
    (void)idle;
}

/* Timers run before the loop waits for sockets, the turn after it: the idle
 * handle keeps that wait from lasting. */
static void on_timer(uv_timer_t *timer)
{
    struct crew *crew = CONTAINER_OF(timer, struct crew, timer);

    CHECK(uv_idle_start(&crew->more, on_more) == 0);
}

static void wake_loop(void *arg)
{
    struct crew *crew = arg;

    (void)uv_async_send(&crew->wake);
}

static enum status make_loop(struct crew *crew)
{
    if (uv_loop_init(&crew->loop) != 0)
        return ST_IO;
    if (uv_async_init(&crew->loop, &crew->wake, on_wake) != 0)
        return ST_IO;
    CHECK(uv_check_init(&crew->loop, &crew->check) == 0);
    CHECK(uv_check_start(&crew->check, on_turn) == 0);
    CHECK(uv_idle_init(&crew->loop, &crew->more) == 0);
    CHECK(uv_timer_init(&crew->loop, &crew->timer) == 0);
    return ST_OK;
}

/* A thread without subscribers is not woken by commits. The journal stores its
 * newest id and then asks whether the thread is expecting; the thread says so and
 * then reads the newest id. All four are sequentially consistent, so at least one
 * of them sees what the other wrote: a commit is posted or known to the joiner. */
void crew_expect_batches(struct crew *crew)
{
    if (atomic_load_explicit(&crew->is_expecting, memory_order_relaxed))
        return;
    atomic_store(&crew->is_expecting, true);
    directory_skip_to(crew->directory, journal_last_id(crew->options.journal));
}

void crew_spare_batches(struct crew *crew)
{
    if (directory_is_empty(crew->directory))
        atomic_store(&crew->is_expecting, false);
}

/* On the journal's thread, for every commit. */
static void on_batch(void *arg, struct batch *batch)
{
    struct crew *crew = arg;
    struct crew_message *message;
    struct msg *link;
    size_t bytes = sizeof *batch;

    if (!atomic_load(&crew->is_expecting))
        return;
    message = must_calloc(1, sizeof *message);
    link = &message->link;
    for (unsigned i = 0; i < batch->count; i++)
        bytes += sizeof(struct event) + event_data(batch->events[i]).length;
    message->tag = CREW_BATCHED;
    message->as.batched.batch = batch_ref(batch);
    link->bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    if (mailbox_post(&crew->mailbox, &link) == ST_OK)
        return;
    batch_unref(&message->as.batched.batch);
    free(message);
    atomic_store(&crew->has_overrun, true);
    wake_loop(crew);
}

enum status crew_create(const struct crew_options *options,
                        struct crew **crew_out)
{
    struct crew *crew = must_calloc(1, sizeof *crew);
    struct journal *journal = options->journal;
    enum status st;

    crew->options = *options;
    list_init(&crew->connections);
    list_init(&crew->to_flush);
    list_init(&crew->to_replay);
    list_init(&crew->to_resume);
    list_init(&crew->handshakes);
    list_init(&crew->to_shake);
    buffer_init(&crew->scratch);
    buffer_init(&crew->refusal);
    deadlines_init(&crew->deadlines);
    crew->received = must_malloc(CREW_RECEIVE_BYTES);
    crew->replay_cache = replay_cache_create();
    st = make_loop(crew);
    if (st == ST_OK)
        st = journal_reader_open(journal, &crew->reader);
    if (st != ST_OK) {
        free(crew->received); /* the program ends: the loop may stay */
        free(crew);
        return st;
    }
    CHECK(uv_random(NULL, NULL, &crew->random, sizeof crew->random, 0, NULL) ==
          0);
    mailbox_init(&crew->mailbox, "crew", MAILBOX_COUNT,
                 (size_t)options->config->crew_queue_bytes, wake_loop, crew);
    crew->directory = directory_create(
        journal_registry(journal), &crew->metrics,
        (size_t)options->config->outbox_bytes, journal_last_id(journal));
    directory_count_in(crew->directory, options->presence);
    metrics_register(&crew->metrics);
    journal_add_listener(journal, on_batch, crew);
    *crew_out = crew;
    return ST_OK;
}

/* ---- what others post
 * ----------------------------------------------------------- */

static void post(struct crew *crew, const struct crew_message *what)
{
    struct crew_message *message = must_malloc(sizeof *message);
    struct msg *link = &message->link;

    *message = *what;
    message->link = (struct msg){NULL, 0};
    if (mailbox_answer(&crew->mailbox, &link) == ST_OK)
        return;
    if (message->tag == CREW_REKEYED)
        keyring_unref(&message->as.rekeyed.keyring);
    free(message);
}

void crew_give_socket(struct crew *crew, const struct handoff_socket *fresh,
                      const struct admission *admission)
{
    struct crew_message *message = must_calloc(1, sizeof *message);
    struct msg *link = &message->link;

    message->tag = CREW_FRESH;
    message->as.fresh.socket = *fresh;
    message->as.fresh.admission = *admission;
    link->bytes = (uint32_t)sizeof *message;
    /* Counted from here, so that a burst is spread before it is served. */
    atomic_fetch_add_explicit(&crew->load, 1, memory_order_relaxed);
    /* Its room is the descriptor: a box full of batches refuses no client. */
    if (mailbox_answer(&crew->mailbox, &link) == ST_OK)
        return;
    atomic_fetch_sub_explicit(&crew->load, 1, memory_order_relaxed);
    close(fresh->descriptor);
    admissions_give_back(crew->options.admissions,
                         &message->as.fresh.admission);
    free(message);
}

void crew_announce(struct crew *crew, int64_t until_wall_ms)
{
    post(crew, &(struct crew_message){.tag = CREW_ANNOUNCE,
                                      .as.announce = {until_wall_ms}});
}

void crew_rekey(struct crew *crew, struct keyring *keyring)
{
    post(crew, &(struct crew_message){.tag = CREW_REKEYED,
                                      .as.rekeyed = {keyring_ref(keyring)}});
}

void crew_drain(struct crew *crew)
{
    atomic_store(&crew->undrained, 1); /* until the crew has counted */
    post(crew,
         &(struct crew_message){.tag = CREW_DRAIN,
                                .as.drain = {crew->options.config->drain_ms}});
}

/* ---- what the crew does with each message
 * ----------------------------------------- */

static void on_fresh(struct crew *crew, struct fresh *fresh)
{
    atomic_fetch_sub_explicit(&crew->load, 1, memory_order_relaxed);
    if (crew->is_draining) {
        close(fresh->socket.descriptor);
        admissions_give_back(crew->options.admissions, &fresh->admission);
    } else {
        connection_create(crew, &fresh->socket, &fresh->admission);
    }
}

static void on_adopted(struct crew *crew, struct adopted *adopted)
{
    connection_adopt(crew, adopted->connection);
}

static void on_batched(struct crew *crew, struct batched *batched)
{
    directory_commit(crew->directory, batched->batch);
    batch_unref(&batched->batch);
}

static void on_answered(struct crew *crew, struct answered *answered)
{
    struct connection *connection = answered->connection;

    (void)crew;
    connection->calls->answered(connection, answered->publish);
    if (connection->state != CONNECTION_COMMITTING) /* again, for more */
        connection_go_on(connection);
}

static void on_done(struct crew *crew, struct done *done)
{
    (void)crew;
    done->connection->calls->done(done->connection);
    CHECK(done->connection->state == CONNECTION_ANSWERING);
}

static void on_announce(struct crew *crew, struct announce *announce)
{
    announce_begin(crew, announce->until_wall_ms);
}

static void on_rekeyed(struct crew *crew, struct rekeyed *rekeyed)
{
    if (crew->keyring != NULL)
        keyring_unref(&crew->keyring);
    crew->keyring = rekeyed->keyring;
    announce_keys(crew);
}

static void on_drain(struct crew *crew, struct drain *drain)
{
    struct list_node *node, *next;

    crew->is_draining = true;
    crew->drain_end_ms = crew->now_ms + drain->over_ms;
    for (node = crew->connections.next; node != &crew->connections;
         node = next) {
        struct connection *connection =
            CONTAINER_OF(node, struct connection, all);

        next = node->next;
        if (connection->state == CONNECTION_HANDSHAKING ||
            (connection->state == CONNECTION_LOBBY && !connection->has_begun))
            connection_close(connection);
    }
}

static void on_stop(struct crew *crew, struct stop *stop)
{
    crew->is_draining = true;
    crew->is_stopping = true;
    crew->drain_end_ms = crew->drain_next_ms = crew->now_ms;
    crew->stop_end_ms = crew->now_ms + stop->within_ms;
}

static void receive(struct crew *crew, struct crew_message *message)
{
    switch (message->tag) {
#define MSG(TAG, field, by, does)                                              \
    case CREW_##TAG:                                                           \
        on_##field(crew, &message->as.field);                                  \
        break;
        CREW_MESSAGES(MSG)
#undef MSG
    }
}

static void take_mailbox(struct crew *crew)
{
    struct msg *msg = mailbox_take(&crew->mailbox), *next;

    for (; msg != NULL; msg = next) {
        struct crew_message *message =
            CONTAINER_OF(msg, struct crew_message, link);

        next = msg->next;
        receive(crew, message);
        free(message);
    }
    if (atomic_exchange(&crew->has_overrun, false))
        directory_overrun(crew->directory,
                          journal_last_id(crew->options.journal));
}

/* ---- the parts of a turn
 * ------------------------------------------------------------ */

static void expire(struct crew *crew)
{
    for (int i = 0; i < EXPIRED_PER_TURN; i++) {
        struct deadline *deadline =
            deadlines_expired(&crew->deadlines, crew->now_ms);

        if (deadline == NULL)
            return;
        connection_expire(CONTAINER_OF(deadline, struct connection, deadline));
    }
}

/* The first of a work queue, taken out; NULL if none. */
static struct connection *next_of(struct list_node *queue)
{
    struct list_node *node = queue->next;

    if (node == queue)
        return NULL;
    list_remove(node);
    return CONTAINER_OF(node, struct connection, work);
}

static void resume(struct crew *crew)
{
    for (int i = 0; i < RESUMES_PER_TURN; i++) {
        struct connection *connection = next_of(&crew->to_resume);

        if (connection == NULL)
            return;
        lobby_resume(connection);
    }
}

static void replay(struct crew *crew)
{
    uint64_t end_ns = uv_hrtime() + REPLAY_TURN_NS;

    do {
        struct connection *connection = next_of(&crew->to_replay);

        if (connection == NULL)
            return;
        if (connection->calls != NULL && connection->calls->replay != NULL)
            connection->calls->replay(connection);
    } while (uv_hrtime() < end_ns);
}

static void flush(struct crew *crew)
{
    for (int i = 0; i < FLUSHES_PER_TURN; i++) {
        if (list_is_empty(&crew->to_flush))
            return;
        connection_flush(
            CONTAINER_OF(crew->to_flush.next, struct connection, turn));
    }
}

/* ---- ending
 * ------------------------------------------------------------------------- */

static bool is_waited_for(const struct connection *connection)
{
    return connection->state == CONNECTION_STREAMING ||
           connection->state == CONNECTION_WAITING ||
           connection->state == CONNECTION_MOVING;
}

static unsigned count_waited_for(const struct crew *crew)
{
    const struct list_node *node = crew->connections.next;
    unsigned count = 0;

    for (; node != &crew->connections; node = node->next)
        count += is_waited_for(CONTAINER_OF(node, struct connection, all));
    return count;
}

/* As many goodbyes as the time that is left asks for. */
static void drain_some(struct crew *crew)
{
    unsigned left = count_waited_for(crew), now;
    int64_t time_ms = crew->drain_end_ms - crew->now_ms;
    struct list_node *node, *next;

    if (crew->now_ms < crew->drain_next_ms)
        return;
    crew->drain_next_ms = crew->now_ms + DRAIN_TICK_MS;
    now = time_ms <= 0 ? left
                       : (unsigned)(left * (int64_t)DRAIN_TICK_MS /
                                    (time_ms + DRAIN_TICK_MS)) +
                             1;
    for (node = crew->connections.next; node != &crew->connections && now > 0;
         node = next) {
        struct connection *connection =
            CONTAINER_OF(node, struct connection, all);

        next = node->next;
        if (!is_waited_for(connection) || connection->calls->farewell == NULL)
            continue;
        connection->calls->farewell(connection);
        now--;
    }
    atomic_store(&crew->undrained, count_waited_for(crew));
}

static bool has_unwritten(const struct crew *crew)
{
    const struct list_node *node = crew->connections.next;

    for (; node != &crew->connections; node = node->next)
        if (!outbox_is_empty(
                &CONTAINER_OF(node, struct connection, all)->outbox))
            return true;
    return false;
}

static void close_all(struct crew *crew)
{
    mailbox_close(&crew->mailbox);
    take_mailbox(crew);
    directory_deliver(crew->directory);
    while (!list_is_empty(&crew->connections)) {
        struct connection *connection =
            CONTAINER_OF(crew->connections.next, struct connection, all);

        CHECK(connection->state != CONNECTION_COMMITTING);
        connection_close(connection);
    }
    uv_close((uv_handle_t *)&crew->check, NULL);
    uv_close((uv_handle_t *)&crew->more, NULL);
    uv_close((uv_handle_t *)&crew->timer, NULL);
    uv_close((uv_handle_t *)&crew->wake, NULL);
}

/* ---- the turn
 * ------------------------------------------------------------------------ */

/* Wakes the loop for what is left or for the earliest deadline. */
static void arrange_next_turn(struct crew *crew)
{
    bool is_work_left =
        crew->announce_left > 0 || !list_is_empty(&crew->to_shake) ||
        !list_is_empty(&crew->to_flush) || !list_is_empty(&crew->to_replay) ||
        !list_is_empty(&crew->to_resume);
    int64_t next_ms = deadlines_next_ms(&crew->deadlines);

    if (is_work_left)
        CHECK(uv_idle_start(&crew->more, on_more) == 0);
    else
        (void)uv_idle_stop(&crew->more);
    if (crew->is_draining && next_ms > crew->now_ms + DRAIN_TICK_MS)
        next_ms = crew->now_ms + DRAIN_TICK_MS;
    if (next_ms == INT64_MAX)
        (void)uv_timer_stop(&crew->timer);
    else
        CHECK(uv_timer_start(&crew->timer, on_timer,
                             next_ms > crew->now_ms
                                 ? (uint64_t)(next_ms - crew->now_ms)
                                 : 0,
                             0) == 0);
}

static void on_turn(uv_check_t *check)
{
    struct crew *crew = CONTAINER_OF(check, struct crew, check);

    uv_update_time(&crew->loop);
    crew->now_ms = (int64_t)uv_now(&crew->loop);
    crew->wall_ms = clock_wall_ms(&system_clock);
    take_mailbox(crew);
    directory_deliver(crew->directory);
    expire(crew);
    handshake_some(crew);
    resume(crew);
    replay(crew);
    announce_some(crew);
    if (crew->is_draining)
        drain_some(crew);
    flush(crew);
    if (crew->is_stopping &&
        (crew->now_ms >= crew->stop_end_ms || !has_unwritten(crew)))
        close_all(crew);
    else
        arrange_next_turn(crew);
}

static void crew_main(void *arg)
{
    struct crew *crew = arg;
    char name[16];

    (void)snprintf(name, sizeof name, "crew-%u", crew->options.number);
    platform_name_thread(name);
    crew->now_ms = (int64_t)uv_now(&crew->loop);
    crew->wall_ms = clock_wall_ms(&system_clock);
    crew->lender = handoff_lender_create(crew->handoff);
    (void)uv_run(&crew->loop, UV_RUN_DEFAULT);
    handoff_lender_destroy(&crew->lender);
    gzip_thread_end();
}

void crew_start(struct crew *crew, struct crew **peers, struct handoff *handoff)
{
    crew->peers = peers;
    crew->handoff = handoff;
    CHECK(uv_thread_create(&crew->thread, crew_main, crew) == 0);
}

/* Closes all and lets libuv forget its handles, without a thread. */
static void end_unstarted(struct crew *crew)
{
    close_all(crew);
    CHECK(uv_run(&crew->loop, UV_RUN_DEFAULT) == 0);
}

void crew_stop(struct crew *crew)
{
    post(crew, &(struct crew_message){.tag = CREW_STOP, .as.stop = {1000}});
    CHECK(uv_thread_join(&crew->thread) == 0);
}

void crew_destroy(struct crew **crew)
{
    struct crew *mine = *crew;

    *crew = NULL;
    if (mine == NULL)
        return;
    if (mine->peers == NULL)
        end_unstarted(mine); /* the start failed before its turn came */
    CHECK(uv_loop_close(&mine->loop) == 0);
    if (mine->keyring != NULL)
        keyring_unref(&mine->keyring);
    journal_reader_close(&mine->reader);
    directory_destroy(&mine->directory);
    replay_cache_destroy(&mine->replay_cache);
    deadlines_fini(&mine->deadlines);
    buffer_fini(&mine->scratch);
    buffer_fini(&mine->refusal);
    mailbox_fini(&mine->mailbox);
    free(mine->received);
    free(mine);
}
