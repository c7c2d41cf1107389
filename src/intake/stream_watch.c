/* stream_watch.c -- is it still the stream that was read?
 *
 * A stream can be purged, deleted and made again, restored from a backup, or come
 * back from a power cut without its newest messages. Then sequences mean other
 * messages than before, and a follower that only counts would lose some or give
 * an id twice. So before each consumer is made the stream is looked at:
 *
 *   made at another time         another stream: its ids begin at its own base
 *   ends before the position     rewound; of several copies, if it stays so
 *   another message stands at    rewound: its time or checksum differs from what
 *   the position                 is stored
 *   begins behind the position   what lies between is gone and was never read:
 *                                clients are told (trimmed)
 *
 * Of a rewound follower, what it had before is older than the newest message that
 * was read, and what it got since is newer. So the reading goes on with the first
 * message that is newer, wherever it stands, and its time makes the base of a new
 * epoch of ids. Who has seen the lost tail computes the same; for those who have
 * not, a note with all epochs is left in the follower, which everybody reads at
 * each look.
 *
 * Ids only rise: if those that would come are not above all that were given, the
 * stream is not followed, and that is said until somebody does something.
 */
#include "base/seeded_bug.h"
#include "follower_inside.h"
#include "nats_link.h"
#include "nats_metrics.h"
#include "session_message.h"

#include <tidings/check.h>
#include <tidings/clock.h>

#include <stdio.h>

#define GLANCE_MS     1000
#define ANSWER_MS     2000
#define SUSPEND_MS    1000  /* so long a question may be unanswered */
#define SUSPENDED_MS  200   /* between two glances then */
#define UNANSWERED_MS 10000 /* and so long it is no alarm */
#define SILENCE_MS    4000  /* the server has more, and does not send it */
#define DOUBT_MS      20000
#define NS_PER_MS     1000000

/* Has read what the stream has lost, and nothing since. */
bool follower_has_lost_tail(const struct follower *follower)
{
    return follower->epoch_after_ns != 0 && follower->begins_anywhere;
}

void follower_say(const struct follower *follower, enum log_level level,
                  const char *what)
{
    LOG_LINE(level, "nats", what, LOG_STR("stream", follower->name),
             LOG_NUM("sequence", follower->at.sequence),
             LOG_NUM("newest_id", follower->newest_id));
}

/* A state that is news is logged. */
void follower_become(struct follower *follower, enum follower_state state)
{
    const int before = atomic_exchange(&follower->state, (int)state);
    const bool is_error = state == FOLLOWER_FALLING ||
                          state == FOLLOWER_MISSING || state == FOLLOWER_SEALED;

    if (state == FOLLOWER_FALLING || state == FOLLOWER_MISSING ||
        state == FOLLOWER_REFUSED) /* what it takes shows when it is there */
        atomic_store(&follower->takes_sessions, TAKING_UNKNOWN);
    if (before == (int)state)
        return;
    nats_set(METRIC_stream_alarm, follower_alarm(follower) != NULL);
    LOG_LINE(is_error ? LOG_ERROR : LOG_INFO, "nats", "stream",
             LOG_STR("stream", follower->name),
             LOG_STR("state", follower_state_text(follower)),
             LOG_NUM("sequence", follower->at.sequence));
}

/* ---- making it ----------------------------------------------------------- */

static void configure(const struct config *config, jsStreamConfig *wish,
                      const char **subject)
{
    CHECK(jsStreamConfig_Init(wish) == NATS_OK);
    wish->Name = config->stream;
    wish->Subjects = subject;
    wish->SubjectsLen = 1;
    wish->Storage = js_FileStorage;
    wish->Retention = js_LimitsPolicy;
    wish->Discard = js_DiscardOld;
    wish->Replicas = config->stream_replicas;
    wish->MaxAge = config->keep_age_ms * NS_PER_MS;
    wish->MaxBytes = config->keep_bytes > 0 ? config->keep_bytes : -1;
    wish->Duplicates = config->dedup_window_ms * NS_PER_MS;
    if (wish->MaxAge > 0 && wish->Duplicates > wish->MaxAge)
        wish->Duplicates = wish->MaxAge;
}

