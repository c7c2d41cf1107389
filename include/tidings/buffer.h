/* buffer.h -- bytes that grow at the end.
 *
 * Threads   One owner.
 * Memory    init allocates nothing; fini frees; detach gives the bytes away.
 *           The caller bounds what strangers may append.
 * Units     Bytes.
 * Errors    None: growing aborts when memory is out.
 */
#ifndef TIDINGS_BUFFER_H
#define TIDINGS_BUFFER_H

#include <tidings/text.h>

#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *bytes;
    size_t length;
    size_t capacity;
};

void buffer_init(struct buffer *buffer);
void buffer_fini(struct buffer *buffer);

/* Makes room for `more` bytes after `length`; returns where they go. The caller
 * then adds to `length` what it wrote. */
char *buffer_reserve(struct buffer *buffer, size_t more);

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_text(struct buffer *buffer, struct text text);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_append_u64(struct buffer *buffer, uint64_t number);
void buffer_append_hex(struct buffer *buffer, uint64_t number);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets the first `count` bytes. */
void buffer_consume(struct buffer *buffer, size_t count);

/* The bytes become the caller's (free()); the buffer is empty again. */
char *buffer_detach(struct buffer *buffer);

static inline struct text buffer_text(const struct buffer *buffer)
{
    return (struct text){buffer->bytes, buffer->length};
}

#endif
