/* setting.h -- the rows of the settings tables, for the files that read them.
 *
 * Two tables, one kind of row: what the whole server has (struct config) and
 * what a `[channel PATTERN]` section may say (struct channel_config). A
 * "record" is one such struct; a row knows where in it its value lies.
 *
 * Threads   main.
 * Memory    Rows are static; the strings in a record are the record's.
 * Units     As in the tables; a place is "file:line", a flag or a variable.
 * Errors    ST_BAD_INPUT with a sentence in the caller's text.
 */
#ifndef CONFIG_SETTING_H
#define CONFIG_SETTING_H

#include <tidings/config.h>

struct buffer;

enum setting_kind {
    SETTING_NUMBER,
    SETTING_FLAG,
    SETTING_WORD,
    SETTING_CHOICE
};

struct setting {
    const char *name;
    enum setting_kind kind;
    size_t offset; /* of the value in its record */
    int64_t initial;
    const char *initial_text;
    int64_t least, most;
    const char *unit;
    const char *choices; /* "a|b|c" */
    const char *help;
};

struct setting_table {
    const struct setting *rows;
    unsigned count;
};

#define SETTINGS_MAX 192 /* rows of one table */

extern const struct setting_table server_settings;
extern const struct setting_table channel_settings;

/* ---- config.c ------------------------------------------------------------ */

/* `-` and `_` are the same. NULL if there is none. */
const struct setting *setting_find(const struct setting_table *table,
                                   struct text name);
bool setting_is_secret(const struct setting *setting);
void record_init(const struct setting_table *table, void *record);
void record_fini(const struct setting_table *table, void *record);

/* A new section at the end of the file's; its record, at its defaults. */
struct channel_config *config_add_channel(struct config *config,
                                          struct text pattern);

/* ---- config_suggest.c ---------------------------------------------------- */

/* The name that was probably meant, or NULL when none is near. */
const char *setting_suggest(const struct setting_table *table,
                            struct text name);

/* The same for names that may be meant for somebody else: slips only. */
const char *setting_misspelt(const struct setting_table *table,
                             struct text name);

/* ---- config_value.c ------------------------------------------------------ */

/* Puts what `text` says into the record, or says why not, in a sentence that
 * begins with the setting's name. */
enum status setting_read(const struct setting *setting, struct text text,
                         void *record, char *why, size_t why_bytes) MUST_USE;

/* Yes, no and their like. */
bool flag_parse(struct text text, bool *value_out);

/* The value as it can be read again, with quotes if it needs them; of URLs only
 * what may be shown. */
void setting_write(const struct setting *setting, const void *record,
                   struct buffer *out);

/* ---- config_file.c, config_environment.c, config_flags.c ----------------- */

enum status config_read_file(struct config *config, const char *path, char *why,
                             size_t why_bytes) MUST_USE;
enum status config_read_environment(struct config *config, char *why,
                                    size_t why_bytes) MUST_USE;
enum status config_read_flags(struct config *config, int argc, char **argv,
                              char *why, size_t why_bytes) MUST_USE;

#endif
