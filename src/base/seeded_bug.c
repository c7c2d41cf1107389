/* seeded_bug.c -- asks the environment, in the build that makes mistakes.
 *
 * The variable is read at each question: the questions are asked once per event
 * at most, in a build whose speed nobody measures.
 */
#include "seeded_bug.h"

#ifdef TIDINGS_SEEDED_BUGS

#include <stdlib.h>
#include <string.h>

bool seeded_bug(const char *name)
{
    const char *chosen = getenv("TIDINGS_BUG");

    return chosen != NULL && strcmp(chosen, name) == 0;
}

#else

typedef int seeded_bug_is_off; /* ISO C wants a declaration in each file */

#endif
