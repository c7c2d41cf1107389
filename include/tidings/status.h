/* status.h -- how a call says that luck was bad.
 *
 * Bugs abort (check.h); everything that the disk, the network or a client can
 * do wrong is one of these. Library codes are translated once, at their
 * adapter.
 *
 * Threads   Any.
 * Memory    None: the texts are static.
 * Units     None.
 * Errors    None.
 */
#ifndef TIDINGS_STATUS_H
#define TIDINGS_STATUS_H

/* clang-format off */
#define STATUS_TABLE(ST)                                                       \
    ST(OK,        "done")                                                      \
    ST(BAD_INPUT, "the caller's data is malformed")                            \
    ST(TOO_BIG,   "the caller's data is over its limit")                       \
    ST(NOT_FOUND, "no such thing")                                             \
    ST(RESERVED,  "it is not the caller's to change")                          \
    ST(WITHDRAWN, "its publisher has withdrawn it")                            \
    ST(EMPTY,     "nothing to take")                                           \
    ST(FULL,      "a queue has no room now")                                   \
    ST(NO_SPACE,  "the disk or the journal's map has no room")                 \
    ST(CLOSED,    "the other side is gone or stopping")                        \
    ST(TIMEOUT,   "the deadline passed")                                       \
    ST(BUSY,      "somebody else holds it")                                    \
    ST(CORRUPT,   "stored bytes do not match their checksum or form")          \
    ST(IO,        "the system refused a read or write")
/* clang-format on */

enum status {
#define ST(name, text) ST_##name,
    STATUS_TABLE(ST)
#undef ST
};

/* The sentence of the table, for logs and answers. */
const char *status_text(enum status st);

/* The name in the table without its prefix, "OK", "BAD_INPUT"... */
const char *status_name(enum status st);

#define MUST_USE __attribute__((warn_unused_result))

#endif
