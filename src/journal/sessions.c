/* sessions.c -- the sessions in memory: a table, and a list of what is behind.
 *
 *     crew threads    find, create, use, ack, begin, written, remove
 *        |            each under the lock, each in a few instructions;
 *        v            a change puts the session in the list `changed`
 *     journal         take: the whole list as rows, copied under the lock
 *                     ... written and committed without it ...
 *                     settle: these are stored; removed ones are freed
 *                     undo: back into the list
 *
 * So a session is in the list at most once, however often it changes between
 * two commits, and a change that comes while its row is being written puts it
 * there again. A removed session stays in the table as a mark until its removal
 * is committed; created anew meanwhile, the mark comes to life again.
 *
 * The buckets are as many as there may be sessions: they are memory that is not
 * touched before it is used, and no thread ever waits for a table that grows.
 */
#include <tidings/sessions.h>

#include "session_inside.h"

#include <tidings/check.h>
#include <tidings/registry.h>

#include <stdlib.h>

enum { BUCKETS_LEAST = 64, BUCKETS_PER_SLICE = 1024 };

bool session_name_is_valid(struct text name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "0123456789._~-";

    if (name.length < 1 || name.length > SESSION_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (memchr(allowed, name.bytes[i], sizeof allowed - 1) == NULL)
            return false;
    return true;
}

/* ---- under the lock ------------------------------------------------------ */

static struct session **bucket_of_locked(struct sessions *sessions,
                                         struct text name)
{
    return &sessions
                ->buckets[registry_hash(name) & (sessions->bucket_count - 1)];
}

struct session *session_find_any_locked(struct sessions *sessions,
                                        struct text name)
{
    struct session *session = *bucket_of_locked(sessions, name);

    while (session != NULL && !text_equals(session_text(session), name))
        session = session->next_in_bucket;
    return session;
}

struct session *session_find_locked(struct sessions *sessions, struct text name)
{
    struct session *session = session_find_any_locked(sessions, name);

    return session == NULL || session->is_removed ? NULL : session;
}

static struct session *add_locked(struct sessions *sessions, struct text name)
{
    struct session *session = must_calloc(1, sizeof *session + name.length);
    struct session **bucket = bucket_of_locked(sessions, name);

    CHECK(name.length <= SESSION_NAME_MAX_BYTES);
    list_init(&session->owed);
    memcpy(session->name, name.bytes, name.length);
    session->name_bytes = (uint8_t)name.length;
    session->next_in_bucket = *bucket;
    *bucket = session;
    sessions->count += 1;
    return session;
}

void session_changed_locked(struct sessions *sessions, struct session *session)
{
    if (session->is_changed)
        return;
    session->is_changed = true;
    session->next_changed = sessions->changed;
    sessions->changed = session;
    sessions->changed_count += 1;
}

/* What is said may be less than what was sent; what is not said others conclude
 * by themselves from what was sent. */
static void raise_locked(struct sessions *sessions, struct session *session,
                         uint64_t acked, uint64_t written, bool is_said)
{
    const bool is_news =
        written > session->written || (is_said && acked > session->acked);

    if (acked <= session->acked && written <= session->written)
        return;
    if (acked > session->acked)
        session->acked = acked;
    if (written > session->written)
        session->written = written;
    if (session->sent < session->written)
        session->sent = session->written;
    session_changed_locked(sessions, session);
    if (is_news)
        session_owe_locked(sessions, session);
}

/* A row says when to a minute: who asks for nothing new costs no commit. */
static void touch_locked(struct sessions *sessions, struct session *session,
                         int64_t wall_ms)
{
    enum { NEGLIGIBLE_MS = 60000 };

    if (wall_ms - session->touched_ms >= NEGLIGIBLE_MS)
        session_changed_locked(sessions, session);
    if (wall_ms > session->touched_ms)
        session->touched_ms = wall_ms;
    if (wall_ms - session->told_touched_ms >= sessions->tell_touch_ms)
        session_owe_locked(sessions, session);
}

/* What the stream has needs no disk here. */
static struct session_view view_locked(const struct session *session)
{
    return (struct session_view){
        .acked = session->acked,
        .sent = session->sent,
        .touched_ms = session->touched_ms,
        .is_stored = session->is_stored || session->is_told,
        .is_told = session->is_told,
        .is_settled =
            (session->is_told && !session->is_owed) ||
            (session->is_stored && session->stored >= session->written),
        .is_ours = session->is_ours,
        .is_answered = session->sent > session->written,
        .writer = session->writer,
    };
}

/* ---- for everybody ------------------------------------------------------- */

unsigned sessions_count(struct sessions *sessions)
{
    unsigned count;

    uv_mutex_lock(&sessions->mutex);
    count = sessions->count;
    uv_mutex_unlock(&sessions->mutex);
    return count;
}

enum status sessions_find(struct sessions *sessions, struct text name,
                          struct session_view *view_out)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL)
        *view_out = view_locked(session);
    uv_mutex_unlock(&sessions->mutex);
    return session == NULL ? ST_NOT_FOUND : ST_OK;
}

