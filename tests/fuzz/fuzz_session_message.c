/* fuzz_session_message.c -- what is read about a session is what would be written.
 *
 * A state that was read is one that a table takes, and is read alike when it is
 * printed again. What the server answers gives a sequence or nothing. No pattern
 * makes the matching go astray.
 */
#include "fuzz.h"

#include "intake/session_message.h"

#include <stdlib.h>

static void check_state(struct text input)
{
    struct session_message message, again;
    struct buffer text;

    if (session_message_parse(input, &message) != ST_OK)
        return;
    CHECK(session_name_is_valid(session_name_text(&message.name)));
    CHECK(message.state.born > 0 && message.state.touched_ms >= 0);
    buffer_init(&text);
    session_message_print(&message, &text);
    CHECK(session_message_parse(buffer_text(&text), &again) == ST_OK);
    CHECK(text_equals(session_name_text(&again.name),
                      session_name_text(&message.name)));
    CHECK(again.state.acked == message.state.acked &&
          again.state.sent == message.state.sent &&
          again.state.born == message.state.born && again.by == message.by &&
          again.state.is_removed == message.state.is_removed);
    buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text input = text_of_input(data, size);
    uint64_t sequence = UINT64_MAX;
    struct buffer stored, pattern;
    const char *patterns[1];

    check_state(input);
    buffer_init(&stored);
    buffer_init(&pattern);
    if (session_stored_parse(input, &sequence, &stored) != ST_OK)
        CHECK(sequence == UINT64_MAX);
    (void)session_ack_parse(input, &sequence);
    buffer_append_text(&pattern, input);
    buffer_append_char(&pattern, '\0');
    patterns[0] = pattern.bytes;
    (void)session_subject_is_covered(text_of("events"), patterns, 1);
    buffer_fini(&pattern);
    buffer_fini(&stored);
    return 0;
}
