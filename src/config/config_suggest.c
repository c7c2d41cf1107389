/* config_suggest.c -- "did you mean ...?" for names that are nearly right.
 *
 * A name is near when one in three of its letters or fewer would have to be
 * typed, dropped or changed (Levenshtein's distance), or when it is the
 * beginning of a setting up to an underscore: `retry` for `retry_ms`. A
 * far-fetched guess is worse than none.
 */
#include "setting.h"

#define NAME_MAX_BYTES 40 /* longer names are near to nothing */

static size_t least_of(size_t a, size_t b, size_t c)
{
    const size_t least = a < b ? a : b;

    return least < c ? least : c;
}

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

/* One row of the usual table is enough: `corner` keeps the one value of the row
 * above that is overwritten too early. */
static size_t distance(struct text typed, struct text name)
{
    size_t row[NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= name.length; j++)
        row[j] = j;
    for (size_t i = 1; i <= typed.length; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= name.length; j++) {
            const size_t above = row[j];
            const bool is_same =
                folded(typed.bytes[i - 1]) == name.bytes[j - 1];

            row[j] =
                least_of(above + 1, row[j - 1] + 1, corner + (is_same ? 0 : 1));
            corner = above;
        }
    }
    return row[name.length];
}

static bool is_first_word(struct text typed, struct text name)
{
    if (typed.length == 0 || typed.length >= name.length ||
        name.bytes[typed.length] != '_')
        return false;
    return memcmp(typed.bytes, name.bytes, typed.length) == 0;
}

static const char *nearest(const struct setting_table *table, struct text name,
                           bool by_first_word)
{
    const char *best = NULL;
    size_t best_distance = name.length / 3 + 1;

    if (name.length > NAME_MAX_BYTES)
        return NULL;
    for (unsigned i = 0; i < table->count; i++) {
        const struct text candidate = text_of(table->rows[i].name);
        size_t d;

        if (candidate.length > NAME_MAX_BYTES)
            continue;
        d = by_first_word && is_first_word(name, candidate)
                ? 0
                : distance(name, candidate);
        if (d < best_distance) {
            best_distance = d;
            best = table->rows[i].name;
        }
    }
    return best;
}

const char *setting_suggest(const struct setting_table *table, struct text name)
{
    return nearest(table, name, true);
}

const char *setting_misspelt(const struct setting_table *table,
                             struct text name)
{
    return nearest(table, name, false);
}
