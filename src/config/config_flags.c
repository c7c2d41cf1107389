/* config_flags.c -- settings out of the command line, and all sources in order.
 *
 * `--name value` and `--name=value`; `-` and `_` in a name are the same. A flag
 * setting may stand alone (`--insecure`) and means yes; a word behind it that
 * says yes or no belongs to it. A value that starts with `--` needs the `=`
 * form: otherwise a forgotten value would swallow the next flag without a word.
 *
 * `--config FILE` is looked for first, because what is in the file is weaker
 * than the environment and the flags; reading the flags then passes over it.
 */
#include <errno.h>
#include <stdio.h>

#include "setting.h"

#define HOME_FILE "tidings.conf"

/* The command line, and how far it was read. */
struct words {
    int argc;
    char **argv;
    int at;
};

struct flag {
    struct text name;
    const char *value; /* NULL: none in this word */
};

/* Takes `--name` or `--name=value` apart; false if the word is neither. */
static bool split(const char *word, struct flag *flag_out)
{
    const char *equals;

    if (strncmp(word, "--", 2) != 0 || word[2] == '\0' || word[2] == '=')
        return false;
    equals = strchr(word, '=');
    flag_out->name.bytes = word + 2;
    flag_out->name.length =
        equals != NULL ? (size_t)(equals - word - 2) : strlen(word + 2);
    flag_out->value = equals != NULL ? equals + 1 : NULL;
    return true;
}

/* The next word as this flag's value, if it has none of its own. */
static void take_value(struct flag *flag, struct words *words)
{
    if (flag->value != NULL || words->at + 1 >= words->argc ||
        strncmp(words->argv[words->at + 1], "--", 2) == 0)
        return;
    words->at += 1;
    flag->value = words->argv[words->at];
}

static void take_yes_or_no(struct flag *flag, struct words *words)
{
    bool ignored;

    if (flag->value == NULL && words->at + 1 < words->argc &&
        flag_parse(text_of(words->argv[words->at + 1]), &ignored))
        take_value(flag, words);
    if (flag->value == NULL)
        flag->value = "yes";
}

static enum status unknown_flag(const struct flag *flag, char *why,
                                size_t why_bytes)
{
    const char *near = setting_suggest(&server_settings, flag->name);
    const int shown = (int)(flag->name.length < 60 ? flag->name.length : 60);

    if (near != NULL)
        snprintf(why, why_bytes, "--%.*s: no such setting; did you mean --%s?",
                 shown, flag->name.bytes, near);
    else
        snprintf(why, why_bytes, "--%.*s: no such setting", shown,
                 flag->name.bytes);
    return ST_BAD_INPUT;
}

static enum status read_flag(struct config *config, struct flag *flag,
                             struct words *words, char *why, size_t why_bytes)
{
    const struct setting *setting = setting_find(&server_settings, flag->name);
    char sentence[400];

    if (setting == NULL)
        return unknown_flag(flag, why, why_bytes);
    if (setting_is_secret(setting)) {
        snprintf(why, why_bytes,
                 "--%s: everybody on this machine can read flags; a secret "
                 "goes into the environment or the file",
                 setting->name);
        return ST_BAD_INPUT;
    }
    if (setting->kind == SETTING_FLAG)
        take_yes_or_no(flag, words);
    else
        take_value(flag, words);
    if (flag->value == NULL) {
        snprintf(why, why_bytes, "--%s: needs a value (%s)", setting->name,
                 setting->help);
        return ST_BAD_INPUT;
    }
    if (setting_read(setting, text_of(flag->value), config, sentence,
                     sizeof sentence) == ST_OK)
        return ST_OK;
    snprintf(why, why_bytes, "--%s: %s", setting->name, sentence);
    return ST_BAD_INPUT;
}

enum status config_read_flags(struct config *config, int argc, char **argv,
                              char *why, size_t why_bytes)
{
    struct words words = {argc, argv, 0};

    for (; words.at < argc; words.at++) {
        struct flag flag;
        enum status st;

        if (!split(argv[words.at], &flag)) {
            snprintf(why, why_bytes,
                     "\"%.60s\" is no flag: settings are given as --name value",
                     argv[words.at]);
            return ST_BAD_INPUT;
        }
        if (text_is(flag.name, "config")) {
            take_value(&flag, &words); /* read before */
            continue;
        }
        st = read_flag(config, &flag, &words, why, why_bytes);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* `*path_out` NULL: no --config among the flags. */
static enum status find_config(int argc, char **argv, const char **path_out,
                               char *why, size_t why_bytes)
{
    struct words words = {argc, argv, 0};

    *path_out = NULL;
    for (; words.at < argc; words.at++) {
        struct flag flag;

        if (!split(argv[words.at], &flag) || !text_is(flag.name, "config"))
            continue;
        take_value(&flag, &words);
        if (flag.value == NULL || flag.value[0] == '\0') {
            snprintf(why, why_bytes, "--config: needs the name of a file");
            return ST_BAD_INPUT;
        }
        *path_out = flag.value;
    }
    return ST_OK;
}

static bool is_there(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return errno != ENOENT; /* there but shut: reading it says why */
    (void)fclose(file);
    return true;
}

static enum status load_all(struct config *config, int argc, char **argv,
                            char *why, size_t why_bytes)
{
    const char *path;
    enum status st = find_config(argc, argv, &path, why, why_bytes);

    if (st == ST_OK && path == NULL && is_there(HOME_FILE))
        path = HOME_FILE;
    if (st == ST_OK && path != NULL)
        st = config_read_file(config, path, why, why_bytes);
    if (st == ST_OK)
        st = config_read_environment(config, why, why_bytes);
    if (st == ST_OK)
        st = config_read_flags(config, argc, argv, why, why_bytes);
    return st;
}

enum status config_load(struct config *config, int argc, char **argv, char *why,
                        size_t why_bytes)
{
    enum status st;

    config_init(config);
    st = load_all(config, argc, argv, why, why_bytes);
    if (st != ST_OK)
        config_fini(config);
    return st;
}
