/* web_assets.h -- the pages and scripts that are part of the program.
 *
 * The table is made at build time by embed.cmake from the files of
 * src/web/assets, each served under its path below that folder, and from the
 * browser client in clients/js, served as /tidings.js and its relatives.
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
