/* mailbox.c -- many writers, one reader, one lock held for a few instructions.
 *
 * A post appends a node to a singly linked list; a take cuts the whole list off
 * and leaves an empty one. So the lock is held for a handful of stores whatever
 * the number of messages, and the reader works outside it.
 *
 * Only the post that finds the box empty wakes the reader, after it let the
 * lock go: while the reader is behind, nobody pays for wake-ups. Nothing can be
 * missed, since a reader that was woken takes everything, and what comes after
 * the cut finds the box empty again.
 *
 * Room is counted by messages and bytes; both are given back at the take, not
 * when the reader is done, so "full" speaks of what nobody has looked at yet.
 * The first message of an empty box is always let in, whatever its size:
 * refused, it would be refused for ever. Answers are not counted at all.
 *
 * A writer that may wait (post_before) sleeps on `roomy`, which take and close
 * signal only if somebody sleeps there.
 *
 * The box must outlive its writers: a wake-up happens outside the lock.
 */
#include <tidings/check.h>
#include <tidings/mailbox.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)

void mailbox_init(struct mailbox *box, const char *name, unsigned limit_count,
                  size_t limit_bytes, mailbox_wake_fn *wake, void *wake_arg)
{
    CHECK(limit_count > 0);
    box->name = name;
    box->limit_count = limit_count;
    box->limit_bytes = limit_bytes;
    box->wake = wake;
    box->wake_arg = wake_arg;
    CHECK(uv_mutex_init(&box->mutex) == 0);
    CHECK(uv_cond_init(&box->filled) == 0);
    CHECK(uv_cond_init(&box->roomy) == 0);
    box->shared.oldest = NULL;
    box->shared.tail = &box->shared.oldest;
    box->shared.count = 0;
    box->shared.bytes = 0;
    box->shared.refused = 0;
    box->shared.waiting_writers = 0;
    box->shared.wanted = 0;
    box->shared.closed = false;
}

void mailbox_fini(struct mailbox *box)
{
    CHECK(box->shared.oldest == NULL);
    CHECK(box->shared.waiting_writers == 0);
    uv_cond_destroy(&box->roomy);
    uv_cond_destroy(&box->filled);
    uv_mutex_destroy(&box->mutex);
}

static void wake_reader(struct mailbox *box)
{
    if (box->wake != NULL)
        box->wake(box->wake_arg);
    else
        uv_cond_signal(&box->filled);
}

static bool is_full_locked(const struct mailbox *box, const struct msg *msg)
{
    if (box->shared.count == 0)
        return false;
    return box->shared.count >= box->limit_count ||
           box->shared.bytes + msg->bytes > box->limit_bytes;
}

/* Says whether the reader is to be woken: the box was empty. */
static bool append_locked(struct mailbox *box, struct msg **msg)
{
    const bool was_empty = box->shared.oldest == NULL;

    (*msg)->next = NULL;
    *box->shared.tail = *msg;
    box->shared.tail = &(*msg)->next;
    *msg = NULL; /* it is the mailbox's now */
    return was_empty;
}

/* Or as many are there as it sleeps for. */
static bool append_counted_locked(struct mailbox *box, struct msg **msg)
{
    box->shared.count += 1;
    box->shared.bytes += (*msg)->bytes;
    return append_locked(box, msg) ||
           (box->shared.wanted > 0 && box->shared.count == box->shared.wanted);
}

/* Sleeps until there is room, the box is closed or the time is over. */
static void await_room_locked(struct mailbox *box, const struct msg *msg,
                              unsigned wait_ms)
{
    const uint64_t deadline = uv_hrtime() + wait_ms * NS_PER_MS;
    uint64_t now = uv_hrtime();

    box->shared.waiting_writers += 1;
    while (!box->shared.closed && is_full_locked(box, msg) && now < deadline) {
        (void)uv_cond_timedwait(&box->roomy, &box->mutex, deadline - now);
        now = uv_hrtime();
    }
    box->shared.waiting_writers -= 1;
}

