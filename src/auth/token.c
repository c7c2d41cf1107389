/* token.c -- a JSON Web Token (RFC 7515, 7519; RFC 8725 for the traps).
 *
 *     header "." claims "." signature, each in base64url
 *
 * In this order, each step only if those before it went well:
 *
 *     1  length, three parts, the alphabet
 *     2  the header: strict JSON; alg one of ours; no crit, no b64; kid a text
 *     3  a key of exactly that alg whose kid (if both have one) is the same,
 *        and under which the signature of the bytes as they came is right
 *     4  the claims: decoded now and not before
 *
 * The key decides: the header's alg must be that of a key that we hold, and what
 * is computed follows from the key (signature.c). `kid` can only rule keys out.
 * It is compared and names nothing. jku, x5u, jwk and x5c in a header are not
 * looked at: no key comes with a token.
 */
#include <tidings/auth.h>
#include <tidings/check.h>
#include <tidings/wire.h>

#include "base/seeded_bug.h"
#include "claims.h"
#include "grant.h"
#include "keyring.h"
#include "members.h"
#include "wire/json_object.h"

/* clang-format off */
#define HEADER_MEMBERS(M) M(alg) M(kid) M(typ) M(cty) M(crit) M(b64)
/* clang-format on */

struct header {
#define M(name) struct text name;
    HEADER_MEMBERS(M)
#undef M
};

struct parts {
    struct text header, claims, signature;
    struct text message; /* what is signed: header and claims as they came */
};

static const char *split(struct text token, struct parts *parts)
{
    struct text part[3] = {{NULL, 0}};
    unsigned count = 0;
    size_t start = 0;

    if (token.length == 0)
        return "it is empty";
    if (token.length > TOKEN_MAX_BYTES)
        return "it is longer than 8192 bytes";
    for (size_t i = 0; i <= token.length; i++) {
        if (i < token.length && token.bytes[i] != '.')
            continue;
        if (count < 3)
            part[count] = (struct text){token.bytes + start, i - start};
        count++;
        start = i + 1;
    }
    if (count == 5)
        return "it has five parts: encrypted tokens are not read";
    if (count != 3)
        return "it does not have three parts with dots between";
    *parts =
        (struct parts){part[0], part[1], part[2], {token.bytes, token.length}};
    parts->message.length = part[0].length + 1 + part[1].length;
    return NULL;
}

/* ---- the header -----------------------------------------------------------
 */

static bool is_letter_case_equal(char a, char b)
{
    return a == b ||
           ((a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

static bool is_word(struct text text, const char *word)
{
    if (text.length != strlen(word))
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!is_letter_case_equal(text.bytes[i], word[i]))
            return false;
    return true;
}

/* Tokens that say that they are something else are not for us (RFC 8725 3.11):
 * a DPoP proof, a logout token. The names are media types: in any case, perhaps
 * with application/ before them. */
static bool type_is_right(struct text typ)
{
    static const char prefix[] = "application/";
    const size_t prefix_bytes = sizeof prefix - 1;
    struct text name;

    if (typ.length == 0)
        return true;
    if (!json_string_inside(typ, &name))
        return false;
    if (name.length > prefix_bytes &&
        is_word((struct text){name.bytes, prefix_bytes}, prefix)) {
        name.bytes += prefix_bytes;
        name.length -= prefix_bytes;
    }
    return is_word(name, "JWT") || is_word(name, "at+jwt");
}

static const char *judge_header(const struct header *header,
                                enum algorithm *algorithm_out,
                                struct buffer *kid)
{
    struct text alg, cty;

    if (!json_string_inside(header->alg, &alg))
        return "its header has no alg";
    if (!algorithm_find(alg, algorithm_out))
        return "its alg is none of HS256, RS256, ES256 and EdDSA";
    if (header->crit.length > 0 && !seeded_bug("token-crit-ignored"))
        return "its header has crit: it wants something that is not done here";
    if (header->b64.length > 0)
        return "its header has b64: claims are always in base64url";
    if (!type_is_right(header->typ))
        return "its typ is not JWT";
    if (header->cty.length > 0 &&
        (!json_string_inside(header->cty, &cty) || is_word(cty, "JWT")))
        return "it has another token inside";
    if (header->kid.length > 0 &&
        (!member_string(header->kid, kid) || kid->length > KID_MAX_BYTES))
        return "its kid is no text of at most 200 bytes";
    return NULL;
}

static const char *read_header(struct text part, enum algorithm *algorithm_out,
                               struct buffer *kid)
{
    struct header header;
    const struct wanted wanted[] = {
#define M(name) {#name, &header.name},
        HEADER_MEMBERS(M)
#undef M
    };
    struct buffer json;
    const char *why = NULL;

    buffer_init(&json);
    if (!base64url_decode(part, &json))
        why = "its header is not base64url";
    else if (json.length == 0 ||
             members_take(buffer_text(&json), wanted,
                          sizeof wanted / sizeof wanted[0], &why) != ST_OK)
        why = "its header is no JSON object with each name once";
    else
        why = judge_header(&header, algorithm_out, kid);
    buffer_fini(&json);
    return why;
}

/* ---- the signature --------------------------------------------------------
 */

/* Of the right kind, and not ruled out by its kid? */
static bool is_candidate(const struct signing_key *key,
                         enum algorithm algorithm, const struct buffer *kid,
                         bool *is_of_algorithm)
{
    if (key->algorithm != algorithm && !seeded_bug("token-alg-decides"))
        return false;
    *is_of_algorithm = true;
    return key->kid == NULL || kid->length == 0 ||
           text_is(buffer_text(kid), key->kid) ||
           seeded_bug("token-kid-chooses-nothing");
}

static bool is_signed_by(const struct signing_key *key,
                         enum algorithm algorithm, const struct parts *parts,
                         struct text signature)
{
    struct signing_key mistaken;

    if (!seeded_bug("token-alg-decides") || algorithm != ALGORITHM_HS256)
        return signature_is_right(key, parts->message, signature);
    mistaken = *key; /* its public half, as a secret */
    mistaken.algorithm = algorithm;
    return signature_is_right(&mistaken, parts->message, signature);
}

static const char *find_key(const struct keyring *keyring,
                            const struct parts *parts, enum algorithm algorithm,
                            struct text signature, struct token_report *report)
{
    bool is_of_algorithm = false, was_tried = false;

    for (unsigned i = 0; i < keyring->list.count; i++) {
        const struct signing_key *key = keyring->list.keys[i];

        if (!is_candidate(key, algorithm, &report->kid, &is_of_algorithm))
            continue;
        was_tried = true;
        if (is_signed_by(key, algorithm, parts, signature)) {
            report->key = (int)i;
            return NULL;
        }
    }
    if (!is_of_algorithm)
        return "no key is of its alg";
    return was_tried ? "its signature is not of a key that is held here"
                     : "no key of its alg has its kid";
}

static const char *check_signature(const struct keyring *keyring,
                                   const struct parts *parts,
                                   enum algorithm algorithm,
                                   struct token_report *report)
{
    struct buffer signature;
    const char *why;

    buffer_init(&signature);
    if (parts->signature.length == 0 && !seeded_bug("token-signature-prefix"))
        why = "it has no signature";
    else if (!base64url_decode(parts->signature, &signature))
        why = "its signature is not base64url";
    else
        why = find_key(keyring, parts, algorithm,
                       signature.length > 0 ? buffer_text(&signature)
                                            : text_of(""),
                       report);
    buffer_fini(&signature);
    return why;
}

/* ---- all together ---------------------------------------------------------
 */

static const char *check_claims(const struct keyring *keyring,
                                const struct parts *parts, int64_t now_ms,
                                struct token_report *report)
{
    const struct signing_key *key = keyring->list.keys[report->key];
    struct claims claims;
    const char *why = NULL;

    if (!base64url_decode(parts->claims, &report->claims) ||
        report->claims.length == 0)
        return "its claims are not base64url";
    if (claims_read(buffer_text(&report->claims), &claims, &why) != ST_OK)
        return why;
    memcpy(claims.grant->fingerprint, key->fingerprint, FINGERPRINT_BYTES);
    report->grant = claims.grant;
    return claims_judge(&claims, keyring, now_ms, &why) == ST_OK ? NULL : why;
}

void token_explain(const struct keyring *keyring, struct text token,
                   int64_t now_wall_ms, struct token_report *report_out)
{
    enum algorithm algorithm = ALGORITHM_HS256;
    struct parts parts;

    *report_out = (struct token_report){.key = -1};
    buffer_init(&report_out->kid);
    buffer_init(&report_out->claims);
    report_out->why = split(token, &parts);
    if (report_out->why == NULL)
        report_out->why =
            read_header(parts.header, &algorithm, &report_out->kid);
    if (report_out->why == NULL) {
        report_out->algorithm = algorithm_name(algorithm);
        report_out->why =
            check_signature(keyring, &parts, algorithm, report_out);
    }
    if (report_out->why == NULL)
        report_out->why =
            check_claims(keyring, &parts, now_wall_ms, report_out);
}

void token_report_fini(struct token_report *report)
{
    buffer_fini(&report->kid);
    buffer_fini(&report->claims);
    grant_unref(&report->grant);
}

/* How far it got. */
static enum status class_of(const struct token_report *report, int64_t now_ms)
{
    if (report->algorithm == NULL)
        return ST_BAD_INPUT;
    if (report->key < 0)
        return ST_NOT_FOUND;
    return report->grant != NULL &&
                   report->grant->expires_ms + TOKEN_LEEWAY_MS <= now_ms
               ? ST_TIMEOUT
               : ST_RESERVED;
}

enum status token_check(const struct keyring *keyring, struct text token,
                        int64_t now_wall_ms, struct grant **grant_out,
                        const char **why_out)
{
    struct token_report report;

    token_explain(keyring, token, now_wall_ms, &report);
    if (report.why != NULL) {
        const enum status st = class_of(&report, now_wall_ms);

        *why_out = report.why;
        token_report_fini(&report);
        return st;
    }
    *grant_out = report.grant;
    report.grant = NULL; /* the caller's now */
    token_report_fini(&report);
    return ST_OK;
}
