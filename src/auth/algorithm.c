/* algorithm.c -- the table of algorithms, looked up both ways.
 *
 * `none` and everything else that RFC 7518 has is not in the table, so it does
 * not exist here: there is no code that could be talked into it.
 */
#include "algorithm.h"

#include <stddef.h>

static const struct {
    const char *name, *kty, *curve, *key;
} row[] = {
#define A(id, name, kty, crv, what) {name, kty, crv, what},
    ALGORITHMS(A)
#undef A
};

#define ALGORITHM_COUNT (sizeof row / sizeof row[0])

bool algorithm_find(struct text name, enum algorithm *algorithm_out)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (text_is(name, row[i].name)) {
            *algorithm_out = (enum algorithm)i;
            return true;
        }
    }
    return false;
}

bool algorithm_of_kty(struct text kty, enum algorithm *algorithm_out)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (text_is(kty, row[i].kty)) {
            *algorithm_out = (enum algorithm)i;
            return true;
        }
    }
    return false;
}

const char *algorithm_name(enum algorithm algorithm)
{
    return row[algorithm].name;
}

const char *algorithm_curve(enum algorithm algorithm)
{
    return row[algorithm].curve;
}

const char *algorithm_key(enum algorithm algorithm)
{
    return row[algorithm].key;
}
