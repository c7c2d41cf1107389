/* version.c -- `tidings version`: ours, and that of everything we stand on.
 *
 * The versions are those that run, where a library can say so itself; jsmn is a
 * header that knows none.
 */
#include <civetweb_handoff.h>
#include <lmdb.h>
#include <nats/nats.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include <zlib.h>

#include "command.h"

int cli_version(int argc, char **argv)
{
    int major, minor, patch;

    if (argc > 0 && strcmp(argv[0], "--help") != 0)
        return cli_fail(EXIT_USAGE, "usage: tidings version");
    printf("tidings %s\n", TIDINGS_VERSION);
    printf("  civetweb %s\n", handoff_civetweb_version());
    printf("  nats.c %s\n", nats_GetVersion());
    (void)mdb_version(&major, &minor, &patch);
    printf("  lmdb %d.%d.%d\n", major, minor, patch);
    printf("  libuv %s\n", uv_version_string());
    printf("  %s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("  zlib %s\n", zlibVersion());
    return EXIT_DONE;
}
