/* check.c -- the end of a program that found a bug in itself.
 *
 * The claim that did not hold goes to standard error in the form of every other
 * diagnostic line, straight and not through the logger: what is broken may be
 * the logger. abort() then leaves a core for the debugger.
 *
 * The allocators are for things of a size that we choose. When the machine
 * cannot give those, no answer that we could send would come out right either.
 */
#include <tidings/check.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_failed(const char *claim, const char *file, int line)
{
    fprintf(stderr,
            "level=error chapter=check what=\"this must hold and does not\" "
            "claim=\"%s\" at=%s:%d\n",
            claim, file, line);
    abort();
}

void *must_malloc(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);

    CHECK(memory != NULL);
    return memory;
}

void *must_calloc(size_t count, size_t bytes)
{
    void *memory = calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1);

    CHECK(memory != NULL);
    return memory;
}

void *must_realloc(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes > 0 ? bytes : 1);

    CHECK(memory != NULL);
    return memory;
}

char *must_strdup(const char *text)
{
    const size_t bytes = strlen(text) + 1;

    return memcpy(must_malloc(bytes), text, bytes);
}