struct session *session_open_locked(struct sessions *sessions, struct text name)
{
    struct session *session = session_find_any_locked(sessions, name);

    if (session == NULL && sessions->count >= sessions->limit)
        return NULL;
    if (session == NULL)
        session = add_locked(sessions, name);
    session->is_removed = session->is_stored = session->is_ours = false;
    session_changed_locked(sessions, session);
    return session;
}

static struct session *create_locked(struct sessions *sessions,
                                     struct text name, uint64_t acked,
                                     int64_t wall_ms, uint64_t born)
{
    struct session *session = session_find_locked(sessions, name);

    if (session != NULL)
        return session;
    session = session_open_locked(sessions, name);
    if (session == NULL)
        return NULL;
    session->acked = session->sent = session->written = acked;
    session->touched_ms = wall_ms;
    session->born = born;
    session->is_told = session->is_anew = false;
    session_owe_locked(sessions, session);
    return session;
}

void session_remove_locked(struct sessions *sessions, struct session *session)
{
    session->is_removed = true;
    session_settle_debt_locked(sessions, session);
    session_changed_locked(sessions, session);
}

enum status sessions_create(struct sessions *sessions, struct text name,
                            uint64_t acked, int64_t wall_ms,
                            struct session_view *view_out)
{
    const uint64_t born = sessions->tell_touch_ms > 0 ? session_birth() : 0;
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = create_locked(sessions, name, acked, wall_ms, born);
    if (session != NULL)
        *view_out = view_locked(session);
    sessions_unlock(sessions);
    return session == NULL ? ST_FULL : ST_OK;
}

enum status sessions_use(struct sessions *sessions, struct text name,
                         uint64_t upto, int64_t wall_ms,
                         struct session_view *view_out)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL) {
        raise_locked(sessions, session,
                     session->written < upto ? session->written : upto, 0,
                     false);
        touch_locked(sessions, session, wall_ms);
        *view_out = view_locked(session);
    }
    sessions_unlock(sessions);
    return session == NULL ? ST_NOT_FOUND : ST_OK;
}

enum status sessions_ack(struct sessions *sessions, struct text name,
                         uint64_t id, int64_t wall_ms,
                         struct session_view *view_out)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL) {
        raise_locked(sessions, session, id, id, true);
        touch_locked(sessions, session, wall_ms);
        *view_out = view_locked(session);
    }
    sessions_unlock(sessions);
    return session == NULL ? ST_NOT_FOUND : ST_OK;
}

void sessions_begin(struct sessions *sessions, struct text name, uint64_t id,
                    unsigned writer)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL && id > session->sent) {
        session->sent = id;
        session->writer = writer;
    }
    uv_mutex_unlock(&sessions->mutex);
}

void sessions_written(struct sessions *sessions, struct text name, uint64_t id)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL)
        raise_locked(sessions, session, 0, id, false);
    sessions_unlock(sessions);
}

void sessions_cut_off(struct sessions *sessions, struct text name, uint64_t id)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL && session->sent == id)
        session->sent = session->written;
    uv_mutex_unlock(&sessions->mutex);
}

enum status sessions_remove(struct sessions *sessions, struct text name)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL)
        session_remove_locked(sessions, session);
    uv_mutex_unlock(&sessions->mutex);
    return session == NULL ? ST_NOT_FOUND : ST_OK;
}

bool sessions_should_commit(struct sessions *sessions)
{
    bool should;

    uv_mutex_lock(&sessions->mutex);
    should = sessions->changed != NULL && !sessions->is_commit_coming;
    if (should)
        sessions->is_commit_coming = true;
    uv_mutex_unlock(&sessions->mutex);
    return should;
}

/* ---- for the journal ----------------------------------------------------- */

struct sessions *sessions_create_table(unsigned limit, int64_t tell_touch_ms)
{
    struct sessions *sessions = must_calloc(1, sizeof *sessions);

    CHECK(uv_mutex_init(&sessions->mutex) == 0);
    sessions->limit = limit;
    sessions->tell_touch_ms = tell_touch_ms;
    list_init(&sessions->owed);
    sessions->bucket_count = BUCKETS_LEAST;
    while (sessions->bucket_count < limit)
        sessions->bucket_count *= 2;
    sessions->buckets =
        must_calloc(sessions->bucket_count, sizeof(struct session *));
    return sessions;
}

void sessions_destroy_table(struct sessions **sessions)
{
    struct sessions *mine = *sessions;

    *sessions = NULL;
    if (mine == NULL)
        return;
    for (unsigned i = 0; i < mine->bucket_count; i++) {
        while (mine->buckets[i] != NULL) {
            struct session *session = mine->buckets[i];

            mine->buckets[i] = session->next_in_bucket;
            free(session);
        }
    }
    uv_mutex_destroy(&mine->mutex);
    free(mine->buckets);
    free(mine->taken);
    free(mine);
}

