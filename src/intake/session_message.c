/* session_message.c -- texts about sessions, made and read.
 *
 * Whoever may write to these subjects of the stream may say what it likes, and
 * anything at all may stand there: a message that is not exactly of the form is
 * none, and so is one under the subject of another name.
 *
 * What the server answers is its own JSON: members may be added to it, so the
 * others are passed over. Data comes in base64 of the common alphabet.
 */
#include "session_message.h"

#include "stream_ids.h"
#include "wire/json_object.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include <inttypes.h>
#include <openssl/sha.h>
#include <string.h>

#define MESSAGE_MAX_BYTES 1024
#define CODE_OVERTAKEN    10071 /* wrong last sequence */
#define CODE_OVERTAKING   10164 /* the same, by one that is on its way (2.11) */
#define CODE_NO_MESSAGE   10037
#define CLOCKS_MS         INT64_C(86400000)
#define ID_MAX            ((UINT64_C(1) << 53) - 1)

/* ---- the state ----------------------------------------------------------- */

void session_message_print(const struct session_message *message,
                           struct buffer *out)
{
    const struct session_state *state = &message->state;

    buffer_append_string(out, "{\"session\":");
    json_append_string(out, session_name_text(&message->name));
    buffer_printf(out,
                  ",\"born\":%" PRIu64 ",\"acked\":%" PRIu64
                  ",\"sent\":%" PRIu64 ",\"used\":%" PRId64
                  ",\"by\":\"%016" PRIx64 "\"%s%s}",
                  state->born, state->acked, state->sent, state->touched_ms,
                  message->by, state->is_removed ? ",\"removed\":true" : "",
                  state->is_anew ? ",\"anew\":true" : "");
}

static bool read_by(struct text value, uint64_t *by_out)
{
    struct text digits;
    uint64_t by = 0;

    if (!json_string_inside(value, &digits) || digits.length != 16)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        const char c = digits.bytes[i];

        if (c >= '0' && c <= '9')
            by = by << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            by = by << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *by_out = by;
    return true;
}

enum status session_message_parse(struct text text, struct session_message *out)
{
    struct text name, born, acked, sent, used, by, removed, anew, inside;
    const struct json_wanted wanted[] = {
        {"session", &name},    {"born", &born}, {"acked", &acked},
        {"sent", &sent},       {"used", &used}, {"by", &by},
        {"removed", &removed}, {"anew", &anew}};
    struct session_message message = {.by = 0};
    struct session_state *state = &message.state;
    uint64_t used_ms;
    const char *why;

    if (text.length > MESSAGE_MAX_BYTES ||
        json_take_apart(text, wanted, sizeof wanted / sizeof wanted[0], &why) !=
            ST_OK)
        return ST_BAD_INPUT;
    if (!json_string_inside(name, &inside) || !session_name_is_valid(inside) ||
        !stream_number_parse(born, ID_MAX, &state->born) || state->born == 0 ||
        !stream_number_parse(acked, ID_MAX, &state->acked) ||
        !stream_number_parse(sent, ID_MAX, &state->sent) ||
        !stream_number_parse(used, ID_MAX, &used_ms) ||
        !read_by(by, &message.by) ||
        (removed.length > 0 && !text_is(removed, "true")) ||
        (anew.length > 0 && !text_is(anew, "true")))
        return ST_BAD_INPUT;
    session_name_set(&message.name, inside);
    state->touched_ms = (int64_t)used_ms;
    state->is_removed = removed.length > 0;
    state->is_anew = anew.length > 0;
    *out = message;
    return ST_OK;
}

bool session_message_is_plausible(const struct session_message *message,
                                  uint64_t id, int64_t wall_ms)
{
    const struct session_state *state = &message->state;

    return state->acked <= state->sent && state->sent < id &&
           state->touched_ms <= wall_ms + CLOCKS_MS;
}

/* ---- the subject --------------------------------------------------------- */

static void hash_of(struct text name, char digits[SESSION_HASH_DIGITS])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char hash[SHA256_DIGEST_LENGTH];

    (void)SHA256((const unsigned char *)name.bytes, name.length, hash);
    for (unsigned i = 0; i < sizeof hash; i++) {
        digits[2 * i] = hex[hash[i] >> 4];
        digits[2 * i + 1] = hex[hash[i] & 15];
    }
}

void session_subject_append(struct text prefix, struct text name,
                            struct buffer *out)
{
    char digits[SESSION_HASH_DIGITS];

    hash_of(name, digits);
    buffer_append_text(out, prefix);
    buffer_append_string(out, SESSION_SUBJECT_PART);
    buffer_append(out, digits, sizeof digits);
    buffer_append_char(out, '\0');
    out->length--;
}

/* What is behind the part that all have; length 0: it is none. */
static struct text digits_of(struct text prefix, struct text subject)
{
    const size_t part = sizeof SESSION_SUBJECT_PART - 1;

