/* bench_options.c -- what a run of the generator is told, once.
 *
 * `--name value` pairs; names, defaults and help come from the table.
 */
#include "bench_options.h"

#include "bench_base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t to_number(const char *name, const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (end == text || *end != '\0' || value < 0)
        bench_die("--%s wants a number, not \"%s\"", name, text);
    return value;
}

static bool set_one(struct options *options, const char *name,
                    const char *value)
{
#define NUMBER(field, initial, help)                                           \
    if (strcmp(name, #field) == 0) {                                           \
        options->field = to_number(name, value);                               \
        return true;                                                           \
    }
#define WORD(field, initial, help)                                             \
    if (strcmp(name, #field) == 0) {                                           \
        options->field = value;                                                \
        return true;                                                           \
    }
    OPTIONS(NUMBER, WORD)
#undef NUMBER
#undef WORD
    return false;
}

void options_read(struct options *options, int argc, char **argv)
{
#define NUMBER(field, initial, help) options->field = initial;
#define WORD(field, initial, help)   options->field = initial;
    OPTIONS(NUMBER, WORD)
#undef NUMBER
#undef WORD
    for (int i = 0; i < argc; i += 2) {
        if (i + 1 == argc || strncmp(argv[i], "--", 2) != 0 ||
            !set_one(options, argv[i] + 2, argv[i + 1]))
            bench_die("what is \"%s\"? Try loadgen --help", argv[i]);
    }
}

void options_help(void)
{
#define NUMBER(field, initial, help)                                           \
    printf("  --%-14s %-10lld %s\n", #field, (long long)initial, help);
#define WORD(field, initial, help)                                             \
    printf("  --%-14s %-10s %s\n", #field, initial, help);
    OPTIONS(NUMBER, WORD)
#undef NUMBER
#undef WORD
}

bool options_nchan(const struct options *options)
{
    return strcmp(options->kind, "nchan") == 0;
}
