/* config_value.c -- what one value may look like, and how it is written again.
 *
 * Numbers are whole and may carry a unit that fits their setting: times ms s m
 * h d, sizes K M G T by 1024, counts K M G by 1000. The unit of the setting's
 * name is meant when none is given. A product that overflows is out of range
 * like any other. Flags take yes/no, true/false, on/off, 1/0. Some words have a
 * form of their own, in `word_rules`.
 *
 * What setting_write writes, setting_read reads to the same value: numbers
 * without unit, words in quotes when a bare word would be read as something
 * else.
 */
#include <tidings/address.h>
#include <tidings/buffer.h>
#include <tidings/check.h>
#include <tidings/origin.h>
#include <tidings/schedule.h>
#include <tidings/wire.h>

#include <inttypes.h>
#include <stdlib.h>

#include "setting.h"

#define SHOWN_BYTES 60 /* of a bad value, in the sentence about it */

static int shown(struct text text)
{
    return (int)(text.length < SHOWN_BYTES ? text.length : SHOWN_BYTES);
}

/* ---- numbers --------------------------------------------------------------
 */

/* clang-format off */
static const struct {
    const char *unit, *suffix;
    int64_t factor;
} units[] = {
    /* of the setting   written   means */
    {"ms",     "ms", 1},
    {"ms",     "s",  1000},
    {"ms",     "m",  60 * 1000},
    {"ms",     "h",  60 * 60 * 1000},
    {"ms",     "d",  24 * 60 * 60 * 1000},
    {"s",      "s",  1},
    {"s",      "m",  60},
    {"s",      "h",  60 * 60},
    {"s",      "d",  24 * 60 * 60},
    {"bytes",  "K",  INT64_C(1) << 10},
    {"bytes",  "M",  INT64_C(1) << 20},
    {"bytes",  "G",  INT64_C(1) << 30},
    {"bytes",  "T",  INT64_C(1) << 40},
    {"count",  "K",  1000},
    {"count",  "M",  1000000},
    {"count",  "G",  1000000000},
    {"events", "K",  1000},
    {"events", "M",  1000000},
    {"events", "G",  1000000000},
};
/* clang-format on */

static int64_t unit_factor(const char *unit, struct text suffix)
{
    if (suffix.length == 0)
        return 1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].unit, unit) == 0 &&
            text_is(suffix, units[i].suffix))
            return units[i].factor;
    return 0;
}

static void list_units(const char *unit, struct buffer *out)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].unit, unit) == 0)
            buffer_printf(out, "%s%s", out->length > 0 ? " " : "",
                          units[i].suffix);
}

/* False: no number. Past the range of the type: the end of that range. */
static bool number_parse(const char *unit, struct text text, int64_t *value_out)
{
    const bool is_negative = text.length > 0 && text.bytes[0] == '-';
    size_t i = is_negative ? 1 : 0;
    const size_t first = i;
    int64_t value = 0, factor;

    for (; i < text.length && text.bytes[i] >= '0' && text.bytes[i] <= '9';
         i++) {
        const int digit = text.bytes[i] - '0';

        value =
            value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    if (i == first)
        return false;
    while (i < text.length && text.bytes[i] == ' ')
        i++;
    factor = unit_factor(unit, (struct text){text.bytes + i, text.length - i});
    if (factor == 0)
        return false;
    value = value > INT64_MAX / factor ? INT64_MAX : value * factor;
    *value_out = is_negative ? -value : value;
    return true;
}

static enum status bad_number(const struct setting *setting, struct text text,
                              char *why, size_t why_bytes)
{
    struct buffer known;

    buffer_init(&known);
    list_units(setting->unit, &known);
    if (known.length > 0)
        snprintf(why, why_bytes,
                 "%s must be a whole number (%s; may be followed by one of: "
                 "%.*s), not \"%.*s\"",
                 setting->name, setting->unit, TEXT_ARGS(buffer_text(&known)),
                 shown(text), text.bytes);
    else
        snprintf(why, why_bytes, "%s must be a whole number (%s), not \"%.*s\"",
                 setting->name, setting->unit, shown(text), text.bytes);
    buffer_fini(&known);
    return ST_BAD_INPUT;
}

static enum status read_number(const struct setting *setting, struct text text,
                               char *at, char *why, size_t why_bytes)
{
    int64_t value = 0;

    if (!number_parse(setting->unit, text, &value))
        return bad_number(setting, text, why, why_bytes);
    if (value < setting->least || value > setting->most) {
        snprintf(why, why_bytes,
                 "%s must be from %" PRId64 " to %" PRId64 " %s, not %.*s",
                 setting->name, setting->least, setting->most, setting->unit,
                 shown(text), text.bytes);
        return ST_BAD_INPUT;
    }
    memcpy(at, &value, sizeof value);
    return ST_OK;
}

/* ---- flags and choices ----------------------------------------------------
 */

bool flag_parse(struct text text, bool *value_out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true},    {"no", false}, {"true", true},
                 {"false", false}, {"on", true},  {"off", false},
                 {"1", true},      {"0", false}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (text_is(text, words[i].word)) {
            *value_out = words[i].value;
            return true;
        }
    }
    return false;
}

