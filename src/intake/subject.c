/* subject.c -- which channel a NATS subject means.
 *
 * The server has matched `prefix.>` already, so the comparison with the prefix
 * only fails if something is very wrong; it costs nothing to look.
 *
 * The subject of an answer is a stranger's choice as well, and the only one of
 * a stranger's strings that is given back to the library as a subject. A space
 * or a line break in it would become part of the NATS protocol. The server
 * cannot have delivered such a thing; the rule is checked where it matters.
 */
#include "subject.h"

#include <tidings/wire.h>

#define SUBJECT_MAX_BYTES 1024

bool subject_prefix_is_valid(struct text prefix)
{
    return channel_name_is_valid(prefix);
}

bool subject_is_inner(struct text prefix, struct text subject)
{
    static const char part[] = ".$tidings.";
    const size_t part_bytes = sizeof part - 1;

    return subject.length > prefix.length + part_bytes &&
           memcmp(subject.bytes, prefix.bytes, prefix.length) == 0 &&
           memcmp(subject.bytes + prefix.length, part, part_bytes) == 0;
}

enum status subject_channel(struct text prefix, struct text subject,
                            struct text *channel_out)
{
    struct text channel;

    if (subject.length <= prefix.length + 1 ||
        memcmp(subject.bytes, prefix.bytes, prefix.length) != 0 ||
        subject.bytes[prefix.length] != '.')
        return ST_BAD_INPUT;
    channel.bytes = subject.bytes + prefix.length + 1;
    channel.length = subject.length - prefix.length - 1;
    if (!channel_name_is_valid(channel))
        return ST_BAD_INPUT;
    *channel_out = channel;
    return ST_OK;
}

bool subject_is_publishable(struct text subject)
{
    char before = '.';

    if (subject.length == 0 || subject.length > SUBJECT_MAX_BYTES)
        return false;
    for (size_t i = 0; i < subject.length; i++) {
        const char c = subject.bytes[i];

        if (c <= ' ' || c > '~' || c == '*' || c == '>')
            return false;
        if (c == '.' && before == '.')
            return false;
        before = c;
    }
    return before != '.';
}
