/* refusal.h -- why a message did not become an event.
 *
 * One table: the reason is the code in the answer to the publisher, the end of
 * the subject that refused messages are sent on to, and the word in the log.
 *
 * Threads   Any.
 * Memory    None: the texts are static.
 * Units     None.
 * Errors    None.
 */
#ifndef TIDINGS_REFUSAL_H
#define TIDINGS_REFUSAL_H

#include <tidings/status.h>

/* clang-format off */
/*          name               code                 sentence */
#define REFUSALS(REFUSAL)                                                                          \
    REFUSAL(NONE,              "none",              "not refused")                                 \
    REFUSAL(BAD_CHANNEL,       "bad_channel",       "the subject behind the prefix is no channel") \
    REFUSAL(TOO_BIG,           "too_big",           "the data is over the limit")                  \
    REFUSAL(NOT_UTF8,          "not_utf8",          "the data is not UTF-8")                       \
    REFUSAL(BAD_TYPE,          "bad_type",          "the type is too long, not UTF-8, or has control characters") \
    REFUSAL(RESERVED_TYPE,     "reserved_type",     "types that start with tidings. are reserved") \
    REFUSAL(BAD_KEY,           "bad_key",           "Nats-Msg-Id is longer than 256 bytes")        \
    REFUSAL(BAD_TIME,          "bad_time",          "Event-Time is not a number of milliseconds")  \
    REFUSAL(BAD_ENVELOPE,      "bad_envelope",      "the data is not an object of type and data")  \
    REFUSAL(BAD_ID,            "bad_id",            "Corrects or Withdraws, one of them, names an event's id") \
    REFUSAL(NOT_FOUND,         "not_found",         "that channel keeps no such event")            \
    REFUSAL(RESERVED_EVENT,    "reserved_event",    "Tidings' own events cannot be amended")       \
    REFUSAL(WITHDRAWN,         "withdrawn",         "the event was withdrawn")                     \
    REFUSAL(OVERLOADED,        "overloaded",        "too much waits to be written; try again")     \
    REFUSAL(STOPPING,          "stopping",          "the server is stopping; try again")           \
    REFUSAL(NO_SPACE,          "no_space",          "the disk or the journal is full")             \
    REFUSAL(TOO_MANY_CHANNELS, "too_many_channels", "there are as many channels as there may be")  \
    REFUSAL(FAILED,            "failed",            "the event could not be written")
/* clang-format on */

enum refusal {
#define REFUSAL(name, code, sentence) REFUSAL_##name,
    REFUSALS(REFUSAL)
#undef REFUSAL
};

const char *refusal_code(enum refusal refusal);
const char *refusal_sentence(enum refusal refusal);

/* What it means when the journal does not take a publish, and when it has taken
 * one and says how it ended. ST_OK is none. */
enum refusal refusal_of_post(enum status st);
enum refusal refusal_of_result(enum status st);

#endif
