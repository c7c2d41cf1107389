/* seeded_bug.h -- mistakes made on purpose, to see whether a test notices.
 *
 * Builds with -DTIDINGS_SEEDED_BUGS make the mistake whose name is in the
 * environment variable TIDINGS_BUG; in all others the question is the constant
 * `false` and the mistake is not in the program.
 *
 * Threads   Any.
 * Memory    None.
 * Units     None.
 * Errors    None.
 */
#ifndef TIDINGS_SEEDED_BUG_H
#define TIDINGS_SEEDED_BUG_H

#include <stdbool.h>

#ifdef TIDINGS_SEEDED_BUGS
bool seeded_bug(const char *name);
#else
#define seeded_bug(name) false
#endif

#endif
