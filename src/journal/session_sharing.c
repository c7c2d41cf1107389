/* session_sharing.c -- what others know of the sessions here, and what they say.
 *
 *     crew threads   change a session: it is owed, once, whatever comes after
 *         |
 *         v
 *     who shares     takes it out of the list, asks what there is to tell, and
 *                    says when the stream has it; what has changed meanwhile is
 *                    owed anew
 *
 *     the journal    learns what the stream says, in the transaction that stores
 *                    how far the stream was read; so does who shares, when it
 *                    asked the stream for the newest message
 *
 * What is learned is merged: in one life of a name the greater positions hold,
 * and what is greater here stays owed. Of two lives the one in the stream holds,
 * for all instances will have that one; but a life that began here and is on its
 * way outlives the word that an earlier one has ended. And one that was told and
 * that nobody removed outlives one that began further on, by somebody who found
 * nothing: the stream keeps messages for a time only. All instances decide alike.
 *
 * A removal is never owed: it is in the stream before anything is removed.
 */
#include "session_inside.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <openssl/rand.h>

#define BIRTH_BITS      52
#define BUCKETS_AT_ONCE 4096

void session_name_set(struct session_name *name, struct text text)
{
    CHECK(text.length <= sizeof name->bytes);
    name->length = (uint8_t)text.length;
    memcpy(name->bytes, text.bytes, text.length);
}

uint64_t session_birth(void)
{
    uint64_t born;

    CHECK(RAND_bytes((unsigned char *)&born, sizeof born) == 1);
    return (born >> (64 - BIRTH_BITS)) + 1;
}

/* ---- what is owed -------------------------------------------------------- */

void session_owe_locked(struct sessions *sessions, struct session *session)
{
    if (sessions->tell_touch_ms == 0)
        return;
    session->change++;
    if (!session->is_owed)
        sessions->owed_count++;
    session->is_owed = true;
    if (!list_is_empty(&session->owed))
        return;
    sessions->must_wake = sessions->must_wake || list_is_empty(&sessions->owed);
    list_append(&sessions->owed, &session->owed);
}

void session_settle_debt_locked(struct sessions *sessions,
                                struct session *session)
{
    list_remove(&session->owed);
    if (session->is_owed)
        sessions->owed_count--;
    session->is_owed = false;
}

void sessions_unlock(struct sessions *sessions)
{
    const struct session_sharer *sharer = sessions->sharer;
    const bool wakes = sessions->must_wake;

    sessions->must_wake = false;
    uv_mutex_unlock(&sessions->mutex);
    if (wakes && sharer != NULL)
        sharer->wake(sharer->arg);
}

void sessions_owe(struct sessions *sessions, struct text name)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL)
        session_owe_locked(sessions, session);
    sessions->must_wake = false; /* the caller is who would be woken */
    uv_mutex_unlock(&sessions->mutex);
}

static bool is_kept(uint64_t version, const struct session_versions *kept,
                    unsigned kept_count)
{
    for (unsigned i = 0; i < kept_count; i++)
        if (version >= kept[i].from && version <= kept[i].upto)
            return true;
    return false;
}

void sessions_owe_lost(struct sessions *sessions,
                       const struct session_versions *kept, unsigned kept_count,
                       unsigned most, unsigned *cursor)
{
    unsigned owed = 0;

    uv_mutex_lock(&sessions->mutex);
    for (unsigned i = 0; i < BUCKETS_AT_ONCE && owed < most; i++) {
        struct session *session =
            sessions->buckets[*cursor % sessions->bucket_count];

        *cursor = (*cursor + 1) % sessions->bucket_count;
        for (; session != NULL; session = session->next_in_bucket) {
            if (session->is_removed || session->is_owed ||
                session->version == 0 ||
                is_kept(session->version, kept, kept_count))
                continue;
            session_owe_locked(sessions, session);
            owed++;
        }
    }
    sessions->must_wake = false; /* the caller is who would be woken */
    uv_mutex_unlock(&sessions->mutex);
}

unsigned sessions_take_owed(struct sessions *sessions,
                            struct session_name *names, unsigned room)
{
    unsigned count = 0;

    uv_mutex_lock(&sessions->mutex);
    while (count < room && !list_is_empty(&sessions->owed)) {
        struct session *session =
            CONTAINER_OF(sessions->owed.next, struct session, owed);

        list_remove(&session->owed);
        session_name_set(&names[count++], session_text(session));
    }
    uv_mutex_unlock(&sessions->mutex);
    return count;
}

unsigned sessions_count_owed(struct sessions *sessions)
{
    unsigned count;

    uv_mutex_lock(&sessions->mutex);
    count = sessions->owed_count;
    uv_mutex_unlock(&sessions->mutex);
    return count;
}

/* ---- telling ------------------------------------------------------------- */

enum status sessions_offer(struct sessions *sessions, struct text name,
                           struct session_offer *offer_out)
{
    const uint64_t born = session_birth();
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL) {
        if (session->born == 0) { /* from before there was a stream */
            session->born = born;
            session_owe_locked(sessions, session);
        }
        *offer_out = (struct session_offer){
            .state = {session->born, session->acked, session->written,
                      session->touched_ms, false, session->is_anew},
            .sequence = session->sequence,
            .change = session->change,
            .is_owed = session->is_owed,
            .is_told = session->is_told,
            .is_answered = session->sent > session->written};
    }
    sessions->must_wake = false;
    uv_mutex_unlock(&sessions->mutex);
    return session == NULL ? ST_NOT_FOUND : ST_OK;
}

