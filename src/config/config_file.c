/* config_file.c -- reads a file of settings.
 *
 *     # a comment; also behind a value, after a space
 *     retry_ms = 3s
 *     data     = "/srv/tidings data"
 *
 *     [channel orders.>]
 *     keep_count = 1000
 *
 * One setting per line. A value in quotes may contain #, and \" and \\ in it
 * mean " and \. Settings before the first section are the server's. Each may be
 * said once; sections of one pattern too: with two lines that contradict each
 * other somebody is always surprised.
 *
 * The whole file is read first (1 MiB at most), so that a bad line leaves
 * nothing half open. The first thing that is wrong ends the reading.
 */
#include <tidings/buffer.h>
#include <tidings/wire.h>

#include <errno.h>
#include <stdio.h>

#include "setting.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)

struct reading {
    struct config *config;
    const char *path;
    unsigned line;                       /* from 1 */
    const struct setting_table *table;   /* of the section we are in */
    unsigned said_in_line[SETTINGS_MAX]; /* per row of the table; 0: not yet */
    char *why;
    size_t why_bytes;
};

static enum status complain(struct reading *reading, const char *sentence)
{
    snprintf(reading->why, reading->why_bytes, "%s:%u: %s", reading->path,
             reading->line, sentence);
    return ST_BAD_INPUT;
}

/* The same about a line whose words are worth showing. */
static enum status complain_of(struct reading *reading, struct text line,
                               const char *sentence)
{
    const int shown = (int)(line.length < 60 ? line.length : 60);
    char whole[200];

    snprintf(whole, sizeof whole, "\"%.*s\" %s", shown, line.bytes, sentence);
    return complain(reading, whole);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct text trimmed(struct text text)
{
    while (text.length > 0 && is_blank(text.bytes[0])) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && is_blank(text.bytes[text.length - 1]))
        text.length--;
    return text;
}

/* ---- one value ------------------------------------------------------------
 */

static struct text without_comment(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == '#' && (i == 0 || is_blank(text.bytes[i - 1])))
            return trimmed((struct text){text.bytes, i});
    return text;
}

/* `text` starts with a quote. False: no end, or something behind the end. */
static bool unquote(struct text text, struct buffer *out)
{
    size_t i = 1;

    for (; i < text.length && text.bytes[i] != '"'; i++) {
        if (text.bytes[i] == '\\') {
            i++;
            if (i == text.length ||
                (text.bytes[i] != '"' && text.bytes[i] != '\\'))
                return false;
        }
        buffer_append_char(out, text.bytes[i]);
    }
    if (i == text.length)
        return false;
    return without_comment(
               trimmed((struct text){text.bytes + i + 1, text.length - i - 1}))
               .length == 0;
}

static void *record_of(struct reading *reading)
{
    struct config *config = reading->config;

    if (reading->table == &server_settings)
        return config;
    return &config->channels[config->channel_count - 1];
}

static enum status store(struct reading *reading, const struct setting *setting,
                         struct text value)
{
    struct buffer unquoted;
    char sentence[400];
    enum status st = ST_BAD_INPUT;

    buffer_init(&unquoted);
    if (value.length > 0 && value.bytes[0] == '"') {
        if (!unquote(value, &unquoted)) {
            snprintf(sentence, sizeof sentence,
                     "the quotes of %s are not closed properly; inside them "
                     "only \\\" and \\\\ are escapes",
                     setting->name);
            goto done;
        }
        value = buffer_text(&unquoted);
    } else {
        value = without_comment(value);
    }
    st = setting_read(setting, value, record_of(reading), sentence,
                      sizeof sentence);
done:
    if (st != ST_OK)
        st = complain(reading, sentence);
    buffer_fini(&unquoted);
    return st;
}

/* ---- one line -------------------------------------------------------------
 */

/* The name is not in the table of this section: say what is meant instead. */
static enum status unknown_name(struct reading *reading, struct text name)
{
    const bool is_in_section = reading->table == &channel_settings;
    const struct setting_table *other =
        is_in_section ? &server_settings : &channel_settings;
    const char *near = setting_suggest(reading->table, name);
    const int shown = (int)(name.length < 60 ? name.length : 60);
    char sentence[300];

    if (setting_find(other, name) != NULL)
        snprintf(sentence, sizeof sentence,
                 is_in_section
                     ? "%.*s is a setting of the whole server: put it above "
                       "the first section"
                     : "%.*s belongs into a [channel PATTERN] section",
                 shown, name.bytes);
    else if (near != NULL)
        snprintf(sentence, sizeof sentence,
                 "unknown setting \"%.*s\"; did you mean %s?", shown,
                 name.bytes, near);
    else
        snprintf(sentence, sizeof sentence, "unknown setting \"%.*s\"", shown,
                 name.bytes);
    return complain(reading, sentence);
}

