/* outbox.c -- slices of shared bytes, written many at a time.
 *
 * The slices are a ring: two inside the struct, then an array that doubles. One
 * writev takes up to sixty-four of them: the kernel's cost of a write is nearly
 * all per call, so what waits goes out together.
 */
#include "outbox.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum { SLICES_PER_WRITE = 64, WRITES_PER_TURN = 8 };

void outbox_init(struct outbox *outbox)
{
    memset(outbox, 0, sizeof *outbox);
    outbox->capacity = OUTBOX_INSIDE;
}

static struct outbox_slice *slice_at(struct outbox *outbox, unsigned index)
{
    struct outbox_slice *slices =
        outbox->outside != NULL ? outbox->outside : outbox->inside;

    return &slices[(outbox->head + index) % outbox->capacity];
}

static void drop_first(struct outbox *outbox)
{
    frames_unref(&slice_at(outbox, 0)->frames);
    outbox->head = (outbox->head + 1) % outbox->capacity;
    outbox->count--;
}

static void forget_outside(struct outbox *outbox)
{
    if (outbox->count > 0 || outbox->outside == NULL)
        return;
    free(outbox->outside);
    outbox->outside = NULL;
    outbox->capacity = OUTBOX_INSIDE;
    outbox->head = 0;
}

void outbox_fini(struct outbox *outbox)
{
    while (outbox->count > 0)
        drop_first(outbox);
    forget_outside(outbox);
    outbox->bytes = 0;
}

static void grow(struct outbox *outbox)
{
    unsigned capacity = outbox->capacity * 2u;
    struct outbox_slice *slices = must_calloc(capacity, sizeof *slices);

    CHECK(capacity > outbox->count);
    for (unsigned i = 0; i < outbox->count; i++)
        slices[i] = *slice_at(outbox, i);
    free(outbox->outside);
    outbox->outside = slices;
    outbox->head = 0;
    outbox->capacity = capacity;
}

void outbox_push(struct outbox *outbox, struct frames *frames, uint32_t from,
                 uint32_t to)
{
    CHECK(from <= to && to <= frames->length);
    if (from == to)
        return;
    outbox->bytes += to - from;
    if (outbox->count > 0) {
        struct outbox_slice *last = slice_at(outbox, outbox->count - 1u);

        if (last->frames == frames && last->to == from) {
            last->to = to;
            return;
        }
    }
    if (outbox->count == outbox->capacity)
        grow(outbox);
    *slice_at(outbox, outbox->count++) =
        (struct outbox_slice){frames_ref(frames), from, to};
}

static void advance(struct outbox *outbox, size_t written)
{
    outbox->bytes -= written;
    while (written > 0) {
        struct outbox_slice *first = slice_at(outbox, 0);
        size_t length = first->to - first->from;

        if (written < length) {
            first->from += (uint32_t)written;
            return;
        }
        written -= length;
        drop_first(outbox);
    }
}

static unsigned gather(struct outbox *outbox, struct iovec *vector)
{
    unsigned count =
        outbox->count < SLICES_PER_WRITE ? outbox->count : SLICES_PER_WRITE;

    for (unsigned i = 0; i < count; i++) {
        struct outbox_slice *slice = slice_at(outbox, i);
        const char *start = slice->frames->bytes + slice->from;

        /* iovec is not const-correct; writev only reads. */
        memcpy(&vector[i].iov_base, &start, sizeof start);
        vector[i].iov_len = slice->to - slice->from;
    }
    return count;
}

enum status outbox_write(struct outbox *outbox, struct link *link,
                         struct metrics *metrics)
{
    struct iovec vector[SLICES_PER_WRITE];

    for (int i = 0; i < WRITES_PER_TURN && outbox->count > 0; i++) {
        size_t waiting = outbox->bytes, written = 0;
        unsigned count = gather(outbox, vector);
        enum status st = link_writev(link, vector, count, &written);

        metrics_add(metrics, METRIC_writes, 1);
        if (st != ST_OK)
            return st;
        metrics_add(metrics, METRIC_bytes_written, (int64_t)written);
        advance(outbox, written);
        if (written < waiting && count < SLICES_PER_WRITE)
            return ST_FULL; /* the socket's buffer is full: no second try */
    }
    forget_outside(outbox);
    return outbox->count == 0 ? ST_OK : ST_FULL;
}
