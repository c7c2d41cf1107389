/* fuzz_stream_ack.c -- what a stream answers, and the subject it answers to.
 *
 * An answer is good only with a sequence, and one that is not says nothing else.
 * A ticket that was read is the same with a process's number before it.
 */
#include "fuzz.h"

#include "intake/stream_ack.h"
#include "intake/stream_message.h"

#include <string.h>

static void check_ticket(struct text input)
{
    struct ticket ticket, marked;
    char mark[64] = "a5.";

    if (!stream_ticket_parse(input, &ticket))
        return;
    CHECK(ticket.serial > 0 && input.length < sizeof mark - 3);
    memcpy(mark + 3, input.bytes, input.length);
    CHECK(stream_mark_parse((struct text){mark, input.length + 3}, 0xa5,
                            &marked));
    CHECK(marked.slot == ticket.slot && marked.serial == ticket.serial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text input = text_of_input(data, size);
    struct stream_ack ack;

    stream_ack_parse(input, &ack);
    CHECK((ack.st == ST_OK) == (ack.sequence > 0));
    CHECK(ack.st == ST_OK || !ack.is_duplicate);
    check_ticket(input);
    return 0;
}