static void note_told_locked(struct sessions *sessions, struct session *session,
                             const struct session_offer *offer,
                             uint64_t version, uint64_t sequence)
{
    if (version > session->version) {
        session->version = version;
        session->sequence = sequence;
    }
    session->is_ours = version > 0 && version == session->version;
    session->is_told = true;
    session->is_anew = offer->state.is_anew;
    if (offer->state.touched_ms > session->told_touched_ms)
        session->told_touched_ms = offer->state.touched_ms;
    if (offer->change == session->change)
        session_settle_debt_locked(sessions, session);
    session_changed_locked(sessions, session);
}

void sessions_told(struct sessions *sessions, struct text name,
                   const struct session_offer *offer, uint64_t version,
                   uint64_t sequence)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL && session->born == offer->state.born)
        note_told_locked(sessions, session, offer, version, sequence);
    uv_mutex_unlock(&sessions->mutex);
}

bool sessions_may_tell(struct sessions *sessions, struct text name,
                       int64_t now_ms, unsigned per_second)
{
    struct session *session;
    bool may = true;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL) {
        if (session->told_s != now_ms / 1000)
            session->told = 0;
        session->told_s = now_ms / 1000;
        may = session->told < per_second;
        session->told += may;
    }
    uv_mutex_unlock(&sessions->mutex);
    return may;
}

/* ---- learning ------------------------------------------------------------ */

static void replace_locked(struct sessions *sessions, struct session *session,
                           const struct session_state *state)
{
    session->acked = state->acked;
    session->written = session->sent = state->sent;
    session->born = state->born;
    session->is_told = true;
    session->is_anew = state->is_anew;
    session->touched_ms = session->told_touched_ms = state->touched_ms;
    session_settle_debt_locked(sessions, session);
}

static void merge_locked(struct sessions *sessions, struct session *session,
                         const struct session_state *state)
{
    const bool is_ahead =
        session->written > state->sent || session->acked > state->acked;

    session->born = state->born;
    session->is_told = true;
    session->is_anew = state->is_anew;
    if (state->acked > session->acked)
        session->acked = state->acked;
    if (state->sent > session->written)
        session->written = state->sent;
    if (session->sent < session->written)
        session->sent = session->written;
    if (state->touched_ms > session->touched_ms)
        session->touched_ms = state->touched_ms;
    session->told_touched_ms = state->touched_ms;
    if (!is_ahead)
        session_settle_debt_locked(sessions, session);
}

static void end_life_locked(struct sessions *sessions, struct session *session,
                            const struct session_state *state)
{
    if (session->is_removed ||
        (session->is_owed && session->born != state->born))
        return;
    session_remove_locked(sessions, session);
}

/* Another life, begun by somebody who did not find the one here? */
static bool survives_locked(const struct session *session,
                            const struct session_state *state)
{
    if (!session->is_told || session->born == state->born || state->is_anew ||
        seeded_bug("session-forgotten"))
        return false;
    return session->acked != state->acked ? session->acked < state->acked
                                          : session->born < state->born;
}

static enum status learn_locked(struct sessions *sessions,
                                const struct session_news *news,
                                int64_t since_ms)
{
    const struct session_state *state = &news->state;
    const struct text name = session_name_text(&news->name);
    struct session *session = session_find_any_locked(sessions, name);
    const bool is_here = session != NULL && !session->is_removed;

    if (session != NULL && news->version <= session->version) {
        if (news->version == session->version)
            session->sequence = news->sequence;
        return ST_OK;
    }
    if (state->is_removed) {
        if (session == NULL)
            return ST_OK;
        end_life_locked(sessions, session, state);
    } else if (is_here &&
               (session->born == state->born || session->born == 0)) {
        merge_locked(sessions, session, state);
    } else if (is_here && survives_locked(session, state)) {
        session_owe_locked(sessions, session);
    } else if (!is_here && state->touched_ms < since_ms) {
        return ST_OK;
    } else {
        session = session_open_locked(sessions, name);
        if (session == NULL)
            return ST_FULL;
        replace_locked(sessions, session, state);
    }
    session->is_ours = false;
    session->version = news->version;
    session->sequence = news->sequence;
    session_changed_locked(sessions, session);
    return ST_OK;
}

enum status sessions_learn(struct sessions *sessions,
                           const struct session_news *news, int64_t since_ms)
{
    enum status st;

    uv_mutex_lock(&sessions->mutex);
    st = learn_locked(sessions, news, since_ms);
    sessions_unlock(sessions);
    return st;
}

void sessions_hear(struct sessions *sessions, struct text name,
                   const struct session_state *state)
{
    struct session *session;

    uv_mutex_lock(&sessions->mutex);
    session = session_find_locked(sessions, name);
    if (session != NULL && session->born == state->born &&
        (state->acked > session->acked || state->sent > session->written)) {
        merge_locked(sessions, session, state);
        session_owe_locked(sessions, session);
        session_changed_locked(sessions, session);
    }
    sessions->must_wake = false; /* the caller is who would be woken */
    uv_mutex_unlock(&sessions->mutex);
}

/* ---- who shares ---------------------------------------------------------- */

void sessions_share(struct sessions *sessions,
                    const struct session_sharer *sharer)
{
    uv_mutex_lock(&sessions->mutex); /* the journal learns already */
    sessions->sharer = sharer;
    uv_mutex_unlock(&sessions->mutex);
}

bool sessions_are_shared(const struct sessions *sessions)
{
    return sessions->sharer != NULL &&
           sessions->sharer->takes(sessions->sharer->arg);
}

enum status sessions_post(void *sessions, struct publish **publish)
{
    const struct session_sharer *sharer =
        ((const struct sessions *)sessions)->sharer;

    return sharer != NULL ? sharer->post(sharer->arg, publish) : ST_CLOSED;
}
