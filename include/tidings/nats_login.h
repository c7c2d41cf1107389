/* nats_login.h -- who we are to NATS, and by what it is checked.
 *
 * The settings nats_* as one thing that goes into the options of a connection:
 * the server's, and that of `tidings publish --nats`. One way to log in at a
 * time: user and password, token, credentials, nkey, or what the URL says; a
 * certificate goes with any.
 *
 * Threads   Any; a login is looked at only.
 * Memory    The strings are the settings', which outlive it.
 * Units     None.
 * Errors    ST_BAD_INPUT with a sentence that names settings and files, and
 *           never repeats a secret.
 */
#ifndef TIDINGS_NATS_LOGIN_H
#define TIDINGS_NATS_LOGIN_H

#include <tidings/config.h>
#include <tidings/status.h>

#include <nats/nats.h>

struct nats_login {
    const char *servers; /* comma separated */
    const char *user, *password, *token, *credentials, *nkey, *nkey_seed;
    const char *ca, *certificate, *key;
    bool wants_tls;
};

struct nats_login nats_login_of(const struct config *config);

/* Do the settings go together, and can the files be read? Opens them, speaks to
 * nobody. */
enum status nats_login_check(const struct nats_login *login, char *why,
                             size_t why_bytes) MUST_USE;

/* Puts servers and login into `options`. */
enum status nats_login_apply(const struct nats_login *login,
                             natsOptions *options, char *why,
                             size_t why_bytes) MUST_USE;

/* Only by TLS: by the setting, a tls:// URL, or a certificate that is named. */
bool nats_login_wants_tls(const struct nats_login *login);

/* How we log in, in words for an operator: "as nobody", "by token" ... */
const char *nats_login_kind(const struct nats_login *login);

#endif
