/* fuzz_client_message.c -- what is understood of a client's message is right.
 *
 * Selectors are selectors and there are no more than allowed, none twice; a
 * position is one that position_parse takes from the words that it came in.
 */
#include "fuzz.h"

#include <tidings/client_message.h>

#define SELECTORS_MAX 4

static void check_selectors(const struct client_message *message)
{
    CHECK(message->selector_count > 0);
    CHECK(message->selector_count <= SELECTORS_MAX);
    for (unsigned i = 0; i < message->selector_count; i++) {
        CHECK(selector_is_valid(message->selectors[i]));
        for (unsigned j = 0; j < i; j++)
            CHECK(!text_equals(message->selectors[i], message->selectors[j]));
    }
}

static void check_position(const struct client_message *message)
{
    struct position position;
    const char *why;

    if (!message->has_position) {
        CHECK(message->position.kind == POSITION_LATEST);
        return;
    }
    CHECK(position_parse(message->position_text, &position, &why) == ST_OK);
    CHECK(position.kind == message->position.kind);
    CHECK(position.number == message->position.number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = text_of_input(data, size);
    struct client_message message;
    const char *why = NULL;

    if (!utf8_is_valid(text))
        return 0; /* the reader of frames lets none through */
    if (client_message_parse(text, SELECTORS_MAX, &message, &why) != ST_OK) {
        CHECK(why != NULL);
        return 0;
    }
    if (message.action == CLIENT_ACKS) {
        CHECK(message.selector_count == 0);
    } else {
        check_selectors(&message);
    }
    if (message.action == CLIENT_SUBSCRIBES)
        check_position(&message);
    client_message_fini(&message);
    return 0;
}
