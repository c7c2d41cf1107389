/* client_message.c -- one JSON object of a client, understood.
 *
 * Each says one thing, by the name of a member. Strings may have escapes (some
 * encoders write `>` as \u003e); their values are put into one scratch buffer,
 * which has room for the whole message from the start, so that views into it
 * stay where they are.
 */
#include <tidings/client_message.h>

#include <tidings/check.h>

#include "json_object.h"

#include <stdlib.h>
#include <string.h>

#define ID_MAX    UINT64_C(9007199254740991) /* 2^53 - 1 */
#define ID_DIGITS 16

/* clang-format off */
static const char why_action[] =
    "a message has one of subscribe, unsubscribe and ack";
static const char why_after[] =
    "after goes with subscribe";
static const char why_list[] =
    "subscribe and unsubscribe take a list of channels and patterns";
static const char why_selector[] =
    "a channel is tokens of A-Z a-z 0-9 _ - joined by dots, 1 to 200 bytes; "
    "a pattern may have * as a token and > as the last";
static const char why_many[] =
    "too many channels on one connection";
static const char why_ack[] =
    "ack takes the id of an event";
/* clang-format on */

struct members {
    struct text subscribe, unsubscribe, after, ack;
};

static enum status wrong(const char *why, const char **why_out)
{
    *why_out = why;
    return ST_BAD_INPUT;
}

/* The value of a JSON string; false if it is none. */
static bool take_string(struct client_message *message, struct text value,
                        struct text *text_out)
{
    size_t start = message->scratch.length;
    struct text inside;

    if (!json_string_inside(value, &inside) ||
        json_unescape(inside, &message->scratch) != ST_OK)
        return false;
    *text_out = (struct text){message->scratch.bytes + start,
                              message->scratch.length - start};
    return true;
}

static bool has_selector(const struct client_message *message,
                         struct text selector)
{
    for (unsigned i = 0; i < message->selector_count; i++)
        if (text_equals(message->selectors[i], selector))
            return true;
    return false;
}

static enum status take_selectors(struct client_message *message,
                                  struct text list, unsigned selectors_max,
                                  const char **why_out)
{
    struct text value, selector;
    size_t cursor = 0;

    if (list.bytes[0] != '[')
        return wrong(why_list, why_out);
    while (json_next_element(list, &cursor, &value)) {
        if (!take_string(message, value, &selector) ||
            !selector_is_valid(selector))
            return wrong(why_selector, why_out);
        if (has_selector(message, selector))
            continue;
        if (message->selector_count == selectors_max)
            return wrong(why_many, why_out);
        message->selectors =
            must_realloc(message->selectors, (message->selector_count + 1) *
                                                 sizeof *message->selectors);
        message->selectors[message->selector_count++] = selector;
    }
    return message->selector_count > 0 ? ST_OK : wrong(why_list, why_out);
}

/* A number and an object are taken as they stand. */
static enum status take_position(struct client_message *message,
                                 struct text value, const char **why_out)
{
    if (value.length == 0 || text_is(value, "null"))
        return ST_OK;
    message->has_position = true;
    message->position_text = value;
    if (value.bytes[0] == '"' &&
        !take_string(message, value, &message->position_text))
        return wrong("after has an escape that is half a character", why_out);
    return position_parse(message->position_text, &message->position, why_out);
}

static enum status take_ack(struct client_message *message, struct text value,
                            const char **why_out)
{
    uint64_t id = 0;

    (void)json_string_inside(value, &value);
    if (value.length == 0 || value.length > ID_DIGITS)
        return wrong(why_ack, why_out);
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9')
            return wrong(why_ack, why_out);
        id = id * 10 + (uint64_t)(value.bytes[i] - '0');
    }
    if (id > ID_MAX)
        return wrong(why_ack, why_out);
    message->id = id;
    return ST_OK;
}

static enum status take_members(struct client_message *message,
                                const struct members *members,
                                unsigned selectors_max, const char **why_out)
{
    enum status st;

    if ((members->subscribe.length > 0) + (members->unsubscribe.length > 0) +
            (members->ack.length > 0) !=
        1)
        return wrong(why_action, why_out);
    if (members->after.length > 0 && members->subscribe.length == 0)
        return wrong(why_after, why_out);
    if (members->ack.length > 0) {
        message->action = CLIENT_ACKS;
        return take_ack(message, members->ack, why_out);
    }
    if (members->unsubscribe.length > 0) {
        message->action = CLIENT_UNSUBSCRIBES;
        return take_selectors(message, members->unsubscribe, selectors_max,
                              why_out);
    }
    message->action = CLIENT_SUBSCRIBES;
    st = take_selectors(message, members->subscribe, selectors_max, why_out);
    return st == ST_OK ? take_position(message, members->after, why_out) : st;
}

enum status client_message_parse(struct text text, unsigned selectors_max,
                                 struct client_message *message_out,
                                 const char **why_out)
{
    struct client_message message = {.position = {.kind = POSITION_LATEST}};
    struct members members;
    const struct json_wanted wanted[] = {{"subscribe", &members.subscribe},
                                         {"unsubscribe", &members.unsubscribe},
                                         {"after", &members.after},
                                         {"ack", &members.ack}};
    enum status st = json_take_apart(text, wanted,
                                     sizeof wanted / sizeof wanted[0], why_out);

    if (st != ST_OK)
        return st;
    buffer_init(&message.scratch);
    (void)buffer_reserve(&message.scratch, text.length);
    st = take_members(&message, &members, selectors_max, why_out);
    if (st != ST_OK) {
        client_message_fini(&message);
        return st;
    }
    *message_out = message;
    return ST_OK;
}

void client_message_fini(struct client_message *message)
{
    free(message->selectors);
    message->selectors = NULL;
    buffer_fini(&message->scratch);
}
