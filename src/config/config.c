/* config.c -- the tables of config.h as rows, and a record of each.
 *
 * The X-macros are expanded twice: in config.h into struct members, here into
 * rows that say where each member lies. Everything else (defaults, reading,
 * printing, help) walks the rows, so a new setting is one line in config.h.
 *
 * Values are copied in and out with memcpy: a row knows an offset, not a type
 * with its alignment.
 */
#include <tidings/check.h>
#include <tidings/wire.h>

#include <stdlib.h>

#include "setting.h"

/* clang-format off */
#define FLAG(name, initial, unit, help)                                        \
    {#name, SETTING_FLAG, offsetof(RECORD, name), initial, NULL, 0, 1, unit,   \
     NULL, help},
#define WORD(name, initial, unit, help)                                        \
    {#name, SETTING_WORD, offsetof(RECORD, name), 0, initial, 0, 0, unit,      \
     NULL, help},
#define NUMBER(name, initial, least, most, unit, help)                         \
    {#name, SETTING_NUMBER, offsetof(RECORD, name), initial, NULL, least,      \
     most, unit, NULL, help},
#define CHOICE(name, initial, choices, help)                                   \
    {#name, SETTING_CHOICE, offsetof(RECORD, name), 0, initial, 0, 0,          \
     "choice", choices, help},

static const struct setting server_rows[] = {
#define RECORD struct config
    SETTINGS(NUMBER, FLAG, WORD, CHOICE)
#undef RECORD
};

static const struct setting channel_rows[] = {
#define RECORD struct channel_config
    CHANNEL_SETTINGS(NUMBER, CHOICE)
#undef RECORD
};
/* clang-format on */
#undef FLAG
#undef WORD
#undef NUMBER
#undef CHOICE

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])

_Static_assert(COUNT_OF(server_rows) <= SETTINGS_MAX, "raise SETTINGS_MAX");

const struct setting_table server_settings = {server_rows,
                                              COUNT_OF(server_rows)};
const struct setting_table channel_settings = {channel_rows,
                                               COUNT_OF(channel_rows)};

static bool is_same_name(struct text typed, const char *name)
{
    for (size_t i = 0; i < typed.length; i++) {
        const char c = typed.bytes[i] == '-' ? '_' : typed.bytes[i];

        if (c != name[i]) /* also at the end of `name` */
            return false;
    }
    return name[typed.length] == '\0';
}

const struct setting *setting_find(const struct setting_table *table,
                                   struct text name)
{
    for (unsigned i = 0; i < table->count; i++)
        if (is_same_name(name, table->rows[i].name))
            return &table->rows[i];
    return NULL;
}

bool setting_is_secret(const struct setting *setting)
{
    return strcmp(setting->unit, "secret") == 0;
}

static void set_default(const struct setting *setting, char *at)
{
    const bool flag = setting->initial != 0;
    char *word;

    switch (setting->kind) {
    case SETTING_NUMBER:
        memcpy(at, &setting->initial, sizeof setting->initial);
        break;
    case SETTING_FLAG:
        memcpy(at, &flag, sizeof flag);
        break;
    case SETTING_WORD:
        word = must_strdup(setting->initial_text);
        memcpy(at, &word, sizeof word);
        break;
    case SETTING_CHOICE:
        memcpy(at, &setting->initial_text, sizeof setting->initial_text);
        break;
    }
}

void record_init(const struct setting_table *table, void *record)
{
    for (unsigned i = 0; i < table->count; i++)
        set_default(&table->rows[i], (char *)record + table->rows[i].offset);
}

void record_fini(const struct setting_table *table, void *record)
{
    for (unsigned i = 0; i < table->count; i++) {
        char *at = (char *)record + table->rows[i].offset;
        char *word;

        if (table->rows[i].kind != SETTING_WORD)
            continue;
        memcpy(&word, at, sizeof word);
        free(word);
        word = NULL;
        memcpy(at, &word, sizeof word);
    }
}

void config_init(struct config *config)
{
    record_init(&server_settings, config);
    config->channels = NULL;
    config->channel_count = 0;
}

void config_fini(struct config *config)
{
    record_fini(&server_settings, config);
    for (unsigned i = 0; i < config->channel_count; i++)
        free(config->channels[i].pattern);
    free(config->channels);
    config->channels = NULL;
    config->channel_count = 0;
}

struct channel_config *config_add_channel(struct config *config,
                                          struct text pattern)
{
    struct channel_config *fresh;

    config->channels =
        must_realloc(config->channels,
                     (config->channel_count + 1u) * sizeof config->channels[0]);
    fresh = &config->channels[config->channel_count++];
    record_init(&channel_settings, fresh);
    fresh->pattern = must_malloc(pattern.length + 1);
    memcpy(fresh->pattern, pattern.bytes, pattern.length);
    fresh->pattern[pattern.length] = '\0';
    return fresh;
}

const struct channel_config *config_channel(const struct config *config,
                                            struct text channel)
{
    for (unsigned i = 0; i < config->channel_count; i++)
        if (selector_matches(text_of(config->channels[i].pattern), channel))
            return &config->channels[i];
    return NULL;
}
