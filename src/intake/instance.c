/* instance.c -- what this process is called among the instances.
 *
 * A name that nobody chose must differ from all others, also from that of the
 * process before on this host, whose counts may still be remembered: so chance is
 * in it.
 */
#include <tidings/intake.h>

#include <tidings/check.h>

#include <stdio.h>
#include <string.h>
#include <uv.h>

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void read_host(char *room, size_t bytes)
{
    size_t size = bytes;

    if (uv_os_gethostname(room, &size) != 0)
        (void)snprintf(room, bytes, "host");
    for (char *at = room; *at != '\0'; at++)
        if (!is_plain(*at))
            *at = '-';
}

void intake_instance_name(const struct config *config, char *room)
{
    char host[UV_MAXHOSTNAMESIZE];
    uint32_t chance;

    if (config->instance[0] != '\0') {
        (void)snprintf(room, INSTANCE_NAME_MAX_BYTES + 1, "%s",
                       config->instance);
        return;
    }
    read_host(host, sizeof host);
    CHECK(uv_random(NULL, NULL, &chance, sizeof chance, 0, NULL) == 0);
    (void)snprintf(room, INSTANCE_NAME_MAX_BYTES + 1, "%.32s-%ld-%08x", host,
                   (long)uv_os_getpid(), (unsigned)chance);
}
