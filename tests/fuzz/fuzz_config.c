/* fuzz_config.c -- the file of settings.
 *
 * What is refused has a sentence with the line's number; what is accepted can be
 * printed, and that is read as the same again.
 */
#define _POSIX_C_SOURCE 200809L

#include "fuzz.h"

#include "config/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A file without a name, made once; it is opened through its descriptor. */
static const char *path_of(const void *bytes, size_t length)
{
    static char path[64];
    static int descriptor = -1;

    if (descriptor < 0) {
        char name[] = "/tmp/fuzz-config-XXXXXX";

        descriptor = mkstemp(name);
        CHECK(descriptor >= 0);
        CHECK(unlink(name) == 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    }
    CHECK(ftruncate(descriptor, 0) == 0);
    CHECK(pwrite(descriptor, bytes, length, 0) == (ssize_t)length);
    return path;
}

static enum status read_bytes(struct config *config, const void *bytes,
                              size_t length)
{
    char why[600] = "";
    enum status st;

    config_init(config);
    st = config_read_file(config, path_of(bytes, length), why, sizeof why);
    CHECK((st == ST_OK) == (why[0] == '\0'));
    return st;
}

static char *printed(const struct config *config, size_t *length_out)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length_out);

    CHECK(out != NULL);
    config_print(config, out);
    CHECK(fclose(out) == 0);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config, again;
    char *once, *twice;
    size_t length, length_again;

    if (read_bytes(&config, data, size) != ST_OK) {
        config_fini(&config);
        return 0;
    }
    once = printed(&config, &length);
    CHECK(read_bytes(&again, once, length) == ST_OK);
    twice = printed(&again, &length_again);
    CHECK(length == length_again && memcmp(once, twice, length) == 0);
    free(once);
    free(twice);
    config_fini(&config);
    config_fini(&again);
    return 0;
}
