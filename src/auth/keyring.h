/* keyring.h -- what is inside a keyring, for who tries its keys.
 *
 * Threads   Any: fixed once made.
 * Memory    Counted by reference.
 * Units     None.
 * Errors    None.
 */
#ifndef AUTH_KEYRING_H
#define AUTH_KEYRING_H

#include <tidings/auth.h>

#include <stdatomic.h>

#include "key.h"

struct keyring {
    atomic_uint references;
    struct key_list list;
    char *issuer, *audience; /* empty: any */
};

#endif
