/* session_message.h -- a session's state as a message of the stream, and what the
 * server answers to who asks for it or sends it.
 *
 *   <prefix>.$tidings.sessions.<SHA-256 of the name, in hexadecimal>
 *   {"session":"s","born":7,"acked":12,"sent":14,"used":1700000000000,
 *    "by":"5fd2..."}                            and "removed":true of one that is,
 *                                               "anew":true: session_sharing.h
 *
 * One subject per session: the newest message of it is the session's state. `by`
 * is the process that wrote it, which may know more than it has written yet.
 *
 * Threads   Any.
 * Memory    The caller's structs and buffers.
 * Units     Sequences; ids.
 * Errors    ST_BAD_INPUT: not of that form.
 */
#ifndef TIDINGS_SESSION_MESSAGE_H
#define TIDINGS_SESSION_MESSAGE_H

#include <tidings/buffer.h>
#include <tidings/session_sharing.h>
#include <tidings/text.h>

#define SESSION_SUBJECT_PART ".$tidings.sessions."
#define SESSION_HASH_DIGITS  64

struct session_message {
    struct session_name name;
    struct session_state state;
    uint64_t by;
};

void session_message_print(const struct session_message *message,
                           struct buffer *out);
enum status session_message_parse(struct text text,
                                  struct session_message *out) MUST_USE;

/* Can an instance have written this as the event `id`? It had not sent what came
 * later, and its clock was right to a day. */
bool session_message_is_plausible(const struct session_message *message,
                                  uint64_t id, int64_t wall_ms);

/* Appends the subject, and a NUL that does not count. */
void session_subject_append(struct text prefix, struct text name,
                            struct buffer *out);

/* Is it the subject of any session? Of this one? */
bool session_subject_is(struct text prefix, struct text subject);
bool session_subject_fits(struct text prefix, struct text subject,
                          struct text name);

/* Does a stream that takes these subjects take those of sessions? */
bool session_subject_is_covered(struct text prefix, const char *const *patterns,
                                unsigned count);

/* What the server knows as the newest message: NOT_FOUND there is none; BUSY it
 * cannot say. Else its sequence, and its data in `data`. */
enum status session_stored_parse(struct text reply, uint64_t *sequence_out,
                                 struct buffer *data) MUST_USE;

/* What became of a message: OK stored under that sequence; RESERVED another one
 * came before; BUSY refused. */
enum status session_ack_parse(struct text reply,
                              uint64_t *sequence_out) MUST_USE;

#endif
