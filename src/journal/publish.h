/* publish.h -- the writer's side of publishes and batches.
 *
 * Threads   The journal's.
 * Memory    An answered publish is its asker's. A batch starts with one
 *           reference, the maker's.
 * Units     Ids.
 * Errors    None.
 */
#ifndef JOURNAL_PUBLISH_H
#define JOURNAL_PUBLISH_H

#include <tidings/journal.h>

struct publish *publish_of(struct msg *msg);

/* Says the outcome; the publish is gone then. */
void publish_answer(struct publish *publish, enum status result);

struct batch *batch_create(struct event *const *events, unsigned count,
                           uint64_t after_id);

#endif
