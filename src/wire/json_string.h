/* json_string.h -- the escapes of a JSON string.
 *
 * Threads   Any.
 * Memory    None.
 * Units     Bytes.
 * Errors    False or 0: there is no such escape.
 */
#ifndef WIRE_JSON_STRING_H
#define WIRE_JSON_STRING_H

#include <stdbool.h>

/* What the letter after a backslash stands for (`n`: LF); 0 if nothing. */
char json_short_escape(char letter);

/* Four hexadecimal digits at `at`. */
bool json_hex4(const char *at, const char *end, unsigned *code_out);

#endif
