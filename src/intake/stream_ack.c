/* stream_ack.c -- what a stream answers to a message.
 *
 *   {"stream":"EVENTS", "seq":12}                        stored
 *   {"stream":"EVENTS", "seq":7, "duplicate":true}       was there
 *   {"error":{"code":503,"err_code":10077,...}, ...}     refused
 *
 * Members that are not known are passed over, as servers add some. An answer that
 * cannot be read says as little as none: the message may be stored.
 */
#include "stream_ack.h"

#include "stream_ids.h"
#include "wire/json_object.h"

#include <tidings/wire.h>

#include <nats/nats.h>

/* What the stream said no to is not stored. */
static enum status refusal_status(struct text error)
{
    struct json_member member;
    size_t cursor = 0;
    uint64_t code = 0;

    if (!json_is_object(error))
        return ST_BUSY;
    while (json_next_member(error, &cursor, &member))
        if (json_name_is(member.name, "err_code") &&
            stream_number_parse(member.value, UINT32_MAX, &code))
            break;
    return code == JSStreamMessageExceedsMaximumErr ? ST_TOO_BIG : ST_BUSY;
}

void stream_ack_parse(struct text payload, struct stream_ack *ack_out)
{
    struct stream_ack ack = {.st = ST_TIMEOUT};
    struct json_member member;
    size_t cursor = 0;

    *ack_out = ack;
    if (!json_is_valid(payload) || !json_is_object(payload))
        return;
    while (json_next_member(payload, &cursor, &member)) {
        if (json_name_is(member.name, "error")) {
            ack_out->st = refusal_status(member.value);
            return;
        }
        if (json_name_is(member.name, "seq") &&
            stream_number_parse(member.value, INT64_MAX, &ack.sequence))
            ack.st = ack.sequence > 0 ? ST_OK : ST_TIMEOUT;
        else if (json_name_is(member.name, "duplicate"))
            ack.is_duplicate = text_is(member.value, "true");
    }
    if (ack.st == ST_OK)
        *ack_out = ack;
}
