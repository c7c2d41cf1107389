/* subject.h -- which channel a NATS subject means.
 *
 * Subject = prefix, a dot, channel. What is no channel name is refused here,
 * before anything of it is stored or written anywhere: NATS itself lets nearly
 * every byte into a subject, and its C library passes CR LF on.
 *
 * Threads   Any.
 * Memory    The channel looks into the subject.
 * Units     Bytes.
 * Errors    ST_BAD_INPUT.
 */
#ifndef TIDINGS_SUBJECT_H
#define TIDINGS_SUBJECT_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>

/* May it stand before the dot? The rules are those of a channel's name. */
bool subject_prefix_is_valid(struct text prefix);

/* Is it one by which instances tell each other something? "<prefix>.$tidings." is
 * before all of them; what this version does not know is not for it. */
bool subject_is_inner(struct text prefix, struct text subject);

enum status subject_channel(struct text prefix, struct text subject,
                            struct text *channel_out) MUST_USE;

/* May an answer be published there? Printable ASCII without spaces, tokens that
 * are not empty, no wildcards, of a length that nobody needs more of. */
bool subject_is_publishable(struct text subject);

#endif
