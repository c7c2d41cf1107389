/* config_environment.c -- settings out of TIDINGS_NAME variables.
 *
 * The name behind TIDINGS_ is the setting's in upper case: TIDINGS_RETRY_MS.
 *
 * A variable that names no setting is not an error in itself: the environment
 * is full of what other programs put there (container systems alone make
 * TIDINGS_PORT and its like for a service of our name). But one that nearly
 * names a setting is a slip of the hand, and slips are told.
 */
#include <stdio.h>
#include <uv.h>

#include "setting.h"

#define PREFIX "TIDINGS_"

/* The variable's name as a setting's; false: longer than any. */
static bool fold(const char *name, char *folded, size_t room)
{
    size_t i = 0;

    for (; i < room && name[i] != '\0'; i++)
        folded[i] = name[i] >= 'A' && name[i] <= 'Z'
                        ? (char)(name[i] - 'A' + 'a')
                        : name[i];
    if (i == room)
        return false;
    folded[i] = '\0';
    return true;
}

static enum status read_variable(struct config *config, const char *name,
                                 const char *value, char *why, size_t why_bytes)
{
    const struct setting *setting;
    const char *near;
    char folded[64], sentence[400];

    if (!fold(name, folded, sizeof folded))
        return ST_OK;
    setting = setting_find(&server_settings, text_of(folded));
    if (setting == NULL) {
        near = setting_misspelt(&server_settings, text_of(folded));
        if (near == NULL)
            return ST_OK;
        snprintf(why, why_bytes,
                 "environment: " PREFIX
                 "%s is no setting; did you mean the one for %s?",
                 name, near);
        return ST_BAD_INPUT;
    }
    if (setting_read(setting, text_of(value), config, sentence,
                     sizeof sentence) == ST_OK)
        return ST_OK;
    snprintf(why, why_bytes, "environment: " PREFIX "%s: %s", name, sentence);
    return ST_BAD_INPUT;
}

enum status config_read_environment(struct config *config, char *why,
                                    size_t why_bytes)
{
    const size_t prefix_bytes = sizeof PREFIX - 1;
    uv_env_item_t *items = NULL;
    enum status st = ST_OK;
    int count = 0;

    if (uv_os_environ(&items, &count) != 0) {
        snprintf(why, why_bytes, "environment: cannot be read");
        return ST_IO;
    }
    for (int i = 0; i < count && st == ST_OK; i++)
        if (strncmp(items[i].name, PREFIX, prefix_bytes) == 0)
            st = read_variable(config, items[i].name + prefix_bytes,
                               items[i].value, why, why_bytes);
    uv_os_free_environ(items, count);
    return st;
}
