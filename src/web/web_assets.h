/* web_assets.h -- the pages and scripts that are part of the program.
 *
 * The table is made at build time from the files of src/web/assets by
 * embed.cmake; a file there is served under its path below that folder.
 *
 * Threads   Any: nothing changes.
 * Memory    Static.
 * Units     Bytes.
 * Errors    None.
 */
#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H

#include <stddef.h>

struct web_asset {
    const char *path;  /* "/demo/index.html"; NULL ends the table */
    const char *bytes; /* also ended by NUL */
    size_t length;
    const char *tag; /* changes with the bytes: for ETag, quotes included */
};

extern const struct web_asset web_assets[];

#endif
