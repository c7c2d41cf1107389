/* pem.c -- every key of a PEM file.
 *
 * A file may have several, one behind the other: that is how a key is changed
 * without a moment in which neither counts. Text around the blocks is allowed,
 * as OpenSSL writes it; a block that is no key is not, since somebody thought
 * that it would do something. The EC PARAMETERS that `openssl ecparam` puts
 * before a key say nothing that the key does not say.
 *
 * A private key is taken for its public half: one file may serve who signs and
 * who checks. One under a password is refused; nobody is there to type it.
 */
#include "key.h"

#include <tidings/check.h>

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

enum block { PUBLIC, PUBLIC_RSA, PRIVATE, IGNORED, LOCKED, CERTIFICATE };

/* clang-format off */
static const struct {
    const char *name;
    enum block block;
} blocks[] = {
    {"PUBLIC KEY",            PUBLIC},
    {"RSA PUBLIC KEY",        PUBLIC_RSA},
    {"PRIVATE KEY",           PRIVATE},
    {"RSA PRIVATE KEY",       PRIVATE},
    {"EC PRIVATE KEY",        PRIVATE},
    {"EC PARAMETERS",         IGNORED},
    {"ENCRYPTED PRIVATE KEY", LOCKED},
    {"CERTIFICATE",           CERTIFICATE},
};
/* clang-format on */

struct pem_block {
    char *name, *header;
    unsigned char *bytes;
    long length;
};

static const char *find(const struct pem_block *pem, enum block *block_out)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (strcmp(pem->name, blocks[i].name) == 0) {
            *block_out = pem->header[0] != '\0' ? LOCKED : blocks[i].block;
            return NULL;
        }
    }
    return "a PEM block in it is neither a public nor a private key";
}

/* NULL with a sentence. */
static EVP_PKEY *decode(const struct pem_block *pem, enum block block,
                        const char **why_out)
{
    const unsigned char *at = pem->bytes;
    EVP_PKEY *pair = NULL;

    switch (block) {
    case PUBLIC:
        pair = d2i_PUBKEY(NULL, &at, pem->length);
        break;
    case PUBLIC_RSA:
        pair = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, pem->length);
        break;
    case PRIVATE:
        pair = d2i_AutoPrivateKey(NULL, &at, pem->length);
        break;
    case LOCKED:
        *why_out = "a private key in it is under a password; give its public "
                   "half (openssl pkey -pubout)";
        return NULL;
    case CERTIFICATE:
        *why_out = "it has a certificate; give the public key in it (openssl "
                   "x509 -pubkey -noout)";
        return NULL;
    case IGNORED:
        break;
    }
    if (pair != NULL && at == pem->bytes + pem->length)
        return pair;
    EVP_PKEY_free(pair);
    *why_out = "a PEM block in it cannot be decoded, or is of a kind that is "
               "not known";
    return NULL;
}

static enum status add(const char *place, const struct pem_block *pem,
                       struct key_list *list, char *why, size_t why_bytes)
{
    struct signing_key *key = NULL;
    enum block block = IGNORED;
    const char *sentence = find(pem, &block);
    EVP_PKEY *pair = NULL;
    enum status st = ST_BAD_INPUT;

    if (sentence == NULL && block == IGNORED)
        return ST_OK;
    if (sentence == NULL)
        pair = decode(pem, block, &sentence);
    if (pair != NULL)
        st = key_of_pair(&pair, block == PRIVATE, &key, &sentence);
    EVP_PKEY_free(pair);
    if (st == ST_OK)
        return key_list_add(list, &key, place, why, why_bytes);
    snprintf(why, why_bytes, "%s: %s", place, sentence);
    return st;
}

static void forget(struct pem_block *pem)
{
    OPENSSL_free(pem->name);
    OPENSSL_free(pem->header);
    OPENSSL_clear_free(pem->bytes, (size_t)pem->length);
}

enum status pem_read(const char *place, struct text text, struct key_list *list,
                     char *why, size_t why_bytes)
{
    BIO *file = BIO_new_mem_buf(text.bytes, (int)text.length);
    const unsigned before = list->count;
    struct pem_block pem;
    enum status st = ST_OK;
    unsigned long error;

    CHECK(file != NULL && text.length <= INT_MAX);
    ERR_clear_error();
    while (st == ST_OK && PEM_read_bio(file, &pem.name, &pem.header, &pem.bytes,
                                       &pem.length)) {
        st = add(place, &pem, list, why, why_bytes);
        forget(&pem);
        ERR_clear_error();
    }
    error = ERR_peek_last_error();
    ERR_clear_error();
    BIO_free(file);
    if (st != ST_OK)
        return st;
    if (list->count > before && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
        return ST_OK;
    snprintf(why, why_bytes, "%s: %s", place,
             list->count > before ? "a PEM block in it is broken"
                                  : "there is no whole PEM block in it");
    return ST_BAD_INPUT;
}
