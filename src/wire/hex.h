/* hex.h -- one hexadecimal digit.
 *
 * Threads   Any.
 * Memory    None.
 * Units     None.
 * Errors    -1: it is none.
 */
#ifndef WIRE_HEX_H
#define WIRE_HEX_H

static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif
