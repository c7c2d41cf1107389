/* fuzz_envelope.c -- payloads in, and the events made of them out.
 *
 * Each input is parsed in all modes and as a line of a batch; type and data
 * that come of it are formatted in every way and read back.
 */
#include "fuzz.h"

static void check_event(struct text type, struct text data)
{
    struct event_view event = {
        .id = UINT64_C(1844674407370955),
        .time_ms = INT64_C(1406125522250),
        .channel = {"cheese", 6},
        .type = type,
        .data = data,
    };

    CHECK(event_type_is_valid(type));
    CHECK(utf8_is_valid(data));
    check_formats(&event);
}

static void check_envelope(struct text payload)
{
    struct envelope automatic, always, never;
    const char *why = NULL;
    bool is_envelope;

    CHECK(envelope_parse(payload, ENVELOPE_NEVER, &never, &why) == ST_OK);
    CHECK(never.type.length == 0 && text_equals(never.data, payload));
    CHECK(envelope_parse(payload, ENVELOPE_AUTO, &automatic, &why) == ST_OK);
    CHECK(why == NULL);
    is_envelope =
        envelope_parse(payload, ENVELOPE_ALWAYS, &always, &why) == ST_OK;
    CHECK(is_envelope == (why == NULL));
    if (is_envelope) {
        CHECK(text_equals(automatic.type, always.type));
        CHECK(text_equals(automatic.data, always.data));
        check_event(automatic.type, automatic.data);
    } else {
        CHECK(automatic.type.length == 0);
        CHECK(text_equals(automatic.data, payload));
    }
    if (utf8_is_valid(payload))
        check_event(never.type, never.data);
    buffer_fini(&automatic.scratch);
    buffer_fini(&always.scratch);
    buffer_fini(&never.scratch);
}

static void check_batch_line(struct text payload)
{
    struct batch_line line;
    const char *why = NULL;

    if (batch_line_parse(payload, &line, &why) == ST_OK) {
        CHECK(line.channel.length == 0 || channel_name_is_valid(line.channel));
        CHECK(line.key.length <= EVENT_KEY_MAX_BYTES);
        CHECK(line.time_ms >= 0 && line.time_ms <= INT64_C(9007199254740991));
        check_event(line.type, line.data);
    } else {
        CHECK(why != NULL);
    }
    buffer_fini(&line.scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text payload = text_of_input(data, size);

    check_envelope(payload);
    check_batch_line(payload);
    return 0;
}