static enum status read_flag(const struct setting *setting, struct text text,
                             char *at, char *why, size_t why_bytes)
{
    bool value;

    if (!flag_parse(text, &value)) {
        snprintf(why, why_bytes,
                 "%s must be yes or no (also true, false, on, off), not "
                 "\"%.*s\"",
                 setting->name, shown(text), text.bytes);
        return ST_BAD_INPUT;
    }
    memcpy(at, &value, sizeof value);
    return ST_OK;
}

/* A choice is compared by its users as a string and never freed, but the table
 * has all choices of a setting in one literal: each word that was ever chosen
 * is kept here, once. */
static const char *kept_word(struct text word)
{
    static char kept[32][16];
    static unsigned count;

    for (unsigned i = 0; i < count; i++)
        if (text_is(word, kept[i]))
            return kept[i];
    CHECK(count < sizeof kept / sizeof kept[0]);
    CHECK(word.length < sizeof kept[0]);
    memcpy(kept[count], word.bytes, word.length);
    return kept[count++];
}

static enum status read_choice(const struct setting *setting, struct text text,
                               char *at, char *why, size_t why_bytes)
{
    const char *choice = setting->choices;

    while (choice != NULL) {
        const struct text word = {choice, strcspn(choice, "|")};

        if (text_equals(word, text)) {
            const char *kept = kept_word(word);

            memcpy(at, &kept, sizeof kept);
            return ST_OK;
        }
        choice = choice[word.length] == '|' ? choice + word.length + 1 : NULL;
    }
    snprintf(why, why_bytes, "%s must be one of %s, not \"%.*s\"",
             setting->name, setting->choices, shown(text), text.bytes);
    return ST_BAD_INPUT;
}

/* ---- words ----------------------------------------------------------------
 */

static bool is_address(struct text text)
{
    size_t colon = text.length;
    unsigned long port = 0;

    while (colon > 0 && text.bytes[colon - 1] != ':')
        colon--;
    if (colon < 2 || colon == text.length || text.length - colon > 5)
        return false; /* no host or no port */
    for (size_t i = colon; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        port = port * 10 + (unsigned long)(text.bytes[i] - '0');
    }
    if (text.bytes[0] == '[')
        return port <= 65535 && text.bytes[colon - 2] == ']';
    return port <= 65535 && memchr(text.bytes, ':', colon - 1) == NULL &&
           memchr(text.bytes, ',', colon - 1) == NULL &&
           memchr(text.bytes, ' ', colon - 1) == NULL;
}

static bool is_address_list(struct text text)
{
    struct text rest = text;

    while (rest.length > 0) {
        const char *comma = memchr(rest.bytes, ',', rest.length);
        const size_t length =
            comma == NULL ? rest.length : (size_t)(comma - rest.bytes);

        if (!is_address((struct text){rest.bytes, length}) ||
            length + 1 == rest.length) /* a comma at the end */
            return false;
        rest.bytes += comma == NULL ? length : length + 1;
        rest.length -= comma == NULL ? length : length + 1;
    }
    return true;
}

static bool is_not_empty(struct text text)
{
    return text.length > 0;
}

static bool file_list_is_valid(struct text list)
{
    struct text file;
    size_t cursor = 0;

    while (list_next(list, &cursor, &file))
        if (file.length == 0)
            return false;
    return list.length == 0 || list.bytes[list.length - 1] != ',';
}

static bool is_selector_or_empty(struct text text)
{
    return text.length == 0 || selector_is_valid(text);
}

static bool has_no_space(struct text text)
{
    return text.length == 0 || memchr(text.bytes, ' ', text.length) == NULL;
}

static bool is_token_or_empty(struct text text)
{
    return text.length == 0 ||
           (text.length <= 64 && channel_name_is_valid(text) &&
            memchr(text.bytes, '.', text.length) == NULL);
}

/* nats.c puts it between quotes as it is. */
static bool goes_to_nats(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == '"' || text.bytes[i] == '\\')
            return false;
    return true;
}

static bool is_nkey_or_empty(struct text text)
{
    if (text.length == 0)
        return true;
    if (text.length != 56 || text.bytes[0] != 'U')
        return false;
    for (size_t i = 0; i < text.length; i++)
        if ((text.bytes[i] < 'A' || text.bytes[i] > 'Z') &&
            (text.bytes[i] < '2' || text.bytes[i] > '7'))
            return false;
    return true;
}