enum status mailbox_post_before(struct mailbox *box, struct msg **msg,
                                unsigned wait_ms)
{
    enum status st = ST_OK;
    bool was_empty = false;

    uv_mutex_lock(&box->mutex);
    if (!box->shared.closed && is_full_locked(box, *msg))
        await_room_locked(box, *msg, wait_ms);
    if (box->shared.closed) {
        st = ST_CLOSED;
    } else if (is_full_locked(box, *msg)) {
        box->shared.refused += 1;
        st = ST_FULL;
    } else {
        was_empty = append_counted_locked(box, msg);
    }
    uv_mutex_unlock(&box->mutex);

    if (was_empty)
        wake_reader(box);
    return st;
}

enum status mailbox_post(struct mailbox *box, struct msg **msg)
{
    return mailbox_post_before(box, msg, 0);
}

enum status mailbox_answer(struct mailbox *box, struct msg **msg)
{
    enum status st = ST_OK;
    bool was_empty = false;

    uv_mutex_lock(&box->mutex);
    if (box->shared.closed)
        st = ST_CLOSED;
    else
        was_empty = append_locked(box, msg);
    uv_mutex_unlock(&box->mutex);

    if (was_empty)
        wake_reader(box);
    return st;
}

static struct msg *cut_locked(struct mailbox *box)
{
    struct msg *oldest = box->shared.oldest;

    box->shared.oldest = NULL;
    box->shared.tail = &box->shared.oldest;
    box->shared.count = 0;
    box->shared.bytes = 0;
    if (box->shared.waiting_writers > 0)
        uv_cond_broadcast(&box->roomy);
    return oldest;
}

struct msg *mailbox_take(struct mailbox *box)
{
    struct msg *oldest;

    uv_mutex_lock(&box->mutex);
    oldest = cut_locked(box);
    uv_mutex_unlock(&box->mutex);
    return oldest;
}

/* Sleeps until `wanted` are there, the box is closed or the time is over. */
static void sleep_locked(struct mailbox *box, unsigned wanted, uint64_t wait_ns)
{
    uint64_t now = uv_hrtime();
    const uint64_t deadline = now + wait_ns;

    box->shared.wanted = wanted;
    while ((box->shared.oldest == NULL || box->shared.count < wanted) &&
           !box->shared.closed && now < deadline) {
        (void)uv_cond_timedwait(&box->filled, &box->mutex, deadline - now);
        now = uv_hrtime();
    }
    box->shared.wanted = 0;
}

struct msg *mailbox_wait_for(struct mailbox *box, unsigned wait_ms,
                             unsigned wanted, unsigned patience_us)
{
    struct msg *oldest;

    CHECK(box->wake == NULL); /* else nobody signals `filled` */
    uv_mutex_lock(&box->mutex);
    if (box->shared.oldest == NULL)
        sleep_locked(box, 0, wait_ms * NS_PER_MS);
    if (box->shared.oldest != NULL && box->shared.count < wanted)
        sleep_locked(box, wanted, patience_us * NS_PER_US);
    oldest = cut_locked(box);
    uv_mutex_unlock(&box->mutex);
    return oldest;
}

struct msg *mailbox_wait(struct mailbox *box, unsigned wait_ms)
{
    return mailbox_wait_for(box, wait_ms, 0, 0);
}

void mailbox_close(struct mailbox *box)
{
    uv_mutex_lock(&box->mutex);
    box->shared.closed = true;
    uv_cond_broadcast(&box->roomy);
    uv_mutex_unlock(&box->mutex);
    wake_reader(box);
}

unsigned mailbox_count(struct mailbox *box)
{
    unsigned count;

    uv_mutex_lock(&box->mutex);
    count = box->shared.count;
    uv_mutex_unlock(&box->mutex);
    return count;
}

uint64_t mailbox_refused(struct mailbox *box)
{
    uint64_t refused;

    uv_mutex_lock(&box->mutex);
    refused = box->shared.refused;
    uv_mutex_unlock(&box->mutex);
    return refused;
}
