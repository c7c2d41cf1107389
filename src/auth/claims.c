/* claims.c -- what a token says, made into a grant.
 *
 *     exp         needed: a time, whole or decimal seconds since 1970
 *     nbf, iat    times, if they are there
 *     sub         a text of at most 255 bytes without control characters
 *     iss         a text; compared when the settings name one
 *     aud         a text or an array of texts; the same
 *     subscribe   an array of selectors, or one selector
 *     publish     the same
 *     admin       true or false
 *
 * A claim that is not what it must be makes the whole token bad: dropping it
 * would mean something else than its maker meant. Other claims are nobody's
 * business here.
 *
 * Times have a leeway of a minute when a token is checked, since clocks differ.
 */
#include "claims.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include <math.h>
#include <stdlib.h>

#include "base/seeded_bug.h"
#include "grant.h"
#include "keyring.h"
#include "members.h"
#include "wire/json_object.h"

#define YEAR_9999_S      253402300799.0
#define NUMBER_MAX_BYTES 40

/* clang-format off */
#define CLAIMS(C)                                                              \
    C(exp) C(nbf) C(iat) C(sub) C(iss) C(aud) C(subscribe) C(publish) C(admin)
/* clang-format on */

struct raw {
#define C(name) struct text name;
    CLAIMS(C)
#undef C
};

static enum status refused(const char **why_out, const char *sentence)
{
    *why_out = sentence;
    return ST_BAD_INPUT;
}

static bool is_there(struct text value)
{
    return value.length > 0;
}

/* A JSON number of seconds in a sensible range. */
static bool time_of(struct text value, int64_t *ms_out)
{
    char digits[NUMBER_MAX_BYTES + 1];
    double seconds;

    if (value.length > NUMBER_MAX_BYTES ||
        strchr("-0123456789", value.bytes[0]) == NULL)
        return false;
    memcpy(digits, value.bytes, value.length);
    digits[value.length] = '\0';
    seconds = strtod(digits, NULL);
    if (!isfinite(seconds) || seconds < 0 || seconds > YEAR_9999_S)
        return false;
    *ms_out = (int64_t)(seconds * 1000);
    return true;
}

static enum status take_times(const struct raw *raw, struct claims *claims,
                              const char **why_out)
{
    int64_t issued_ms;

    if (!is_there(raw->exp))
        return refused(why_out, "it has no exp: a token must end");
    if (!time_of(raw->exp, &claims->grant->expires_ms))
        return refused(why_out, "its exp is no time in seconds");
    if (is_there(raw->nbf) && !time_of(raw->nbf, &claims->not_before_ms))
        return refused(why_out, "its nbf is no time in seconds");
    if (is_there(raw->iat) && !time_of(raw->iat, &issued_ms))
        return refused(why_out, "its iat is no time in seconds");
    return ST_OK;
}

static bool is_one_line(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < ' ' || text.bytes[i] == 0x7f)
            return false;
    return true;
}

static bool is_string(struct text value)
{
    return value.bytes[0] == '"';
}

static bool are_strings(struct text array)
{
    struct text element;
    size_t cursor = 0;

    while (json_next_element(array, &cursor, &element))
        if (!is_string(element))
            return false;
    return true;
}

static enum status take_names(const struct raw *raw, struct claims *claims,
                              const char **why_out)
{
    struct buffer *subject = &claims->grant->subject;

    if (is_there(raw->sub) && (!member_string(raw->sub, subject) ||
                               subject->length > SUBJECT_MAX_BYTES ||
                               !is_one_line(grant_subject(claims->grant))))
        return refused(why_out, "its sub is no text of at most 255 bytes on "
                                "one line");
    if (is_there(raw->iss) && !is_string(raw->iss))
        return refused(why_out, "its iss is no text");
    if (is_there(raw->aud) && !is_string(raw->aud) &&
        !(raw->aud.bytes[0] == '[' && are_strings(raw->aud)))
        return refused(why_out, "its aud is neither a text nor texts");
    claims->issuer = raw->iss;
    claims->audience = raw->aud;
    return ST_OK;
}

/* ---- rights ---------------------------------------------------------------
 */

