/* version.c -- `tidings version`: ours, and that of everything we stand on.
 *
 * The versions are those that run, where a library can say so itself; jsmn is a
 * header that knows none. With --all also those that we were built against, and
 * what is known of their flaws (known_flaws.h), one line each: whether the
 * version that runs is from before the flaw was mended, and whether it could be
 * reached from here.
 */
#include <civetweb_handoff.h>
#include <lmdb.h>
#include <nats/nats.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <zlib.h>

#include "command.h"
#include "known_flaws.h"

#define HELP                                                                   \
    "tidings version [--all]\n\n"                                              \
    "Prints the version and those of the libraries that run. --all: also "     \
    "what "                                                                    \
    "it was\nbuilt against, and the state of known flaws, as of " FLAWS_AS_OF  \
    ".\n"

/* clang-format off */
#define LIBRARIES(L)                                                           \
    L(civetweb) L(nats) L(lmdb) L(uv) L(openssl) L(zlib) L(jsmn)
/* clang-format on */

#define AS_TEXT_(token) #token
#define AS_TEXT(macro)  AS_TEXT_(macro)
#define UV_BUILT                                                               \
    AS_TEXT(UV_VERSION_MAJOR)                                                  \
    "." AS_TEXT(UV_VERSION_MINOR) "." AS_TEXT(UV_VERSION_PATCH)
#define LMDB_BUILT                                                             \
    AS_TEXT(MDB_VERSION_MAJOR)                                                 \
    "." AS_TEXT(MDB_VERSION_MINOR) "." AS_TEXT(MDB_VERSION_PATCH)

enum library {
#define L(name) LIBRARY_##name,
    LIBRARIES(L)
#undef L
};

static const struct flaw {
    enum library library;
    const char *name, *gone_in;
    bool is_reachable;
    const char *why;
} flaws[] = {
#define F(library, name, gone_in, is_reachable, why)                           \
    {LIBRARY_##library, name, gone_in, is_reachable, why},
    KNOWN_FLAWS(F)
#undef F
};

struct versions {
    const char *shown;
    const char *running; /* NULL: it cannot say */
    const char *built;
};

static const char *lmdb_running(void)
{
    static char text[32];
    int major, minor, patch;

    (void)mdb_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

/* "OpenSSL 3.0.19 27 Jan 2026" without what is around the number. */
static const char *openssl_running(void)
{
    static char text[32];

    snprintf(text, sizeof text, "%u.%u.%u", OPENSSL_version_major(),
             OPENSSL_version_minor(), OPENSSL_version_patch());
    return text;
}

static struct versions versions_of(enum library library)
{
    switch (library) {
    case LIBRARY_civetweb:
        return (struct versions){"civetweb", handoff_civetweb_version(),
                                 handoff_civetweb_version()};
    case LIBRARY_nats:
        return (struct versions){"nats.c", nats_GetVersion(),
                                 NATS_VERSION_STRING};
    case LIBRARY_lmdb:
        return (struct versions){"lmdb", lmdb_running(), LMDB_BUILT};
    case LIBRARY_uv:
        return (struct versions){"libuv", uv_version_string(), UV_BUILT};
    case LIBRARY_openssl:
        return (struct versions){"OpenSSL", openssl_running(),
                                 OPENSSL_VERSION_STR};
    case LIBRARY_zlib:
        return (struct versions){"zlib", zlibVersion(), ZLIB_VERSION};
    case LIBRARY_jsmn:
        return (struct versions){"jsmn", NULL, "a header without a number"};
    }
    return (struct versions){"", NULL, ""};
}

/* By its numbers; what is behind them ("-dev") does not count. */
static bool is_before(const char *version, const char *other)
{
    while (*version != '\0' || *other != '\0') {
        char *behind, *other_behind;
        long number = strtol(version, &behind, 10);
        long other_number = strtol(other, &other_behind, 10);

        if (number != other_number)
            return number < other_number;
        version = *behind == '.' ? behind + 1 : "";
        other = *other_behind == '.' ? other_behind + 1 : "";
    }
    return false;
}

static const char *state_of(const struct flaw *flaw, const char *running)
{
    bool is_there = flaw->gone_in[0] == '\0' || running == NULL ||
                    is_before(running, flaw->gone_in);

    if (!is_there)
        return "not in this version";
    return flaw->is_reachable ? "CONCERNS US unless the package has a patch"
                              : "not reachable";
}

static void print_library(enum library library, bool with_built)
{
    struct versions versions = versions_of(library);

    if (versions.running == NULL && !with_built)
        return;
    printf("  %s %s", versions.shown,
           versions.running != NULL ? versions.running : versions.built);
    if (with_built && versions.running != NULL)
        printf(" (built against %s)", versions.built);
    putchar('\n');
}

static void print_flaws(void)
{
    printf("known flaws, as of %s:\n", FLAWS_AS_OF);
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        struct versions versions = versions_of(flaws[i].library);

        if (flaws[i].name[0] == '\0')
            printf("  %-9s %s\n", versions.shown, flaws[i].why);
        else
            printf("  %-9s %s (%s%s): %s: %s\n", versions.shown, flaws[i].name,
                   flaws[i].gone_in[0] != '\0' ? "before " : "all",
                   flaws[i].gone_in, state_of(&flaws[i], versions.running),
                   flaws[i].why);
    }
}

int cli_version(int argc, char **argv)
{
    bool is_all = argc == 1 && strcmp(argv[0], "--all") == 0;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(HELP, stdout);
        return EXIT_DONE;
    }
    if (argc > 0 && !is_all)
        return cli_fail(EXIT_USAGE, "usage: tidings version [--all]");
    printf("tidings %s\n", TIDINGS_VERSION);
#define L(name) print_library(LIBRARY_##name, is_all);
    LIBRARIES(L)
#undef L
    if (is_all)
        print_flaws();
    return EXIT_DONE;
}
