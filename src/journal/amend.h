/* amend.h -- an event that was published by mistake: corrected, or withdrawn.
 *
 * Life, in one transaction: amend_look; the event that tells everybody is put
 * like any other; amend_rewrite.
 *
 * Threads   The journal's.
 * Memory    The event's amendment owns what amend_look makes.
 * Units     Ids; bytes as stored.
 * Errors    Refusals, nothing is changed yet: ST_NOT_FOUND not there, or of
 *           another channel; ST_RESERVED it is one of Tidings' own;
 *           ST_WITHDRAWN there is nothing left to correct; ST_CORRUPT it is
 *           damaged. ST_NO_SPACE, ST_IO from LMDB: the transaction must be
 *           undone.
 */
#ifndef JOURNAL_AMEND_H
#define JOURNAL_AMEND_H

#include "journal_state.h"
#include "record.h"

/* What is to be stored in the event's place. */
struct amending {
    struct record record; /* looks into the publisher's event and into `type` */
    char type[UINT8_MAX];
    uint64_t old_bytes; /* of what is stored there now */
};

/* Finds the event that `event` amends, and makes the one that tells everybody:
 * event->amends->event. If what is in force says the same already, nothing is
 * to be done: event->is_duplicate, with the id of what said so. */
enum status amend_look(struct journal *journal, struct event *event,
                       struct amending *amending_out) MUST_USE;

/* Stores it, told by the event `by`. */
enum status amend_rewrite(struct journal *journal, const struct event *event,
                          uint64_t by, struct amending *amending) MUST_USE;

#endif