static enum status add_selector(struct text value, struct selectors *selectors,
                                struct buffer *scratch, const char **why_out)
{
    if (!member_string(value, scratch) ||
        !selector_is_valid(scratch->length > 0 ? buffer_text(scratch)
                                               : text_of("")))
        return refused(why_out, "a selector in its subscribe or publish is "
                                "neither a channel nor a pattern");
    if (selectors->count == GRANT_SELECTORS_MAX)
        return refused(why_out, "its subscribe or publish has more than 256 "
                                "selectors");
    if (selectors->count++ > 0)
        buffer_append_char(&selectors->list, ',');
    buffer_append_text(&selectors->list, buffer_text(scratch));
    return ST_OK;
}

static enum status take_selectors(struct text value,
                                  struct selectors *selectors,
                                  const char **why_out)
{
    struct buffer scratch;
    enum status st = ST_OK;
    struct text element;
    size_t cursor = 0;

    if (!is_there(value))
        return ST_OK;
    buffer_init(&scratch);
    if (value.bytes[0] == '[') {
        while (st == ST_OK && json_next_element(value, &cursor, &element))
            st = add_selector(element, selectors, &scratch, why_out);
    } else {
        st = add_selector(value, selectors, &scratch, why_out);
    }
    buffer_fini(&scratch);
    return st;
}

static enum status take_rights(const struct raw *raw, struct grant *grant,
                               const char **why_out)
{
    enum status st = take_selectors(raw->subscribe,
                                    &grant->rights[RIGHT_SUBSCRIBE], why_out);

    if (st == ST_OK)
        st = take_selectors(raw->publish, &grant->rights[RIGHT_PUBLISH],
                            why_out);
    if (st != ST_OK)
        return st;
    grant->is_admin = text_is(raw->admin, "true");
    if (is_there(raw->admin) && !grant->is_admin &&
        !text_is(raw->admin, "false"))
        return refused(why_out, "its admin is neither true nor false");
    return ST_OK;
}

enum status claims_read(struct text json, struct claims *claims_out,
                        const char **why_out)
{
    struct raw raw;
    const struct wanted wanted[] = {
#define C(name) {#name, &raw.name},
        CLAIMS(C)
#undef C
    };
    const char *sentence = "";
    struct claims claims = {grant_create(), {"", 0}, {"", 0}, 0};
    enum status st =
        members_take(json, wanted, sizeof wanted / sizeof wanted[0], &sentence);

    if (st != ST_OK)
        *why_out = "its claims are no JSON object with each name once";
    if (st == ST_OK)
        st = take_times(&raw, &claims, why_out);
    if (st == ST_OK)
        st = take_names(&raw, &claims, why_out);
    if (st == ST_OK)
        st = take_rights(&raw, claims.grant, why_out);
    if (st == ST_OK)
        *claims_out = claims;
    else
        grant_unref(&claims.grant);
    return st;
}

/* ---- do they hold? --------------------------------------------------------
 */

static bool is_for(struct text audience, const char *us)
{
    struct text element;
    size_t cursor = 0;

    if (!is_there(audience))
        return false;
    if (is_string(audience))
        return member_is(audience, us);
    while (json_next_element(audience, &cursor, &element))
        if (member_is(element, us))
            return true;
    return false;
}

enum status claims_judge(const struct claims *claims,
                         const struct keyring *keyring, int64_t now_ms,
                         const char **why_out)
{
    if (claims->grant->expires_ms + TOKEN_LEEWAY_MS <= now_ms &&
        !seeded_bug("token-exp-unchecked"))
        return refused(why_out, "it has expired");
    if (claims->not_before_ms > now_ms + TOKEN_LEEWAY_MS &&
        !seeded_bug("token-nbf-unchecked"))
        return refused(why_out, "it is not valid yet");
    if (keyring->issuer[0] != '\0' &&
        !(is_there(claims->issuer) &&
          member_is(claims->issuer, keyring->issuer)) &&
        !seeded_bug("token-iss-unchecked"))
        return refused(why_out, "its iss is not the one of token_issuer");
    if (keyring->audience[0] != '\0' &&
        !is_for(claims->audience, keyring->audience) &&
        !seeded_bug("token-aud-unchecked"))
        return refused(why_out, "its aud is not the one of token_audience");
    return ST_OK;
}
