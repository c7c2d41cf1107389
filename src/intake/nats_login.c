/* nats_login.c -- the settings of NATS into the library's options.
 *
 * What does not go together is told before anybody connects: the library would
 * take two ways to log in, use one of them and say nothing.
 *
 * TLS is the server's wish too: one that requires it gets it, by the system's
 * certificates, without a setting. The setting means the other direction: a
 * server that does not offer TLS is not spoken to. The name in the server's
 * certificate is checked against the host in the URL.
 *
 * The library reads a .creds file and a seed at each connect and forgets them,
 * so a new file under the same name holds from the next connect on.
 */
#include <tidings/nats_login.h>

#include <tidings/check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS_MAX 16

static bool is_set(const char *word)
{
    return word[0] != '\0';
}

struct nats_login nats_login_of(const struct config *config)
{
    return (struct nats_login){.servers = config->nats,
                               .user = config->nats_user,
                               .password = config->nats_password,
                               .token = config->nats_token,
                               .credentials = config->nats_credentials,
                               .nkey = config->nats_nkey,
                               .nkey_seed = config->nats_nkey_seed,
                               .ca = config->nats_ca,
                               .certificate = config->nats_certificate,
                               .key = config->nats_key,
                               .wants_tls = config->nats_tls};
}

bool nats_login_wants_tls(const struct nats_login *login)
{
    return login->wants_tls || is_set(login->ca) ||
           is_set(login->certificate) ||
           strstr(login->servers, "tls://") != NULL;
}

const char *nats_login_kind(const struct nats_login *login)
{
    if (is_set(login->credentials))
        return "by a credentials file";
    if (is_set(login->nkey))
        return "by nkey";
    if (is_set(login->token))
        return "by token";
    if (is_set(login->user))
        return "by user and password";
    if (strchr(login->servers, '@') != NULL)
        return "by what the URL says";
    return is_set(login->certificate) ? "by certificate" : "as nobody";
}

/* ---- checks -------------------------------------------------------------- */

static const char *contradiction(const struct nats_login *login)
{
    const int ways = is_set(login->user) + is_set(login->token) +
                     is_set(login->credentials) + is_set(login->nkey);

    if (ways > 1)
        return "one of nats_user, nats_token, nats_credentials and nats_nkey, "
               "not several";
    if (ways == 1 && strchr(login->servers, '@') != NULL)
        return "nats names a user in its URL, and another setting does too";
    if (is_set(login->password) && !is_set(login->user))
        return "nats_password goes with nats_user";
    if (is_set(login->nkey) != is_set(login->nkey_seed))
        return "nats_nkey and nats_nkey_seed go together";
    if (is_set(login->certificate) != is_set(login->key))
        return "nats_certificate and nats_key go together";
    return NULL;
}

static enum status check_file(const char *setting, const char *path, char *why,
                              size_t why_bytes)
{
    FILE *file;

    if (!is_set(path))
        return ST_OK;
    file = fopen(path, "rb");
    if (file == NULL) {
        (void)snprintf(why, why_bytes, "%s: %.200s cannot be read", setting,
                       path);
        return ST_BAD_INPUT;
    }
    (void)fclose(file);
    return ST_OK;
}

static enum status check_files(const struct nats_login *login, char *why,
                               size_t why_bytes)
{
    const struct {
        const char *setting, *path;
    } files[] = {{"nats_credentials", login->credentials},
                 {"nats_nkey_seed", login->nkey_seed},
                 {"nats_ca", login->ca},
                 {"nats_certificate", login->certificate},
                 {"nats_key", login->key}};
    enum status st = ST_OK;

    for (unsigned i = 0; i < sizeof files / sizeof files[0] && st == ST_OK; i++)
        st = check_file(files[i].setting, files[i].path, why, why_bytes);
    return st;
}

/* ---- the library's options ----------------------------------------------- */

/* "a, b" is two servers. Strangers have no say here; the list is cut in place,
 * in a copy. */
static natsStatus set_servers(natsOptions *options, const char *servers)
{
    char *copy = must_strdup(servers), *rest = NULL;
    const char *list[SERVERS_MAX];
    int count = 0;
    natsStatus status;

    for (char *url = strtok_r(copy, ", ", &rest); url != NULL;
         url = strtok_r(NULL, ", ", &rest)) {
        if (count == SERVERS_MAX) {
            free(copy);
            return NATS_INVALID_ARG;
        }
        list[count++] = url;
    }
    status = count > 0 ? natsOptions_SetServers(options, list, count)
                       : NATS_INVALID_ARG;
    free(copy);
    return status;
}

static natsStatus set_way(natsOptions *options, const struct nats_login *login)
{
    if (is_set(login->user))
        return natsOptions_SetUserInfo(options, login->user, login->password);
    if (is_set(login->token))
        return natsOptions_SetToken(options, login->token);
    if (is_set(login->credentials))
        return natsOptions_SetUserCredentialsFromFiles(
            options, login->credentials, NULL);
    if (is_set(login->nkey))
        return natsOptions_SetNKeyFromSeed(options, login->nkey,
                                           login->nkey_seed);
    return NATS_OK;
}

static natsStatus set_tls(natsOptions *options, const struct nats_login *login,
                          const char **setting_out)
{
    natsStatus status = NATS_OK;

    if (nats_login_wants_tls(login))
        status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK && is_set(login->ca)) {
        *setting_out = "nats_ca";
        status = natsOptions_LoadCATrustedCertificates(options, login->ca);
    }
    if (status == NATS_OK && is_set(login->certificate)) {
        *setting_out = "nats_certificate and nats_key";
        status = natsOptions_LoadCertificatesChain(options, login->certificate,
                                                   login->key);
    }
    return status;
}

static enum status refuse(const char *setting, natsStatus status, char *why,
                          size_t why_bytes)
{
    (void)snprintf(why, why_bytes, "NATS: %s: %s", setting,
                   natsStatus_GetText(status));
    return ST_BAD_INPUT;
}

enum status nats_login_apply(const struct nats_login *login,
                             natsOptions *options, char *why, size_t why_bytes)
{
    const char *setting = "nats_tls";
    natsStatus status = set_servers(options, login->servers);

    if (status != NATS_OK)
        return refuse("nats", status, why, why_bytes);
    status = set_way(options, login);
    if (status != NATS_OK)
        return refuse("the login", status, why, why_bytes);
    status = set_tls(options, login, &setting);
    if (status != NATS_OK)
        return refuse(setting, status, why, why_bytes);
    return ST_OK;
}

enum status nats_login_check(const struct nats_login *login, char *why,
                             size_t why_bytes)
{
    const char *wrong = contradiction(login);
    natsOptions *options = NULL;
    enum status st;

    if (wrong != NULL) {
        (void)snprintf(why, why_bytes, "%s", wrong);
        return ST_BAD_INPUT;
    }
    st = check_files(login, why, why_bytes);
    if (st != ST_OK)
        return st;
    CHECK(natsOptions_Create(&options) == NATS_OK);
    st = nats_login_apply(login, options, why, why_bytes);
    natsOptions_Destroy(options);
    return st;
}
