/* message.c -- a NATS message becomes an event.
 *
 * Everything that a stranger chose is checked here, in the order of what it
 * costs: subject, size, headers, UTF-8, envelope. After it the event holds
 * only what may be stored and sent to anybody.
 *
 * The type comes from the header Event-Type; without it, by the setting, out of
 * a payload {"type":..,"data":..}. A message whose header names the type is
 * taken as it is: its publisher has said what is data. So is one with the header
 * Event-As-Is, which stands for an empty type (the library reads an empty header
 * together with the next one), and one with the mark of a Tidings that sent it
 * (nats_stream.h). What Tidings sends to a stream names its key in
 * Idempotency-Key, since Nats-Msg-Id counts in the whole stream and not only in
 * the channel.
 *
 * A message that amends an event names it in a header, Corrects or Withdraws.
 *
 * A message without headers is the usual case and costs some look-ups in a table
 * that is not there. Headers are cut at a NUL by the library; names are
 * compared as they are written.
 */
#include "message.h"

#include "nats_stream.h"
#include "subject.h"

#define TIME_DIGITS_MAX 15 /* the year 33658 */
#define ID_DIGITS_MAX   16 /* ids are below 2^53 */

/* What the headers say; views into the message. */
struct headers {
    bool has_type;
    bool is_as_is; /* no envelope is looked for */
    struct text type, key;
    int64_t time_ms; /* 0: not said */
    bool is_amendment;
    enum amendment_kind kind; /* of an amendment */
    uint64_t amended_id;
};

struct text message_data(const natsMsg *msg)
{
    const char *bytes = natsMsg_GetData(msg);
    const int length = natsMsg_GetDataLength(msg);

    return bytes != NULL && length > 0 ? (struct text){bytes, (size_t)length}
                                       : (struct text){"", 0};
}

static bool find_header(natsMsg *msg, const char *name, struct text *value_out)
{
    const char *value = NULL;

    if (natsMsgHeader_Get(msg, name, &value) != NATS_OK || value == NULL)
        return false;
    *value_out = text_of(value);
    return true;
}

static bool parse_number(struct text digits, size_t digits_max,
                         uint64_t *number_out)
{
    uint64_t number = 0;

    if (digits.length == 0 || digits.length > digits_max)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.bytes[i] < '0' || digits.bytes[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(digits.bytes[i] - '0');
    }
    *number_out = number;
    return true;
}

/* Which event the message amends, if any; at most one. */
static enum refusal read_amendment(natsMsg *msg, struct headers *headers)
{
    static const struct {
        const char *header;
        enum amendment_kind kind;
    } row[] = {{"Corrects", AMENDMENT_CORRECTION},
               {"Withdraws", AMENDMENT_WITHDRAWAL}};

    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct text id;

        if (!find_header(msg, row[i].header, &id))
            continue;
        if (headers->is_amendment ||
            !parse_number(id, ID_DIGITS_MAX, &headers->amended_id))
            return REFUSAL_BAD_ID;
        headers->is_amendment = true;
        headers->kind = row[i].kind;
    }
    return REFUSAL_NONE;
}

static enum refusal read_headers(natsMsg *msg, struct headers *headers_out)
{
    struct headers headers = {.type = {"", 0}, .key = {"", 0}};
    struct text time, as_is;
    uint64_t time_ms = 0;
    enum refusal refusal;

    headers.has_type = find_header(msg, "Event-Type", &headers.type);
    headers.is_as_is = headers.has_type;
    if (!headers.has_type && find_header(msg, "Event-As-Is", &as_is)) {
        headers.is_as_is = true;
        headers.has_type = text_is(as_is, "typed");
    } else if (!headers.has_type) {
        headers.is_as_is = find_header(msg, STREAM_MARK_HEADER, &as_is);
    }
    if ((find_header(msg, "Idempotency-Key", &headers.key) ||
         find_header(msg, "Nats-Msg-Id", &headers.key)) &&
        headers.key.length > EVENT_KEY_MAX_BYTES)
        return REFUSAL_BAD_KEY;
    if (find_header(msg, "Event-Time", &time) &&
        !parse_number(time, TIME_DIGITS_MAX, &time_ms))
        return REFUSAL_BAD_TIME;
    headers.time_ms = (int64_t)time_ms;
    refusal = read_amendment(msg, &headers);
    *headers_out = headers;
    return refusal;
}

static enum refusal check_type(struct text type)
{
    if (!event_type_is_valid(type))
        return REFUSAL_BAD_TYPE;
    return event_type_is_reserved(type) ? REFUSAL_RESERVED_TYPE : REFUSAL_NONE;
}

/* Type and data as the payload says itself. */
static enum refusal open_envelope(const struct message_rules *rules,
                                  struct text payload,
                                  struct envelope *envelope)
{
    const char *why;

    if (envelope_parse(payload, rules->envelope, envelope, &why) != ST_OK)
        return REFUSAL_BAD_ENVELOPE;
    return check_type(envelope->type);
}

static enum refusal read_body(const struct message_rules *rules,
                              const struct headers *headers,
                              struct text payload, struct envelope *envelope)
{
    if (!utf8_is_valid(payload))
        return REFUSAL_NOT_UTF8;
    if (!headers->is_as_is)
        return open_envelope(rules, payload, envelope);
    envelope->type = headers->type;
    envelope->data = payload;
    return check_type(headers->type);
}

static bool is_withdrawal(const struct headers *headers)
{
    return headers->is_amendment && headers->kind == AMENDMENT_WITHDRAWAL;
}

/* A correction has a type if a header gives one, or its envelope. */
static void note_amendment(const struct headers *headers, bool has_envelope,
                           struct event *event)
{
    if (headers->is_amendment)
        event_set_amendment(event, headers->kind, headers->amended_id,
                            headers->has_type || has_envelope);
}

enum refusal message_to_event(const struct message_rules *rules, natsMsg *msg,
                              struct event **event_out)
{
    struct text payload = message_data(msg);
    struct envelope envelope;
    struct headers headers;
    struct text channel;
    enum refusal refusal;

    if (subject_channel(rules->prefix, text_of(natsMsg_GetSubject(msg)),
                        &channel) != ST_OK)
        return REFUSAL_BAD_CHANNEL;
    if (payload.length > rules->max_bytes)
        return REFUSAL_TOO_BIG;
    refusal = read_headers(msg, &headers);
    if (refusal != REFUSAL_NONE)
        return refusal;

    if (is_withdrawal(&headers)) {
        headers.is_as_is = headers.has_type = true;
        headers.type = payload = text_of("");
    }
    buffer_init(&envelope.scratch);
    refusal = read_body(rules, &headers, payload, &envelope);
    if (refusal == REFUSAL_NONE) {
        *event_out =
            event_create(channel, envelope.type, envelope.data, headers.key);
        (*event_out)->time_ms = headers.time_ms;
        note_amendment(&headers, envelope.data.bytes != payload.bytes,
                       *event_out);
    }
    buffer_fini(&envelope.scratch);
    return refusal;
}