void sessions_load(struct sessions *sessions, const struct session_row *row)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = add_locked(sessions, row->name);
    session->acked = row->acked;
    session->sent = session->written = session->stored = row->sent;
    session->touched_ms = session->told_touched_ms = row->touched_ms;
    session->born = row->born;
    session->version = row->version;
    session->is_stored = true;
    session->is_told = row->is_told;
    session->is_anew = row->is_anew;
    if (row->is_owed)
        session_owe_locked(sessions, session);
    uv_mutex_unlock(&sessions->mutex);
}

bool sessions_are_behind(struct sessions *sessions)
{
    bool are_behind;

    uv_mutex_lock(&sessions->mutex);
    are_behind = sessions->changed != NULL;
    uv_mutex_unlock(&sessions->mutex);
    return are_behind;
}

static void take_locked(struct sessions *sessions)
{
    struct session *session = sessions->changed;

    for (; session != NULL; session = session->next_changed) {
        sessions->taken[sessions->taken_count++] =
            (struct session_row){.acked = session->acked,
                                 .sent = session->written,
                                 .touched_ms = session->touched_ms,
                                 .born = session->born,
                                 .version = session->version,
                                 .is_owed = session->is_owed,
                                 .is_told = session->is_told,
                                 .is_anew = session->is_anew,
                                 .name = session_text(session),
                                 .session = session,
                                 .is_removed = session->is_removed};
        session->is_changed = false;
    }
    sessions->changed = NULL;
    sessions->changed_count = 0;
    sessions->is_commit_coming = false;
}

const struct session_row *sessions_take(struct sessions *sessions,
                                        unsigned *count_out)
{
    CHECK(sessions->taken_count == 0);
    uv_mutex_lock(&sessions->mutex);
    if (sessions->changed_count > sessions->taken_room) {
        sessions->taken_room = sessions->changed_count * 2 + 64;
        sessions->taken = must_realloc(
            sessions->taken, sessions->taken_room * sizeof *sessions->taken);
    }
    take_locked(sessions);
    uv_mutex_unlock(&sessions->mutex);
    *count_out = sessions->taken_count;
    return sessions->taken;
}

unsigned sessions_taken_count(const struct sessions *sessions)
{
    return sessions->taken_count;
}

static void free_mark_locked(struct sessions *sessions, struct session *session)
{
    struct session **link = bucket_of_locked(sessions, session_text(session));

    while (*link != session)
        link = &(*link)->next_in_bucket;
    *link = session->next_in_bucket;
    sessions->count -= 1;
    CHECK(!session->is_owed);
    free(session);
}

void sessions_settle(struct sessions *sessions)
{
    if (sessions->taken_count == 0)
        return;
    uv_mutex_lock(&sessions->mutex);
    for (unsigned i = 0; i < sessions->taken_count; i++) {
        const struct session_row *row = &sessions->taken[i];
        struct session *session = row->session;

        if (!row->is_removed) {
            session->is_stored = !session->is_removed;
            session->stored = row->sent;
        } else if (session->is_removed && !session->is_changed) {
            free_mark_locked(sessions, session);
        }
    }
    uv_mutex_unlock(&sessions->mutex);
    sessions->taken_count = 0;
}

void sessions_undo(struct sessions *sessions)
{
    if (sessions->taken_count == 0)
        return;
    uv_mutex_lock(&sessions->mutex);
    for (unsigned i = 0; i < sessions->taken_count; i++)
        session_changed_locked(sessions, sessions->taken[i].session);
    uv_mutex_unlock(&sessions->mutex);
    sessions->taken_count = 0;
}

static void expire_bucket_locked(struct sessions *sessions, unsigned bucket,
                                 int64_t before_ms, int64_t *oldest_ms)
{
    struct session *session = sessions->buckets[bucket];

    for (; session != NULL; session = session->next_in_bucket) {
        if (session->is_removed)
            continue;
        if (session->touched_ms < before_ms) {
            session_remove_locked(sessions, session);
        } else if (session->touched_ms < *oldest_ms) {
            *oldest_ms = session->touched_ms;
        }
    }
}

void sessions_expire(struct sessions *sessions, int64_t before_ms,
                     unsigned *cursor, int64_t *oldest_ms)
{
    uv_mutex_lock(&sessions->mutex);
    for (unsigned i = 0;
         i < BUCKETS_PER_SLICE && *cursor < sessions->bucket_count; i++)
        expire_bucket_locked(sessions, (*cursor)++, before_ms, oldest_ms);
    uv_mutex_unlock(&sessions->mutex);
    if (*cursor == sessions->bucket_count)
        *cursor = 0;
}