static size_t word_bytes(struct text line)
{
    size_t bytes = 0;

    while (bytes < line.length && !is_blank(line.bytes[bytes]))
        bytes++;
    return bytes;
}

static enum status read_setting(struct reading *reading, struct text line)
{
    const char *equals = memchr(line.bytes, '=', line.length);
    const struct setting *setting;
    unsigned *said;
    struct text name, value;
    char sentence[200];

    if (equals == NULL) /* only its first word: the rest may be a secret */
        return complain_of(reading, (struct text){line.bytes, word_bytes(line)},
                           "is no \"name = value\"");
    name.bytes = line.bytes;
    name.length = (size_t)(equals - line.bytes);
    value.bytes = equals + 1;
    value.length = line.length - name.length - 1;
    name = trimmed(name);
    setting = setting_find(reading->table, name);
    if (setting == NULL)
        return unknown_name(reading, name);

    said = &reading->said_in_line[setting - reading->table->rows];
    if (*said != 0) {
        snprintf(sentence, sizeof sentence, "%s is already set in line %u",
                 setting->name, *said);
        return complain(reading, sentence);
    }
    *said = reading->line;
    return store(reading, setting, trimmed(value));
}

static enum status begin_section(struct reading *reading, struct text line)
{
    static const char opening[] = "[channel";
    const size_t opening_bytes = sizeof opening - 1;
    struct config *config = reading->config;
    struct text pattern;

    line = without_comment(line);
    if (line.length < opening_bytes + 2 ||
        memcmp(line.bytes, opening, opening_bytes) != 0 ||
        !is_blank(line.bytes[opening_bytes]) ||
        line.bytes[line.length - 1] != ']')
        return complain_of(reading, line,
                           "is no section: they begin with [channel PATTERN]");
    pattern = trimmed((struct text){line.bytes + opening_bytes,
                                    line.length - opening_bytes - 1});
    if (!selector_is_valid(pattern))
        return complain(reading, "the section's pattern must be a channel or a "
                                 "pattern such as orders.* or orders.>");
    for (unsigned i = 0; i < config->channel_count; i++)
        if (text_is(pattern, config->channels[i].pattern))
            return complain(reading,
                            "there is already a section of this pattern");

    (void)config_add_channel(config, pattern);
    reading->table = &channel_settings;
    memset(reading->said_in_line, 0, sizeof reading->said_in_line);
    return ST_OK;
}

static enum status read_line(struct reading *reading, struct text line)
{
    line = trimmed(line);
    if (line.length == 0 || line.bytes[0] == '#')
        return ST_OK;
    if (memchr(line.bytes, '\0', line.length) != NULL)
        return complain(reading, "there is a NUL byte in this line");
    if (line.bytes[0] == '[')
        return begin_section(reading, line);
    return read_setting(reading, line);
}

static enum status read_lines(struct reading *reading, struct text rest)
{
    if (rest.length >= 3 && memcmp(rest.bytes, "\xef\xbb\xbf", 3) == 0) {
        rest.bytes += 3; /* the mark that some editors put in front */
        rest.length -= 3;
    }
    while (rest.length > 0) {
        const char *end = memchr(rest.bytes, '\n', rest.length);
        const size_t length =
            end != NULL ? (size_t)(end - rest.bytes) : rest.length;
        const size_t used = end != NULL ? length + 1 : length;
        enum status st;

        reading->line += 1;
        st = read_line(reading, (struct text){rest.bytes, length});
        if (st != ST_OK)
            return st;
        rest.bytes += used;
        rest.length -= used;
    }
    return ST_OK;
}

/* ---- the file -------------------------------------------------------------
 */

static enum status slurp(FILE *file, struct buffer *out)
{
    size_t got;

    do {
        got = fread(buffer_reserve(out, 4096), 1, 4096, file);
        out->length += got;
    } while (got > 0 && out->length <= FILE_MAX_BYTES);
    if (ferror(file))
        return ST_IO;
    return out->length <= FILE_MAX_BYTES ? ST_OK : ST_TOO_BIG;
}

enum status config_read_file(struct config *config, const char *path, char *why,
                             size_t why_bytes)
{
    struct reading reading = {.config = config,
                              .path = path,
                              .table = &server_settings,
                              .why = why,
                              .why_bytes = why_bytes};
    struct buffer content;
    enum status st;
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        snprintf(why, why_bytes, "%s: cannot be opened: %s", path,
                 strerror(errno));
        return ST_BAD_INPUT;
    }
    buffer_init(&content);
    st = slurp(file, &content);
    if (st == ST_OK) {
        st = read_lines(&reading, buffer_text(&content));
    } else {
        snprintf(why, why_bytes, "%s: %s", path,
                 st == ST_TOO_BIG ? "is larger than 1 MiB: no settings file"
                                  : "cannot be read");
        st = ST_BAD_INPUT;
    }
    buffer_fini(&content);
    (void)fclose(file);
    return st;
}
