/* stream_message.c -- what Tidings writes into a stream.
 *
 *   subject            <prefix>.<channel>
 *   payload            the data
 *   Event-Type         the type, if it has one
 *   Event-As-Is        of an amendment without one: the payload is the data, also
 *                      if it looks like an envelope ("typed": its type is empty,
 *                      and said so)
 *   Event-Time         if the publisher gave one
 *   Corrects/Withdraws of an amendment
 *   Idempotency-Key    the key, if a header can carry it; of an amendment else
 *                      the checksum
 *   Nats-Msg-Id        a checksum over channel and key; not of an amendment
 *   Nats-Expected-Stream  so that no other stream takes it
 *   Tidings-Publish    the mark by which this process knows it again, and all
 *                      that the payload is the data
 *
 * Channel and type are checked long before; the key is any text, so it is looked
 * at here: a line break in it would be a header of its own.
 */
#include "stream_message.h"

#include "nats_stream.h"

#include <tidings/check.h>

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#define KEY_HASH_BYTES 16
#define SUBJECT_ROOM   (2 * EVENT_CHANNEL_MAX_BYTES + 2)
#define REPLY_ROOM     128
#define TICKET_MAX     18 /* ".ffffffff.ffffffff" */

/* Headers are read without spaces around them, and end at a line's end. */
static bool fits_header(struct text value)
{
    if (value.length > 0 &&
        (value.bytes[0] == ' ' || value.bytes[value.length - 1] == ' '))
        return false;
    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)value.bytes[i] < ' ' || value.bytes[i] == 0x7f)
            return false;
    return true;
}

bool stream_message_can_carry(const struct event *event)
{
    return fits_header(event_type(event));
}

/* With the NUL that the library wants behind it. */
static natsStatus set_text(natsMsg *msg, const char *name, struct text value)
{
    char text[EVENT_KEY_MAX_BYTES + 1];

    CHECK(value.length < sizeof text);
    memcpy(text, value.bytes, value.length);
    text[value.length] = '\0';
    return natsMsgHeader_Set(msg, name, text);
}

static natsStatus set_number(natsMsg *msg, const char *name, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    return natsMsgHeader_Set(msg, name, text);
}

static natsStatus set_type(natsMsg *msg, const struct event *event)
{
    const struct text type = event_type(event);
    const struct amendment *amends = event->amends;

    if (type.length > 0)
        return set_text(msg, "Event-Type", type);
    if (amends == NULL)
        return NATS_OK; /* the mark says enough */
    return natsMsgHeader_Set(
        msg, "Event-As-Is",
        amends->kind == AMENDMENT_CORRECTION && amends->has_type ? "typed"
                                                                 : "data");
}

static natsStatus set_amendment(natsMsg *msg, const struct amendment *amends)
{
    return set_number(
        msg, amends->kind == AMENDMENT_CORRECTION ? "Corrects" : "Withdraws",
        amends->id);
}

