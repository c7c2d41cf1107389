/* buffer.c -- bytes that grow at the end.
 *
 * Capacity doubles, from 256 bytes, so appending n bytes one by one costs O(n)
 * and a buffer is never more than twice as large as what was in it. An empty
 * buffer holds no memory: buffer_init is free and a `struct buffer` may lie in
 * things of which there are a hundred thousand.
 *
 * Numbers are written by hand: a printf per event would cost more than all the
 * rest of formatting it.
 */
#include <tidings/buffer.h>
#include <tidings/check.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 256

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){NULL, 0, 0};
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->bytes);
    buffer_init(buffer);
}

static void grow(struct buffer *buffer, size_t needed)
{
    size_t capacity =
        buffer->capacity > 0 ? buffer->capacity : (size_t)FIRST_CAPACITY;

    while (capacity < needed) {
        CHECK(capacity <= SIZE_MAX / 2);
        capacity *= 2;
    }
    buffer->bytes = must_realloc(buffer->bytes, capacity);
    buffer->capacity = capacity;
}

char *buffer_reserve(struct buffer *buffer, size_t more)
{
    CHECK(more < SIZE_MAX - buffer->length);
    if (buffer->bytes == NULL || buffer->capacity - buffer->length < more)
        grow(buffer, buffer->length + more);
    return buffer->bytes + buffer->length;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    memcpy(buffer_reserve(buffer, length), bytes, length);
    buffer->length += length;
}

void buffer_append_text(struct buffer *buffer, struct text text)
{
    buffer_append(buffer, text.bytes, text.length);
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

void buffer_append_char(struct buffer *buffer, char c)
{
    *buffer_reserve(buffer, 1) = c;
    buffer->length += 1;
}

void buffer_append_u64(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(buffer, digits + at, sizeof digits - at);
}

void buffer_append_hex(struct buffer *buffer, uint64_t number)
{
    char digits[16];
    size_t at = sizeof digits;

    do {
        digits[--at] = "0123456789abcdef"[number % 16];
        number /= 16;
    } while (number > 0);
    buffer_append(buffer, digits + at, sizeof digits - at);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    size_t room = 128; /* enough for most; else as much as the first try says */
    va_list arguments;
    int length;

    CHECK(format != NULL);
    for (;;) {
        va_start(arguments, format);
        length =
            vsnprintf(buffer_reserve(buffer, room), room, format, arguments);
        va_end(arguments);
        CHECK(length >= 0);
        if ((size_t)length < room)
            break;
        room = (size_t)length + 1;
    }
    buffer->length += (size_t)length;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    CHECK(count <= buffer->length);
    if (count == 0)
        return;
    buffer->length -= count;
    memmove(buffer->bytes, buffer->bytes + count, buffer->length);
}

char *buffer_detach(struct buffer *buffer)
{
    char *bytes = buffer->bytes;

    buffer_init(buffer);
    return bytes;
}
