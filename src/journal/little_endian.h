/* little_endian.h -- numbers in stored bytes, the same on every machine.
 *
 * Threads   Any.
 * Memory    The caller's; no alignment is asked for.
 * Units     Bytes.
 * Errors    None.
 */
#ifndef JOURNAL_LITTLE_ENDIAN_H
#define JOURNAL_LITTLE_ENDIAN_H

#include <stdint.h>

/* Compilers make one store or load of each loop. */

static inline void put_u32(unsigned char *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(number >> (8 * i));
}

static inline void put_u64(unsigned char *at, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(number >> (8 * i));
}

static inline uint32_t get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static inline uint64_t get_u64(const unsigned char *at)
{
    return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

#endif