static natsStatus set_checksum(natsMsg *msg, const char *name,
                               const struct event *event)
{
    const struct text channel = event_channel(event), key = event_key(event);
    char text[EVENT_CHANNEL_MAX_BYTES + EVENT_KEY_MAX_BYTES + 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    char id[2 * KEY_HASH_BYTES + 1];

    memcpy(text, channel.bytes, channel.length);
    text[channel.length] = '\0';
    memcpy(text + channel.length + 1, key.bytes, key.length);
    CHECK(EVP_Digest(text, channel.length + 1 + key.length, digest, NULL,
                     EVP_sha256(), NULL) == 1);
    for (unsigned i = 0; i < KEY_HASH_BYTES; i++)
        (void)snprintf(id + (size_t)2 * i, 3, "%02x", digest[i]);
    return natsMsgHeader_Set(msg, name, id);
}

static natsStatus set_key(natsMsg *msg, const struct event *event)
{
    natsStatus status = NATS_OK;

    if (event->key_bytes == 0)
        return NATS_OK;
    if (fits_header(event_key(event)))
        status = set_text(msg, "Idempotency-Key", event_key(event));
    else if (event->amends != NULL)
        status = set_checksum(msg, "Idempotency-Key", event);
    if (status == NATS_OK && event->amends == NULL)
        status = set_checksum(msg, "Nats-Msg-Id", event);
    return status;
}

/* Behind the digits. */
static char *put_hex(char *at, uint64_t number)
{
    unsigned shift = 60;

    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (;; shift -= 4) {
        *at++ = "0123456789abcdef"[number >> shift & 15];
        if (shift == 0)
            return at;
    }
}

static void put_ticket(char *at, struct ticket ticket)
{
    at = put_hex(at, ticket.slot);
    *at++ = '.';
    at = put_hex(at, ticket.serial);
    *at = '\0';
}

static natsStatus set_mark(natsMsg *msg, const struct stream_message *message)
{
    char mark[STREAM_MARK_MAX];
    char *at = put_hex(mark, message->nonce);

    *at++ = '.';
    put_ticket(at, message->ticket);
    return natsMsgHeader_Set(msg, STREAM_MARK_HEADER, mark);
}

static natsStatus set_headers(natsMsg *msg,
                              const struct stream_message *message,
                              const struct event *event)
{
    natsStatus status = set_type(msg, event);

    if (status == NATS_OK && event->time_ms > 0)
        status = set_number(msg, "Event-Time", (uint64_t)event->time_ms);
    if (status == NATS_OK && event->amends != NULL)
        status = set_amendment(msg, event->amends);
    if (status == NATS_OK)
        status = set_key(msg, event);
    if (status == NATS_OK)
        status =
            natsMsgHeader_Set(msg, "Nats-Expected-Stream", message->stream);
    if (status == NATS_OK)
        status = set_mark(msg, message);
    return status;
}

natsStatus stream_message_make(const struct stream_message *message,
                               const struct event *event, natsMsg **msg_out)
{
    const struct text channel = event_channel(event), data = event_data(event);
    char subject[SUBJECT_ROOM], reply[REPLY_ROOM];
    natsMsg *msg = NULL;
    natsStatus status;

    CHECK(message->inbox.length + TICKET_MAX < sizeof reply);

    (void)snprintf(subject, sizeof subject, "%s.%.*s", message->prefix,
                   TEXT_ARGS(channel));
    memcpy(reply, message->inbox.bytes, message->inbox.length);
    reply[message->inbox.length] = '.';
    put_ticket(reply + message->inbox.length + 1, message->ticket);
    status = natsMsg_Create(&msg, subject, reply, data.bytes, (int)data.length);
    if (status == NATS_OK)
        status = set_headers(msg, message, event);
    if (status != NATS_OK) {
        natsMsg_Destroy(msg);
        return status;
    }
    *msg_out = msg;
    return NATS_OK;
}

/* ---- the mark ------------------------------------------------------------ */

static bool read_hex(struct text *rest, uint64_t *number_out)
{
    uint64_t number = 0;
    unsigned digits = 0;

    for (; rest->length > 0 && rest->bytes[0] != '.' && digits <= 16;
         rest->bytes++, rest->length--, digits++) {
        const char c = rest->bytes[0];

        if (c >= '0' && c <= '9')
            number = number << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    if (digits == 0 || digits > 16)
        return false;
    *number_out = number;
    return true;
}

static bool skip_dot(struct text *rest)
{
    if (rest->length == 0 || rest->bytes[0] != '.')
        return false;
    rest->bytes++;
    rest->length--;
    return true;
}

bool stream_ticket_parse(struct text text, struct ticket *ticket_out)
{
    uint64_t slot, serial;

    if (!read_hex(&text, &slot) || slot > UINT32_MAX || !skip_dot(&text) ||
        !read_hex(&text, &serial) || serial > UINT32_MAX || serial == 0 ||
        text.length > 0)
        return false;
    *ticket_out = (struct ticket){(uint32_t)slot, (uint32_t)serial};
    return true;
}

bool stream_mark_parse(struct text mark, uint64_t nonce,
                       struct ticket *ticket_out)
{
    uint64_t of;

    return read_hex(&mark, &of) && of == nonce && skip_dot(&mark) &&
           stream_ticket_parse(mark, ticket_out);
}
