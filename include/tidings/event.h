/* event.h -- one thing that happened, on its way from a publisher to everybody.
 *
 * Life: created by whoever received it (intake, http) with channel, type, data
 * and perhaps a key, or what it amends; moved to the journal, which gives it id, previous id, time
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
#include <stdbool.h>
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
    uint64_t amended_by; /* journal: id of the event that told so; 0 = never */
    bool is_withdrawn;   /* journal: type and data are gone */
};

/* clang-format off */
/*    name        member       type of the event that tells everybody */
#define AMENDMENTS(A)                                                          \
    A(CORRECTION, "corrects",  "tidings.correction")                           \
    A(WITHDRAWAL, "withdraws", "tidings.withdrawal")
/* clang-format on */

enum amendment_kind {
#define A(name, member, type) AMENDMENT_##name,
    AMENDMENTS(A)
#undef A
};

/* What a publish does to an event that is there already. */
struct amendment {
    enum amendment_kind kind;
    uint64_t id;         /* of that event */
    bool has_type;       /* a correction's; without one the old type stays */
    struct event *event; /* journal: the event that tells everybody; owned */
};

const char *amendment_member(enum amendment_kind kind);
const char *amendment_type(enum amendment_kind kind);

struct event {
    atomic_uint references;
    uint8_t is_duplicate; /* journal: key seen before, id is the first one's */
    uint8_t refused;      /* journal: of a stream's event, enum status */
    uint16_t channel_bytes, type_bytes, key_bytes;
    uint32_t data_bytes;
    uint64_t given_id;             /* of a stream's event: what id becomes */
    uint64_t id;                   /* journal */
    uint64_t previous_id;          /* journal: same channel; 0 = none */
    int64_t time_ms;               /* publisher's wish, 0 = now; then journal */
    struct channel_entry *channel; /* journal: lives as long as the journal */
    struct amendment *amends;      /* NULL: it is an event of its own */
    char bytes[];                  /* channel, type, data, key */
};

struct event *event_create(struct text channel, struct text type,
                           struct text data, struct text key);
/* Before the commit: its type and data are meant for the event `id`. */
void event_set_amendment(struct event *event, enum amendment_kind kind,
                         uint64_t id, bool has_type);
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
    return (struct event_view){.id = event->id,
                               .time_ms = event->time_ms,
                               .channel = event_channel(event),
                               .type = event_type(event),
                               .data = event_data(event)};
}

#endif
