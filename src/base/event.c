/* event.c -- an event's memory: one block, counted by references.
 *
 * Channel, type, data and key lie behind the struct in this order, so an event
 * costs one malloc and one free, and the journal can copy type and data into
 * its record without looking at anything else. What an event amends is rare and
 * a block of its own.
 *
 * The count starts at one, the creator's. Taking a reference orders nothing
 * (who takes one has one already); giving one back releases what this thread
 * did to the event, and the last one acquires all of it before it frees.
 */
#include <tidings/check.h>
#include <tidings/event.h>

#include <stdlib.h>

static char *put(char *at, struct text text)
{
    if (text.length > 0)
        memcpy(at, text.bytes, text.length);
    return at + text.length;
}

struct event *event_create(struct text channel, struct text type,
                           struct text data, struct text key)
{
    struct event *event;
    char *at;

    CHECK(channel.length <= EVENT_CHANNEL_MAX_BYTES);
    CHECK(type.length <= EVENT_TYPE_MAX_BYTES);
    CHECK(key.length <= EVENT_KEY_MAX_BYTES);
    CHECK(data.length <= UINT32_MAX);

    event = must_malloc(sizeof *event + channel.length + type.length +
                        data.length + key.length);
    atomic_init(&event->references, 1);
    event->is_duplicate = 0;
    event->refused = 0;
    event->channel_bytes = (uint16_t)channel.length;
    event->type_bytes = (uint16_t)type.length;
    event->key_bytes = (uint16_t)key.length;
    event->data_bytes = (uint32_t)data.length;
    event->given_id = 0;
    event->id = 0;
    event->previous_id = 0;
    event->time_ms = 0;
    event->channel = NULL;
    event->amends = NULL;

    at = put(event->bytes, channel);
    at = put(at, type);
    at = put(at, data);
    (void)put(at, key);
    return event;
}

void event_set_amendment(struct event *event, enum amendment_kind kind,
                         uint64_t id, bool has_type)
{
    CHECK(event->amends == NULL);
    event->amends = must_malloc(sizeof *event->amends);
    *event->amends =
        (struct amendment){.kind = kind, .id = id, .has_type = has_type};
}

const char *amendment_member(enum amendment_kind kind)
{
    static const char *const members[] = {
#define A(name, member, type) member,
        AMENDMENTS(A)
#undef A
    };

    return members[kind];
}

const char *amendment_type(enum amendment_kind kind)
{
    static const char *const types[] = {
#define A(name, member, type) type,
        AMENDMENTS(A)
#undef A
    };

    return types[kind];
}

struct event *event_ref(struct event *event)
{
    const unsigned before =
        atomic_fetch_add_explicit(&event->references, 1, memory_order_relaxed);

    CHECK(before > 0);
    return event;
}

void event_unref(struct event **event)
{
    struct event *mine = *event;
    unsigned before;

    *event = NULL;
    if (mine == NULL)
        return;
    before =
        atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before > 1)
        return;
    if (mine->amends != NULL)
        event_unref(&mine->amends->event);
    free(mine->amends);
    free(mine);
}