static bool create(struct follower *follower)
{
    char subject[256];
    const char *subjects[] = {subject};
    jsStreamConfig wish;
    natsStatus status;

    (void)snprintf(subject, sizeof subject, "%.*s.>",
                   TEXT_ARGS(follower->options.rules.prefix));
    configure(follower->options.config, &wish, subjects);
    status = js_AddStream(NULL, follower->js, &wish, NULL, NULL);
    LOG_LINE(status == NATS_OK ? LOG_INFO : LOG_ERROR, "nats",
             status == NATS_OK ? "stream made" : "the stream cannot be made",
             LOG_STR("stream", follower->name), LOG_STR("subjects", subject),
             LOG_STR("result", nats_GetLastError(NULL) != NULL
                                   ? nats_GetLastError(NULL)
                                   : natsStatus_GetText(status)));
    return status == NATS_OK;
}

/* ---- looking ------------------------------------------------------------- */

static bool is_away(const struct follower *follower)
{
    return nats_link_generation(follower->options.link) % 2 == 0;
}

/* A stream that elects a leader is silent for some seconds, which is no news. */
static void note_silence(struct follower *follower)
{
    uint64_t suppressed;

    if (is_away(follower)) {
        follower_become(follower, FOLLOWER_AWAY);
        return;
    }
    if (follower_unanswered_ms(follower) < UNANSWERED_MS)
        return;
    follower_become(follower, FOLLOWER_SILENT);
    if (logger_may(&follower->troubles, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "nats", "nobody answers for the stream",
                 LOG_STR("stream", follower->name),
                 LOG_NUM("for_ms", follower_unanswered_ms(follower)));
}

static natsStatus ask_now(struct follower *follower, jsStreamInfo **info_out)
{
    jsErrCode code = (jsErrCode)0;
    const natsStatus status =
        js_GetStreamInfo(info_out, follower->js, follower->name, NULL, &code);
    uint64_t suppressed;

    if (status == NATS_OK)
        return status;
    follower->shorter_since_ms = 0;
    if (status == NATS_TIMEOUT) {
        note_silence(follower);
        return status;
    }
    if (status == NATS_NOT_FOUND || code == JSStreamNotFoundErr) {
        follower_become(follower, FOLLOWER_MISSING);
        return status;
    }
    follower_become(follower,
                    is_away(follower) ? FOLLOWER_AWAY : FOLLOWER_REFUSED);
    if (logger_may(&follower->troubles, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "nats", "the stream cannot be looked at",
                 LOG_STR("stream", follower->name),
                 LOG_STR("why", natsStatus_GetText(status)),
                 LOG_NUM("code", code));
    return status;
}

static bool ask(struct follower *follower, jsStreamInfo **info_out)
{
    if (follower_await_answer(follower, ANSWER_MS))
        return ask_now(follower, info_out) == NATS_OK;
    follower->shorter_since_ms = 0;
    note_silence(follower);
    return false;
}

static void be_missing(struct follower *follower, uint64_t upto)
{
    const uint64_t id = stream_id(&follower->at, upto);

    if (id > follower->missing_id)
        follower->missing_id = id;
}

/* What came between the position and the stream's first message is gone. */
static void pass_hole(struct follower *follower, const jsStreamInfo *info)
{
    const uint64_t first = info->State.FirstSeq;
    struct stream_position *at = &follower->at;

    if (first <= at->sequence + 1)
        return;
    be_missing(follower, first - 1);
    if (at->message_ns != 0) {
        nats_count(METRIC_stream_missing, 1);
        follower_say(follower, LOG_WARN,
                     "the stream no longer has what was not read yet");
        if (first > info->State.LastSeq &&
            info->State.LastTime > at->message_ns)
            at->message_ns = info->State.LastTime;
    }
    at->sequence = first - 1;
}

/* A stream that was never met, or another one. */
static bool begin_stream(struct follower *follower, const jsStreamInfo *info,
                         struct follower_begin *begin)
{
    struct stream_position fresh = {.created_ns = info->Created,
                                    .event_ms = follower->at.event_ms,
                                    .rewinds = follower->at.rewinds};
    const bool is_first = follower->at.created_ns == 0;

    if (stream_base(info->Created) + 1 <= follower->newest_id) {
        follower_become(follower, FOLLOWER_FALLING);
        return false;
    }
    stream_begin_epoch(&fresh, 1, stream_base(info->Created));
    if (!is_first) {
        nats_count(METRIC_stream_recreations, 1);
        follower_say(follower, LOG_ERROR,
                     "there is another stream of that name");
        follower->rewound_after = follower->newest_id;
        follower->rewound_upto = fresh.epochs[0].base;
    }
    follower->at = fresh;
    if (is_first &&
        strcmp(follower->options.config->stream_start, "new") == 0) {
        follower->at.sequence = info->State.LastSeq;
        be_missing(follower, info->State.LastSeq);
    } else if (is_first && follower->since_ns != 0) {
        begin->time_ns = follower->since_ns;
        follower->begins_anywhere = true;
    }
    return true;
}

/* Is the message at the position still the one that was read? One that is
 * deleted says nothing. */
static bool is_same_message(struct follower *follower,
                            const struct stream_position *at,
                            bool *is_known_out)
{
    natsMsg *msg = NULL;
    jsErrCode code = (jsErrCode)0;
    bool is_same = true;
    const natsStatus status = js_GetMsg(&msg, follower->js, follower->name,
                                        at->sequence, NULL, &code);

    *is_known_out = status == NATS_OK || status == NATS_NOT_FOUND ||
                    code == JSNoMessageFoundErr;
    if (status != NATS_OK)
        return true;
    is_same = natsMsg_GetTime(msg) == at->message_ns &&
              stream_hash(text_of(natsMsg_GetSubject(msg)),
                          message_data(msg)) == at->hash;
    natsMsg_Destroy(msg);
    return is_same;
}

/* What is newer than the newest lost message is of a new epoch. Said once for
 * each rewind, however often it is looked at. */
static void expect_epoch(struct follower *follower, int64_t after_ns,
                         const char *what)
{
    if (follower->epoch_after_ns < after_ns)
        follower->epoch_after_ns = after_ns;
    atomic_store(&follower->was_rewound, true);
    if (after_ns <= follower->rewind_said_ns)
        return;
    follower->rewind_said_ns = after_ns;
    follower->at.rewinds++;
    nats_count(METRIC_stream_rewinds, 1);
    follower_say(follower, LOG_ERROR, what);
}

/* Without the time of what is lost: what is there now is taken as older than it. */
static void note_rewind(struct follower *follower, const jsStreamInfo *info,
                        struct follower_begin *begin)
{
    begin->time_ns = follower->at.message_ns;
    if (begin->time_ns == 0)
        begin->time_ns = info->State.LastTime > info->Created
                             ? info->State.LastTime
                             : info->Created;
    follower->begins_anywhere = true;
    expect_epoch(follower, begin->time_ns,
                 "the stream was rewound: it has lost what was read from it");
}

/* The position is the stream's end, and was not read: passed over at the start, or
 * too old to be had. Others come back to that sequence after a rewind, so it is
 * noted what stands there, or at least when it came. False: ask again. */
static bool date_position(struct follower *follower, const jsStreamInfo *info)
{
    struct stream_position *at = &follower->at;
    natsMsg *msg = NULL;
    jsErrCode code = (jsErrCode)0;
    natsStatus status;

    if (at->message_ns != 0 || at->sequence == 0 ||
        at->sequence != info->State.LastSeq || seeded_bug("position-undated"))
        return true;
    status = js_GetMsg(&msg, follower->js, follower->name, at->sequence, NULL,
                       &code);
    if (status == NATS_OK) {
        at->message_ns = natsMsg_GetTime(msg);
        at->hash =
            stream_hash(text_of(natsMsg_GetSubject(msg)), message_data(msg));
    } else if (status == NATS_NOT_FOUND || code == JSNoMessageFoundErr) {
        at->message_ns = info->State.LastTime > info->Created
                             ? info->State.LastTime
                             : info->Created;
    }
    natsMsg_Destroy(msg);
    return at->message_ns != 0;
}

/* Others have read more than this one: is that still there? */
static bool compare_with_furthest(struct follower *follower,
                                  const jsStreamInfo *info)
{
    const struct stream_position *furthest =
        peers_furthest(&follower->peers, info->Created);
    bool is_known = true;
    bool is_there = true;

    if (furthest->created_ns != info->Created || furthest->message_ns == 0 ||
        seeded_bug("peers-unheard"))
        return true;
    follower_adopt(follower, furthest);
    if (!stream_is_further(furthest, &follower->at))
        return true;
    if (info->State.LastSeq < furthest->sequence)
        is_there = info->Config != NULL && info->Config->Replicas > 1;
    else if (info->State.FirstSeq <= furthest->sequence)
        is_there = is_same_message(follower, furthest, &is_known);
    if (!is_there)
        expect_epoch(follower, furthest->message_ns,
                     "the stream was rewound: it has lost what other "
                     "instances have read from it");
    return is_known;
}

/* It ends before the position. A server that has just become the leader of
 * several copies may not have put in all that was agreed upon: its word counts
 * when it has said so for DOUBT_MS on end. One copy has nothing to catch up with.
 */
static bool is_surely_shorter(struct follower *follower,
                              const jsStreamInfo *info)
{
    const int64_t now_ms = clock_monotonic_ms(&system_clock);

    if (info->Config == NULL || info->Config->Replicas <= 1 ||
        seeded_bug("short-word-believed"))
        return true;
    if (follower->shorter_since_ms == 0) {
        follower->shorter_since_ms = now_ms;
        follower_say(
            follower, LOG_WARN,
            "the stream ends before what was read from it: its leader may be "
            "behind, or it was rewound");
    }
    return now_ms - follower->shorter_since_ms >= DOUBT_MS;
}

/* The same stream: with the same messages? False: ask again. */
static bool go_on(struct follower *follower, const jsStreamInfo *info,
                  struct follower_begin *begin)
{
    const struct stream_position *at = &follower->at;
    const bool is_shorter = info->State.LastSeq < at->sequence;
    bool is_known = true;

    if (at->message_ns == 0 && !is_shorter)
        return true;
    if (is_shorter && !is_surely_shorter(follower, info))
        return false;
    follower->shorter_since_ms = 0;
    if (is_shorter || (info->State.FirstSeq <= at->sequence &&
                       !is_same_message(follower, at, &is_known)))
        note_rewind(follower, info, begin);
    return is_known;
}

/* ---- the whole look ------------------------------------------------------ */

static bool is_same_stream(const struct follower *follower,
                           const jsStreamInfo *info)
{
    return info->Created == follower->at.created_ns ||
           (follower->at.created_ns != 0 &&
            seeded_bug("stream-sequence-alone"));
}

/* Those that an epoch which is awaited will give are not known yet. */
static bool ids_will_rise(struct follower *follower)
{
    const struct stream_position *at = &follower->at;

    if (follower->epoch_after_ns != 0 || follower->begins_anywhere ||
        at->sequence + 1 < at->epochs[0].from ||
        stream_id(at, at->sequence + 1) > follower->newest_id)
        return true;
    follower_become(follower, FOLLOWER_FALLING);
    return false;
}

static bool compare(struct follower *follower, const jsStreamInfo *info,
                    struct follower_begin *begin)
{
    const bool is_other = !is_same_stream(follower, info);

    if (is_other ? !begin_stream(follower, info, begin)
                 : !go_on(follower, info, begin))
        return false;
    if (begin->time_ns == 0)
        pass_hole(follower, info);
    begin->sequence = follower->at.sequence + 1;
    if (!follower_has_lost_tail(follower) && !follower_find_note(follower))
        return false;
    return compare_with_furthest(follower, info) && ids_will_rise(follower) &&
           date_position(follower, info);
}

static const char *leader_of(const jsStreamInfo *info)
{
    return info->Cluster != NULL && info->Cluster->Leader != NULL
               ? info->Cluster->Leader
               : "";
}

/* Messages about sessions have subjects of their own. */
static void note_sessions(struct follower *follower, const jsStreamConfig *made)
{
    const bool takes = session_subject_is_covered(
        follower->options.rules.prefix, made->Subjects,
        made->SubjectsLen > 0 ? (unsigned)made->SubjectsLen : 0);

    atomic_store(&follower->takes_sessions, takes ? TAKING_ALL : TAKING_NONE);
    if (takes || follower->is_warned)
        return;
    follower->is_warned = true;
    LOG_LINE(LOG_WARN, "nats",
             "the stream's subjects do not have those of sessions: each "
             "instance keeps sessions by itself",
             LOG_STR("stream", follower->name),
             LOG_TXT("prefix", follower->options.rules.prefix),
             LOG_STR("missing", SESSION_SUBJECT_PART "*"));
}

static void note_figures(struct follower *follower, const jsStreamInfo *info)
{
    if (info->Config != NULL)
        note_sessions(follower, info->Config);
    follower->stream_last = info->State.LastSeq;
    atomic_store(&follower->first, info->State.FirstSeq);
    follower->is_sealed = info->Config != NULL && info->Config->Sealed;
    (void)snprintf(follower->leader, sizeof follower->leader, "%s",
                   leader_of(info));
    follower->look_due_ms = clock_monotonic_ms(&system_clock) +
                            (follower->is_suspended ? SUSPENDED_MS : GLANCE_MS);
}

bool follower_look(struct follower *follower, struct follower_begin *begin_out)
{
    struct follower_begin begin = {0};
    jsStreamInfo *info = NULL;
    bool may_read;

    if (atomic_load(&follower->state) == FOLLOWER_AWAY)
        follower_become(follower, FOLLOWER_LOOKING);
    if (!ask(follower, &info)) {
        if (atomic_load(&follower->state) != FOLLOWER_MISSING ||
            !follower->options.config->stream_create || !create(follower) ||
            !ask(follower, &info))
            return false;
    }
    note_figures(follower, info);
    may_read = compare(follower, info, &begin);
    jsStreamInfo_Destroy(info);
    *begin_out = begin;
    return may_read;
}

/* ---- while it is read ---------------------------------------------------- */

/* Sequences were not there: deleted one by one, or gone because they were old? */
static void settle_doubt(struct follower *follower, const jsStreamInfo *info)
{
    const uint64_t first = info->State.FirstSeq;

    if (follower->doubted != 0 && first > follower->doubted) {
        be_missing(follower, first <= follower->at.sequence
                                 ? first - 1
                                 : follower->at.sequence);
        nats_count(METRIC_stream_missing, 1);
        follower_say(follower, LOG_WARN,
                     "the stream no longer had what was not read yet");
        follower_post_position(follower);
    }
    follower->doubted = 0;
}

/* The server has more and does not send it: once for each end, as what was
 * deleted there will never come. */
static bool is_silent(struct follower *follower, const jsStreamInfo *info,
                      int64_t now_ms)
{
    if (info->State.LastSeq <= follower->at.sequence ||
        info->State.LastSeq == follower->nudged_at ||
        now_ms - follower->heard_ms < SILENCE_MS)
        return false;
    follower->nudged_at = info->State.LastSeq;
    return true;
}

/* May it be read on from the consumer that there is? While a new leader's word is
 * doubted, or the message at the position cannot be had, not yet. */
static bool is_well(struct follower *follower, const jsStreamInfo *info,
                    bool is_suspect)
{
    const int64_t now_ms = clock_monotonic_ms(&system_clock);
    bool is_known = true;

    if (!is_same_stream(follower, info))
        return false;
    if (follower_has_lost_tail(follower) || follower->at.sequence == 0) {
        follower->is_suspended = false; /* nothing to compare with */
        return true;
    }
    if (info->State.LastSeq < follower->at.sequence) {
        follower->is_suspended = true;
        follower_hide(follower);
        return !is_surely_shorter(follower, info);
    }
    if (follower->shorter_since_ms != 0)
        follower_show(follower); /* the leader has caught up */
    follower->shorter_since_ms = 0;
    if (is_suspect && follower->at.message_ns != 0 &&
        info->State.FirstSeq <= follower->at.sequence &&
        !is_same_message(follower, &follower->at, &is_known))
        return false;
    if (follower->is_suspended && is_known)
        follower->heard_ms = now_ms; /* it was not listened to */
    follower->is_suspended = !is_known;
    return !is_silent(follower, info, now_ms);
}

/* Once in GLANCE_MS. Nobody waits for the answer: what the consumer sends is taken
 * meanwhile. But a stream that does not answer may be electing a leader, and what
 * a new one has is taken only when it was compared with what was read. The consumer
 * is kept for that: one that lives on another server goes on at once. */
bool follower_glance(struct follower *follower)
{
    jsStreamInfo *info = NULL;
    natsStatus status;
    bool goes_on;

    peers_listen(follower);
    if (follower->owes_note)
        follower_leave_note(follower);
    if (clock_monotonic_ms(&system_clock) < follower->look_due_ms)
        return true;
    if (!follower_probe(follower, 0)) {
        if (follower_unanswered_ms(follower) >= SUSPEND_MS &&
            !seeded_bug("silence-unheeded"))
            follower->is_suspended = true;
        if (follower->is_suspended)
            note_silence(follower);
        return true;
    }
    status = ask_now(follower, &info);
    if (status == NATS_TIMEOUT)
        follower->is_suspended = true;
    if (status != NATS_OK)
        return status == NATS_TIMEOUT;
    goes_on = is_well(follower, info,
                      follower->is_suspended ||
                          strcmp(follower->leader, leader_of(info)) != 0);
    note_figures(follower, info);
    if (goes_on)
        settle_doubt(follower, info);
    jsStreamInfo_Destroy(info);
    return goes_on;
}
