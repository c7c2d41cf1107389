/* refusal.c -- the table of refusals, and how the journal's answers map to it.
 *
 * ST_FULL has two meanings: from a post it is the queue, which will have room
 * again; as a result it is the number of channels, which a setting must raise.
 */
#include "refusal.h"

static const struct {
    const char *code, *sentence;
} row[] = {
#define REFUSAL(name, code, sentence) {code, sentence},
    REFUSALS(REFUSAL)
#undef REFUSAL
};

const char *refusal_code(enum refusal refusal)
{
    return row[refusal].code;
}

const char *refusal_sentence(enum refusal refusal)
{
    return row[refusal].sentence;
}

enum refusal refusal_of_post(enum status st)
{
    if (st == ST_OK)
        return REFUSAL_NONE;
    if (st == ST_FULL)
        return REFUSAL_OVERLOADED;
    return st == ST_CLOSED ? REFUSAL_STOPPING : REFUSAL_FAILED;
}

enum refusal refusal_of_result(enum status st)
{
    /* clang-format off */
    static const struct {
        enum status st;
        enum refusal refusal;
    } result[] = {
        {ST_OK,        REFUSAL_NONE},
        {ST_NO_SPACE,  REFUSAL_NO_SPACE},
        {ST_FULL,      REFUSAL_TOO_MANY_CHANNELS},
        {ST_CLOSED,    REFUSAL_STOPPING},
        {ST_NOT_FOUND, REFUSAL_NOT_FOUND},
        {ST_RESERVED,  REFUSAL_RESERVED_EVENT},
        {ST_WITHDRAWN, REFUSAL_WITHDRAWN},
    };
    /* clang-format on */

    for (unsigned i = 0; i < sizeof result / sizeof result[0]; i++)
        if (result[i].st == st)
            return result[i].refusal;
    return REFUSAL_FAILED;
}
