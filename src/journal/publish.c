/* publish.c -- what publishers hand over, and what listeners get.
 *
 * A publish is one block with its list of events: the asker fills it in, posts
 * it, and gets the same block back in its answer. It carries the mailbox's
 * node, so an answer can be sent on without memory that might be missing.
 *
 * A batch is made once per commit and shared by count among all listeners; it
 * holds one reference to each of its events, whose last holder frees them.
 */
#include "publish.h"

#include "journal_state.h"

#include <tidings/check.h>
#include <tidings/list.h>
#include <tidings/session_sharing.h>

#include <stdlib.h>

/* Memory of an event beside its text, about: for the mailbox's limit. */
#define EVENT_OVERHEAD_BYTES (sizeof(struct event) + sizeof(void *) + 16)

struct publish *publish_create(unsigned count)
{
    struct publish *publish =
        must_calloc(1, sizeof *publish + count * sizeof publish->events[0]);

    publish->count = count;
    return publish;
}

void publish_destroy(struct publish **publish)
{
    struct publish *mine = *publish;

    *publish = NULL;
    if (mine == NULL)
        return;
    for (unsigned i = 0; i < mine->count; i++)
        event_unref(&mine->events[i]);
    source_step_destroy(&mine->step);
    free(mine->session);
    free(mine);
}

struct publish *publish_of(struct msg *msg)
{
    return CONTAINER_OF(msg, struct publish, link);
}

void publish_answer(struct publish *publish, enum status result)
{
    publish->result = result;
    if (publish->answer != NULL)
        publish->answer(publish);
    else
        publish_destroy(&publish);
}

static uint32_t publish_bytes(const struct publish *publish)
{
    size_t bytes = sizeof *publish;

    if (publish->step != NULL)
        bytes += sizeof *publish->step + publish->step->row_bytes +
                 publish->step->news_count * sizeof publish->step->news[0];
    for (unsigned i = 0; i < publish->count; i++) {
        const struct event *event = publish->events[i];

        CHECK(event != NULL);
        bytes += EVENT_OVERHEAD_BYTES + event->channel_bytes +
                 event->type_bytes + event->data_bytes + event->key_bytes;
    }
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/* The node's address is the publish's, so a nulled node is a nulled publish. */
static enum status post(struct journal *journal, struct publish **publish,
                        unsigned wait_ms)
{
    struct msg *msg = &(*publish)->link;
    enum status st;

    CHECK(!journal->environment.is_read_only);
    msg->bytes = publish_bytes(*publish);
    st = wait_ms > 0 ? mailbox_post_before(&journal->mailbox, &msg, wait_ms)
                     : mailbox_post(&journal->mailbox, &msg);
    if (st == ST_OK)
        *publish = NULL;
    return st;
}

enum status journal_post(struct journal *journal, struct publish **publish)
{
    return post(journal, publish, 0);
}

enum status journal_post_before(struct journal *journal,
                                struct publish **publish, unsigned wait_ms)
{
    return post(journal, publish, wait_ms);
}

/* ---- batches ------------------------------------------------------------- */

struct batch *batch_create(struct event *const *events, unsigned count,
                           uint64_t after_id)
{
    struct batch *batch =
        must_malloc(sizeof *batch + count * sizeof batch->events[0]);

    CHECK(count > 0);
    atomic_init(&batch->references, 1);
    batch->after_id = after_id;
    batch->last_id = events[count - 1]->id;
    batch->count = count;
    for (unsigned i = 0; i < count; i++)
        batch->events[i] = event_ref(events[i]);
    return batch;
}

struct batch *batch_ref(struct batch *batch)
{
    const unsigned before =
        atomic_fetch_add_explicit(&batch->references, 1, memory_order_relaxed);

    CHECK(before > 0);
    return batch;
}

void batch_unref(struct batch **batch)
{
    struct batch *mine = *batch;
    unsigned before;

    *batch = NULL;
    if (mine == NULL)
        return;
    before =
        atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before > 1)
        return;
    for (unsigned i = 0; i < mine->count; i++)
        event_unref(&mine->events[i]);
    free(mine);
}
