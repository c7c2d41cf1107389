/* check.h -- bugs stop the program, with a message, in every build.
 *
 * Threads   Any.
 * Memory    must_* never return NULL: for small things of a size that we
 *           choose. What a stranger may make big is limited before it comes
 *           here.
 * Units     Bytes.
 * Errors    None return: a failed check aborts.
 */
#ifndef TIDINGS_CHECK_H
#define TIDINGS_CHECK_H

#include <stddef.h>

_Noreturn void check_failed(const char *claim, const char *file, int line);

#define CHECK(claim)                                                           \
    do {                                                                       \
        if (__builtin_expect(!(claim), 0))                                     \
            check_failed(#claim, __FILE__, __LINE__);                          \
    } while (0)

void *must_malloc(size_t bytes);
void *must_calloc(size_t count, size_t bytes);
void *must_realloc(void *old, size_t bytes);
char *must_strdup(const char *text);

#endif
