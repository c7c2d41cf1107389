/* client_message.h -- what a client says on an open WebSocket: protocol.md 6.
 *
 *     {"subscribe":["a","b.*"],"after":position}
 *     {"unsubscribe":["a"]}
 *     {"ack":id}
 *
 * Threads   Any.
 * Memory    Texts look into the message or into the result's own scratch; fini
 *           frees it. `selectors_max` bounds the array.
 * Units     None.
 * Errors    ST_BAD_INPUT with a fixed sentence; then nothing is to be freed.
 */
#ifndef TIDINGS_CLIENT_MESSAGE_H
#define TIDINGS_CLIENT_MESSAGE_H

#include <tidings/buffer.h>
#include <tidings/status.h>
#include <tidings/text.h>
#include <tidings/wire.h>

#include <stdbool.h>
#include <stdint.h>

enum client_action { CLIENT_SUBSCRIBES, CLIENT_UNSUBSCRIBES, CLIENT_ACKS };

struct client_message {
    enum client_action action;
    struct text *selectors; /* checked, without repeats; not of an ack */
    unsigned selector_count;
    bool has_position;         /* of a subscribe */
    struct text position_text; /* as it was said, without quotes */
    struct position position;
    uint64_t id; /* of an ack */
    struct buffer scratch;
};

/* `text` is UTF-8. */
enum status client_message_parse(struct text text, unsigned selectors_max,
                                 struct client_message *message_out,
                                 const char **why_out) MUST_USE;
void client_message_fini(struct client_message *message);

#endif
