/* subscriber.c -- the three states of a cursor, and who may change them.
 *
 * Offers come from channels only while LIVE, the journal is read only while
 * REPLAYING; so no event can come by both ways, and the cursor, which both
 * advance, says exactly what is still owed.
 */
#include <tidings/subscriber.h>

#include <tidings/check.h>

#include <string.h>

static const unsigned legal_moves[] = {
#define S(name, moves, meaning) [SUBSCRIBER_##name] = (moves),
    SUBSCRIBER_STATES(S)
#undef S
};

void subscriber_init(struct subscriber *subscriber,
                     const struct subscriber_calls *calls,
                     enum frame_format format, uint64_t cursor)
{
    memset(subscriber, 0, sizeof *subscriber);
    subscriber->calls = calls;
    subscriber->format = (uint8_t)format;
    subscriber->cursor = cursor;
    list_init(&subscriber->single.node);
}

void subscriber_move(struct subscriber *subscriber, enum subscriber_state to)
{
    CHECK((legal_moves[subscriber->state] & BIT(to)) != 0);
    subscriber->state = (uint8_t)to;
}

void subscriber_demote(struct subscriber *subscriber, uint64_t upto)
{
    subscriber_move(subscriber, SUBSCRIBER_REPLAYING);
    if (subscriber->cursor < upto)
        subscriber->cursor = upto;
    subscriber->calls->demoted(subscriber);
}

void subscriber_forget_passed(struct subscriber *subscriber)
{
    for (unsigned i = 0; i < subscriber->membership_count; i++)
        if (subscriber->memberships[i].after <= subscriber->cursor)
            subscriber->memberships[i].after = 0;
}
