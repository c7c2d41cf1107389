/* known_flaws.h -- published flaws of what we stand on, and whether they matter
 * here.
 *
 * One row per flaw that was looked at, as of FLAWS_AS_OF: the library, the
 * flaw, the first version of its makers without it ("" if there is none yet),
 * whether it could be reached through Tidings, and why. Distributions mend flaws
 * without a new number of version: the changelog of the package says so, and the
 * program can only say which number it runs with.
 *
 * Sources: the makers' advisories, the changelogs of Debian's packages, and the
 * sources themselves for what is called from here.
 *
 * Threads   Any: constant.
 * Memory    None.
 * Units     None.
 * Errors    None.
 */
#ifndef CLI_KNOWN_FLAWS_H
#define CLI_KNOWN_FLAWS_H

#define FLAWS_AS_OF "2026-11"

/* clang-format off */
/*   library    flaw              gone in   reachable what it is, and why (not)                             */
#define KNOWN_FLAWS(F)                                                                                        \
    F(civetweb, "CVE-2020-27304", "1.15",   false, "uploads of forms to any path; forms are not civetweb's here") \
    F(civetweb, "CVE-2025-9648",  "",       false, "endless loop on a form; mg_handle_form_request is never called") \
    F(civetweb, "CVE-2025-55763", "",       false, "overflow in the redirect of a directory; no files are served, each request is answered before") \
    F(nats,     "",               "",       false, "none is known to this list")                              \
    F(lmdb,     "CVE-2019-16224", "",       false, "forged data files; who can write the journal's directory owns it anyway (so 16225 to 16228)") \
    F(uv,       "CVE-2021-22918", "1.41.1", false, "names of hosts read too far; only the client commands resolve names, as their user wrote them") \
    F(uv,       "CVE-2024-24806", "1.48.0", false, "long names of hosts are cut; only the client commands resolve names (Debian 12: gone in 1.44.2-1+deb12u1)") \
    F(openssl,  "CVE-2022-3602",  "3.0.7",  true,  "overflow by a certificate's mail address; where certificates of others are checked: NATS with TLS (so 3786)") \
    F(openssl,  "CVE-2023-0286",  "3.0.8",  true,  "X.400 addresses in a certificate; only with revocation lists, which are not used") \
    F(openssl,  "CVE-2024-2511",  "3.0.14", true,  "memory grows with TLS 1.3 sessions; a TLS listener")      \
    F(openssl,  "CVE-2024-4741",  "3.0.14", true,  "use after free in SSL_free_buffers; a TLS listener")      \
    F(openssl,  "CVE-2024-6119",  "3.0.15", true,  "crash at names of a certificate; NATS with TLS")          \
    F(openssl,  "CVE-2024-13176", "3.0.16", true,  "timing of ECDSA signatures; a TLS listener with a P-521 key") \
    F(openssl,  "CVE-2025-9230",  "3.0.18", false, "messages of CMS; none are read")                          \
    F(openssl,  "CVE-2025-15467", "3.0.19", false, "messages of CMS; none are read")                          \
    F(zlib,     "CVE-2018-25032", "1.2.12", true,  "memory corruption while compressing; streams with gzip")  \
    F(zlib,     "CVE-2022-37434", "1.2.13", false, "headers while unpacking; nothing is unpacked")            \
    F(zlib,     "CVE-2023-45853", "1.3.1",  false, "archives of minizip, which is not part of the library")   \
    F(jsmn,     "",               "",       false, "none is known to this list")
/* clang-format on */

#endif
