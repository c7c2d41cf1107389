/* event.h -- one thing that happened, on its way from a publisher to everybody.
 *
 * Life: created by whoever received it (intake, http) with channel, type, data
 * and perhaps a key; moved to the journal, which gives it id, previous id, time
 * and channel entry; from its commit on it is immutable and shared by count.
 *
 * Threads   Before the commit: its one holder. After it: any, read-only.
 * Memory    One allocation, counted by references; the last unref frees it.
 * Units     Times are wall milliseconds; id 0 = none yet.
 * Errors    None: callers check sizes and form (wire/) before creating.
 */
#ifndef TIDINGS_EVENT_H
#define TIDINGS_EVENT_H

#include <tidings/text.h>

#include <stdatomic.h>
#include <stdint.h>

#define EVENT_TYPE_MAX_BYTES    128
#define EVENT_CHANNEL_MAX_BYTES 200
#define EVENT_KEY_MAX_BYTES     256

struct channel_entry;

/* What formatters and readers of the journal look at. */
struct event_view {
    uint64_t id;
    int64_t time_ms;
    struct text channel, type, data;
};

struct event {
    atomic_uint references;
    uint8_t is_duplicate; /* journal: key seen before, id is the first one's */
    uint16_t channel_bytes, type_bytes, key_bytes;
    uint32_t data_bytes;
    uint64_t id;                   /* journal */
    uint64_t previous_id;          /* journal: same channel; 0 = none */
    int64_t time_ms;               /* publisher's wish, 0 = now; then journal */
    struct channel_entry *channel; /* journal: lives as long as the journal */
    char bytes[];                  /* channel, type, data, key */
};

struct event *event_create(struct text channel, struct text type,
                           struct text data, struct text key);
struct event *event_ref(struct event *event);
void event_unref(struct event **event);

static inline struct text event_channel(const struct event *event)
{
    return (struct text){event->bytes, event->channel_bytes};
}

static inline struct text event_type(const struct event *event)
{
    return (struct text){event->bytes + event->channel_bytes,
                         event->type_bytes};
}

static inline struct text event_data(const struct event *event)
{
    return (struct text){event->bytes + event->channel_bytes +
                             event->type_bytes,
                         event->data_bytes};
}

static inline struct text event_key(const struct event *event)
{
    return (struct text){event->bytes + event->channel_bytes +
                             event->type_bytes + event->data_bytes,
                         event->key_bytes};
}

static inline struct event_view event_view(const struct event *event)
{
    return (struct event_view){event->id, event->time_ms, event_channel(event),
                               event_type(event), event_data(event)};
}

#endif
