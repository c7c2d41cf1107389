/* mailbox.h -- the only way by which one thread tells another something.
 *
 * Many writers, one reader, first in first out per writer. Bounded by count and
 * bytes. The reader takes everything at once and works outside the lock. A
 * wake-up is sent only when the box was empty.
 *
 * What *full* means is said by the header of each box's owner; post() only
 * tells the writer. Answers always have their place: whoever asks brings the
 * node for the reply, and mailbox_answer() does not count against the limit.
 *
 * Threads   post, answer, close, counters: any. take, wait: the one reader.
 * Memory    Messages are intrusive nodes; a posted message belongs to the box,
 *           a taken one to the reader. The posted pointer is nulled.
 * Units     Milliseconds (monotonic) and bytes.
 * Errors    ST_FULL no room.  ST_CLOSED the reader has gone.
 */
#ifndef TIDINGS_MAILBOX_H
#define TIDINGS_MAILBOX_H

#include <tidings/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct msg {
    struct msg *next;
    uint32_t bytes; /* what it counts against the limit; set before posting */
};

/* Called outside the lock after the box stopped being empty. */
typedef void mailbox_wake_fn(void *arg);

struct mailbox {
    const char *name;      /* fixed at init */
    unsigned limit_count;  /* fixed at init */
    size_t limit_bytes;    /* fixed at init */
    mailbox_wake_fn *wake; /* fixed at init; NULL: the reader uses wait() */
    void *wake_arg;        /* fixed at init */

    uv_mutex_t mutex;
    uv_cond_t filled; /* for wait() */
    uv_cond_t roomy;  /* for post_before() */
    struct {          /* guarded by mutex */
        struct msg *oldest, **tail;
        unsigned count;
        size_t bytes;
        uint64_t refused; /* posts answered ST_FULL, since init */
        unsigned waiting_writers;
        unsigned wanted; /* the reader sleeps until so many are there */
        bool closed;
    } shared;
};

void mailbox_init(struct mailbox *box, const char *name, unsigned limit_count,
                  size_t limit_bytes, mailbox_wake_fn *wake, void *wake_arg);

/* The box must be empty: the reader takes and disposes of the rest first. */
void mailbox_fini(struct mailbox *box);

/* Moves `*msg` into the box and nulls the pointer, or leaves it alone. */
enum status mailbox_post(struct mailbox *box, struct msg **msg) MUST_USE;

/* As post, but waits for room up to `wait_ms`: back-pressure for a thread that
 * may wait (never a crew thread). */
enum status mailbox_post_before(struct mailbox *box, struct msg **msg,
                                unsigned wait_ms) MUST_USE;

/* As post, for replies whose room was paid by the question: never ST_FULL. */
enum status mailbox_answer(struct mailbox *box, struct msg **msg) MUST_USE;

/* Everything that waits, oldest first, linked by `next`; NULL when nothing. */
struct msg *mailbox_take(struct mailbox *box);

/* As take, but waits up to `wait_ms` for the first message or the close. */
struct msg *mailbox_wait(struct mailbox *box, unsigned wait_ms);

/* As wait, and after the first message waits up to `patience_us` more until
 * `wanted` are there: for a reader to whom many cost hardly more than one. */
struct msg *mailbox_wait_for(struct mailbox *box, unsigned wait_ms,
                             unsigned wanted, unsigned patience_us);

/* Later posts get ST_CLOSED; what is inside stays for take(). Wakes the reader.
 */
void mailbox_close(struct mailbox *box);

unsigned mailbox_count(struct mailbox *box);
uint64_t mailbox_refused(struct mailbox *box);

#endif