    if (subject.length != prefix.length + part + SESSION_HASH_DIGITS ||
        memcmp(subject.bytes, prefix.bytes, prefix.length) != 0 ||
        memcmp(subject.bytes + prefix.length, SESSION_SUBJECT_PART, part) != 0)
        return text_of("");
    return (struct text){subject.bytes + prefix.length + part,
                         SESSION_HASH_DIGITS};
}

bool session_subject_is(struct text prefix, struct text subject)
{
    return digits_of(prefix, subject).length > 0;
}

bool session_subject_fits(struct text prefix, struct text subject,
                          struct text name)
{
    const struct text said = digits_of(prefix, subject);
    char digits[SESSION_HASH_DIGITS];

    hash_of(name, digits);
    return said.length == sizeof digits &&
           memcmp(said.bytes, digits, sizeof digits) == 0;
}

static struct text next_token(struct text *rest)
{
    const char *dot = memchr(rest->bytes, '.', rest->length);
    struct text token = *rest;

    if (dot == NULL) {
        *rest = (struct text){rest->bytes + rest->length, 0};
        return token;
    }
    token.length = (size_t)(dot - rest->bytes);
    rest->bytes += token.length + 1;
    rest->length -= token.length + 1;
    return token;
}

/* As NATS matches. The last token of `subject` stands for any: only a wildcard
 * covers it. */
static bool covers(struct text pattern, struct text subject)
{
    while (subject.length > 0) {
        const struct text token = next_token(&subject);
        const struct text wanted = next_token(&pattern);

        if (text_is(wanted, ">"))
            return true;
        if (!text_is(wanted, "*") &&
            (subject.length == 0 || !text_equals(wanted, token)))
            return false;
    }
    return pattern.length == 0;
}

bool session_subject_is_covered(struct text prefix, const char *const *patterns,
                                unsigned count)
{
    struct buffer subject;
    bool is_covered = false;

    buffer_init(&subject);
    session_subject_append(prefix, text_of("any"), &subject);
    for (unsigned i = 0; i < count; i++)
        is_covered =
            is_covered || covers(text_of(patterns[i]), buffer_text(&subject));
    buffer_fini(&subject);
    return is_covered;
}

/* ---- the server's answers ------------------------------------------------ */

static bool find_member(struct text object, const char *name,
                        struct text *value_out)
{
    struct json_member member;
    size_t cursor = 0;

    while (json_next_member(object, &cursor, &member)) {
        if (json_name_is(member.name, name)) {
            *value_out = member.value;
            return true;
        }
    }
    return false;
}

static bool is_object(struct text text)
{
    return json_is_valid(text) && json_is_object(text);
}

/* The server's own number of an error; 0: it is none. */
static uint64_t error_code(struct text reply)
{
    struct text error, code;
    uint64_t number = 1;

    if (!find_member(reply, "error", &error))
        return 0;
    if (json_is_object(error) && find_member(error, "err_code", &code))
        (void)stream_number_parse(code, ID_MAX, &number);
    return number;
}

/* From the common alphabet to the one that is read here. */
static bool decode_base64(struct text text, struct buffer *out)
{
    struct buffer url;
    bool is_right;

    while (text.length > 0 && text.bytes[text.length - 1] == '=')
        text.length--;
    buffer_init(&url);
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.bytes[i];

        buffer_append_char(&url, c == '+' ? '-' : c == '/' ? '_' : c);
    }
    is_right = base64url_decode(buffer_text(&url), out);
    buffer_fini(&url);
    return is_right;
}

enum status session_stored_parse(struct text reply, uint64_t *sequence_out,
                                 struct buffer *data)
{
    struct text message, sequence, encoded, inside;
    uint64_t number, code;

    if (!is_object(reply))
        return ST_BUSY;
    code = error_code(reply);
    if (code != 0)
        return code == CODE_NO_MESSAGE ? ST_NOT_FOUND : ST_BUSY;
    if (!find_member(reply, "message", &message) || !json_is_object(message) ||
        !find_member(message, "seq", &sequence) ||
        !stream_number_parse(sequence, UINT64_MAX, &number))
        return ST_BUSY;
    data->length = 0;
    if (find_member(message, "data", &encoded) &&
        (!json_string_inside(encoded, &inside) || !decode_base64(inside, data)))
        return ST_BUSY;
    *sequence_out = number;
    return ST_OK;
}

enum status session_ack_parse(struct text reply, uint64_t *sequence_out)
{
    struct text sequence;
    uint64_t code;

    if (!is_object(reply))
        return ST_BUSY;
    code = error_code(reply);
    if (code != 0)
        return code == CODE_OVERTAKEN || code == CODE_OVERTAKING ? ST_RESERVED
                                                                 : ST_BUSY;
    return find_member(reply, "seq", &sequence) &&
                   stream_number_parse(sequence, UINT64_MAX, sequence_out)
               ? ST_OK
               : ST_BUSY;
}
