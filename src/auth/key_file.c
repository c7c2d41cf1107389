/* key_file.c -- what kind of key file it is, by what is in it.
 *
 *     {"kty":..., {"keys":[...]     a JWK or a set of them (jwk.c); a text
 *     -----BEGIN                    PEM, anywhere in it (pem.c)
 *     anything else                 the bytes of a secret
 *
 * A secret of printable characters only was written by an editor or by echo,
 * and the line end behind it is not part of it; one with any other byte counts
 * with its last byte, whatever that is. What looks like a key in a wrapping
 * that is not read here is refused as a secret (key.c).
 */
#include "key.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX_BYTES ((size_t)1 << 18)

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

static bool has_pem(struct text bytes)
{
    static const char begin[] = "-----BEGIN ";

    for (size_t i = 0; i + sizeof begin - 1 <= bytes.length; i++)
        if (memcmp(bytes.bytes + i, begin, sizeof begin - 1) == 0)
            return true;
    return false;
}

/* A text that opens a brace; random bytes may begin with one, too. */
static bool is_object(struct text bytes)
{
    size_t i = 0;

    while (i < bytes.length && is_space(bytes.bytes[i]))
        i++;
    if (i == bytes.length || bytes.bytes[i] != '{' || !utf8_is_valid(bytes))
        return false;
    for (; i < bytes.length; i++)
        if ((unsigned char)bytes.bytes[i] < ' ' && !is_space(bytes.bytes[i]))
            return false;
    return true;
}

static struct text secret_of(struct text bytes)
{
    struct text secret = bytes;

    if (secret.length > 0 && secret.bytes[secret.length - 1] == '\n')
        secret.length--;
    if (secret.length > 0 && secret.bytes[secret.length - 1] == '\r')
        secret.length--;
    for (size_t i = 0; i < secret.length; i++)
        if (!is_printable(secret.bytes[i]))
            return bytes;
    return secret;
}

static enum status read_secret(const char *place, struct text secret,
                               struct key_list *list, char *why,
                               size_t why_bytes)
{
    struct signing_key *key = NULL;
    const char *sentence = "";
    const enum status st = key_of_secret(secret, &key, &sentence);

    if (st == ST_OK)
        return key_list_add(list, &key, place, why, why_bytes);
    snprintf(why, why_bytes, "%s: %s", place, sentence);
    return st;
}

enum status key_bytes_read(const char *place, struct text bytes,
                           struct key_list *list, char *why, size_t why_bytes)
{
    if (is_object(bytes))
        return jwk_read(place, bytes, list, why, why_bytes);
    if (has_pem(bytes))
        return pem_read(place, bytes, list, why, why_bytes);
    return read_secret(place, secret_of(bytes), list, why, why_bytes);
}

enum status key_file_read(const char *path, struct key_list *list, char *why,
                          size_t why_bytes)
{
    FILE *file = fopen(path, "rb");
    enum status st = ST_BAD_INPUT;
    char *bytes;
    size_t length;

    if (file == NULL) {
        snprintf(why, why_bytes, "%s: cannot be opened: %s", path,
                 strerror(errno));
        return ST_BAD_INPUT;
    }
    (void)setvbuf(file, NULL, _IONBF, 0); /* no second copy of a secret */
    bytes = must_malloc(FILE_MAX_BYTES + 1);
    length = fread(bytes, 1, FILE_MAX_BYTES + 1, file);
    if (ferror(file) != 0)
        snprintf(why, why_bytes, "%s: cannot be read", path);
    else if (length > FILE_MAX_BYTES)
        snprintf(why, why_bytes, "%s: is larger than 256 KiB: no key file",
                 path);
    else
        st = key_bytes_read(path, (struct text){bytes, length}, list, why,
                            why_bytes);
    (void)fclose(file);
    OPENSSL_cleanse(bytes, length);
    free(bytes);
    return st;
}
