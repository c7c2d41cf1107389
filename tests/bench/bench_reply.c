/* bench_reply.c -- the head of an HTTP answer, as far as the generator cares.
 *
 * Answers of a known length only: both servers give their publishers and their
 * long-poll clients a Content-Length, and a tool that understood less or more
 * could hide a server's error.
 */
#define _GNU_SOURCE /* memmem */

#include "bench_reply.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool read_number(const char *from, const char *end, size_t *value_out)
{
    size_t value = 0;

    if (from == end)
        return false;
    for (; from < end; from++) {
        if (*from < '0' || *from > '9' || value > (size_t)1 << 40)
            return false;
        value = value * 10 + (size_t)(*from - '0');
    }
    *value_out = value;
    return true;
}

const char *reply_header(const char *text, size_t head_bytes, const char *name,
                         size_t *bytes_out)
{
    const char *end = text + head_bytes;
    const char *line = memchr(text, '\n', head_bytes);
    size_t name_bytes = strlen(name);

    while (line != NULL && (size_t)(end - ++line) > name_bytes) {
        const char *stop = memchr(line, '\r', (size_t)(end - line));

        if (stop != NULL && strncasecmp(line, name, name_bytes) == 0) {
            line += name_bytes;
            while (line < stop && *line == ' ')
                line++;
            *bytes_out = (size_t)(stop - line);
            return line;
        }
        line = memchr(line, '\n', (size_t)(end - line));
    }
    return NULL;
}

enum reply_result reply_read(const char *text, size_t bytes,
                             struct reply *reply_out)
{
    const char *end = memmem(text, bytes, "\r\n\r\n", 4);
    const char *length;
    size_t digits, status;
    struct reply reply;

    if (end == NULL)
        return REPLY_SHORT;
    reply.head_bytes = (size_t)(end - text) + 4;
    if (reply.head_bytes < 16 || memcmp(text, "HTTP/1.1 ", 9) != 0 ||
        !read_number(text + 9, text + 12, &status))
        return REPLY_BAD;
    length = reply_header(text, reply.head_bytes, "content-length:", &digits);
    if (length == NULL ||
        !read_number(length, length + digits, &reply.body_bytes))
        return REPLY_BAD;
    reply.status = (unsigned)status;
    *reply_out = reply;
    return REPLY_OK;
}