/* clang-format off */
static const struct {
    const char *name;
    bool (*is_right)(struct text text);
    const char *form;
} word_rules[] = {
    {"listen",      is_address_list,       "address:port, such as 127.0.0.1:8080 or [::1]:0, or several with commas between them"},
    {"listen_tls",  is_address_list,       "address:port, such as 0.0.0.0:443 or [::1]:0, or several with commas between them"},
    {"data",        is_not_empty,          "the name of a directory"},
    {"origins",     origin_list_is_valid,  "exact origins with commas between them, such as https://www.example.org,http://localhost:3000: no path, and never * or null"},
    {"token_keys",  file_list_is_valid,    "names of files with commas between them"},
    {"anonymous_subscribe", selector_list_is_valid, "channels and patterns with commas between them, such as news,prices.*"},
    {"trusted_proxies", network_list_is_valid, "addresses and networks with commas between them, such as 10.0.0.0/8,192.0.2.7,2001:db8::/32, and no bits set behind the prefix"},
    {"websocket_root", is_selector_or_empty, "a channel or a pattern"},
    {"shutdown",    schedule_weeks_are_valid, "windows with commas between them, such as Fri 17:00 .. Sun 17:00: days are Mon Tue Wed Thu Fri Sat Sun, none ends where it begins, and together they leave some time of the week open"},
    {"nats",        has_no_space,          "NATS URLs with commas between them and no spaces"},
    {"nats_user",   goes_to_nats,          "without quotes and backslashes, which NATS' library cannot send"},
    {"nats_password", goes_to_nats,        "without quotes and backslashes, which NATS' library cannot send"},
    {"nats_token",  goes_to_nats,          "without quotes and backslashes, which NATS' library cannot send"},
    {"nats_nkey",   is_nkey_or_empty,      "a user's public key: U and 55 more of A-Z and 2-7"},
    {"presence_prefix", channel_name_is_valid, "a subject: letters, digits, _ and -, tokens joined by dots"},
    {"instance",    is_token_or_empty,     "up to 64 letters, digits, _ and -"},
    {"nats_prefix", channel_name_is_valid, "a subject: letters, digits, _ and -, tokens joined by dots"},
};
/* clang-format on */

static const char *broken_rule(const struct setting *setting, struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return "text without control characters";
    for (size_t i = 0; i < sizeof word_rules / sizeof word_rules[0]; i++)
        if (strcmp(setting->name, word_rules[i].name) == 0 &&
            !word_rules[i].is_right(text))
            return word_rules[i].form;
    return NULL;
}

static enum status read_word(const struct setting *setting, struct text text,
                             char *at, char *why, size_t why_bytes)
{
    const char *form = broken_rule(setting, text);
    char *old, *fresh;

    if (form != NULL) {
        snprintf(why, why_bytes, "%s must be %s", setting->name, form);
        return ST_BAD_INPUT;
    }
    fresh = must_malloc(text.length + 1);
    if (text.length > 0)
        memcpy(fresh, text.bytes, text.length);
    fresh[text.length] = '\0';
    memcpy(&old, at, sizeof old);
    free(old);
    memcpy(at, &fresh, sizeof fresh);
    return ST_OK;
}

/* ---- all kinds ------------------------------------------------------------
 */

enum status setting_read(const struct setting *setting, struct text text,
                         void *record, char *why, size_t why_bytes)
{
    char *at = (char *)record + setting->offset;

    switch (setting->kind) {
    case SETTING_NUMBER:
        return read_number(setting, text, at, why, why_bytes);
    case SETTING_FLAG:
        return read_flag(setting, text, at, why, why_bytes);
    case SETTING_WORD:
        return read_word(setting, text, at, why, why_bytes);
    case SETTING_CHOICE:
        return read_choice(setting, text, at, why, why_bytes);
    }
    CHECK(false);
    return ST_BAD_INPUT;
}

static bool is_plain(const char *word)
{
    const size_t length = strlen(word);

    return length > 0 && word[0] != ' ' && word[length - 1] != ' ' &&
           strpbrk(word, "#\"\\") == NULL;
}

static void write_word(const char *word, struct buffer *out)
{
    if (is_plain(word)) {
        buffer_append_string(out, word);
        return;
    }
    buffer_append_char(out, '"');
    for (; *word != '\0'; word++) {
        if (*word == '"' || *word == '\\')
            buffer_append_char(out, '\\');
        buffer_append_char(out, *word);
    }
    buffer_append_char(out, '"');
}

/* Without the words that only NATS shall know. */
static void write_urls(const char *urls, struct buffer *out)
{
    struct buffer masked;

    buffer_init(&masked);
    urls_append_masked(&masked, text_of(urls));
    buffer_append_char(&masked, '\0');
    write_word(masked.bytes, out);
    buffer_fini(&masked);
}

void setting_write(const struct setting *setting, const void *record,
                   struct buffer *out)
{
    const char *at = (const char *)record + setting->offset;
    const char *word;
    int64_t number;
    bool flag;

    switch (setting->kind) {
    case SETTING_NUMBER:
        memcpy(&number, at, sizeof number);
        buffer_printf(out, "%" PRId64, number);
        break;
    case SETTING_FLAG:
        memcpy(&flag, at, sizeof flag);
        buffer_append_string(out, flag ? "yes" : "no");
        break;
    case SETTING_WORD:
    case SETTING_CHOICE:
        memcpy(&word, at, sizeof word);
        if (strcmp(setting->unit, "url") == 0)
            write_urls(word, out);
        else
            write_word(word, out);
        break;
    }
}
