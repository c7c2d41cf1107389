/* config_print.c -- the settings as a file, and as a page of help.
 *
 * The file has a comment above each setting, so that it is its own manual; what
 * it prints loads to the same settings, but for secrets: of them it says only
 * whether they are set, and of URLs not what stands before the @. The help is the
 * same table with flags.
 */
#include <tidings/buffer.h>

#include <inttypes.h>

#include "setting.h"

static void print_value(const struct setting *setting, const void *record,
                        FILE *out)
{
    struct buffer value;

    buffer_init(&value);
    setting_write(setting, record, &value);
    if (setting_is_secret(setting) && !text_is(buffer_text(&value), "\"\""))
        fprintf(out, "# %s is set, and a secret\n", setting->name);
    else
        fprintf(out, "%s = %.*s\n", setting->name,
                TEXT_ARGS(buffer_text(&value)));
    buffer_fini(&value);
}

static void print_bounds(const struct setting *setting, FILE *out)
{
    switch (setting->kind) {
    case SETTING_NUMBER:
        fprintf(out, "%" PRId64 " to %" PRId64 " %s", setting->least,
                setting->most, setting->unit);
        break;
    case SETTING_FLAG:
        fprintf(out, "yes or no");
        break;
    case SETTING_WORD:
        fprintf(out, "%s", setting->unit);
        break;
    case SETTING_CHOICE:
        fprintf(out, "%s", setting->choices);
        break;
    }
}

static bool is_said(const struct setting *setting, const void *record)
{
    int64_t number;

    if (setting->kind != SETTING_NUMBER)
        return true;
    memcpy(&number, (const char *)record + setting->offset, sizeof number);
    return number >= setting->least; /* -1 in a section: not said there */
}

void config_print(const struct config *config, FILE *out)
{
    for (unsigned i = 0; i < server_settings.count; i++) {
        const struct setting *setting = &server_settings.rows[i];

        fprintf(out, "# %s (", setting->help);
        print_bounds(setting, out);
        fprintf(out, ")\n");
        print_value(setting, config, out);
    }
    for (unsigned i = 0; i < config->channel_count; i++) {
        fprintf(out, "\n[channel %s]\n", config->channels[i].pattern);
        for (unsigned j = 0; j < channel_settings.count; j++)
            if (is_said(&channel_settings.rows[j], &config->channels[i]))
                print_value(&channel_settings.rows[j], &config->channels[i],
                            out);
    }
}

static void print_default(const struct setting *setting, FILE *out)
{
    if (setting->kind == SETTING_NUMBER && setting->initial >= setting->least)
        fprintf(out, "; default %" PRId64, setting->initial);
    else if (setting->kind == SETTING_FLAG)
        fprintf(out, "; default %s", setting->initial ? "yes" : "no");
    else if (setting->initial_text != NULL && setting->initial_text[0] != '\0')
        fprintf(out, "; default %s", setting->initial_text);
}

static void help_row(const struct setting *setting, const char *dashes,
                     FILE *out)
{
    fprintf(out, "  %s%-22s %s\n  %*s(", dashes, setting->name, setting->help,
            (int)strlen(dashes) + 23, "");
    print_bounds(setting, out);
    print_default(setting, out);
    fprintf(out, ")\n");
}

void config_help(FILE *out)
{
    fprintf(
        out,
        "Settings, weakest first: the file (--config FILE, else "
        "tidings.conf here if\nthere is one) with lines `name = value`, the "
        "environment TIDINGS_NAME, flags\n`--name value`. Times take ms s "
        "m h d, sizes K M G T, counts K M G behind\nthe number.\n\n");
    for (unsigned i = 0; i < server_settings.count; i++)
        help_row(&server_settings.rows[i], "--", out);
    fprintf(out, "\nIn a section [channel PATTERN] of the file:\n\n");
    for (unsigned i = 0; i < channel_settings.count; i++)
        help_row(&channel_settings.rows[i], "", out);
}
