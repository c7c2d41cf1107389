/* config_listen.c -- the addresses that are listened on.
 *
 * Two lists, for HTTP and for HTTPS, each of address:port with commas between
 * them. Their form was checked when they were read; here is what they mean, and
 * whether the settings around them go together.
 */
#include <tidings/config.h>

#include <stdio.h>
#include <string.h>

bool config_next_address(const char *list, size_t *cursor,
                         struct text *address_out)
{
    const char *begin = list + *cursor;

    if (*begin == '\0')
        return false;
    *address_out = (struct text){begin, strcspn(begin, ",")};
    *cursor += address_out->length;
    if (list[*cursor] == ',')
        ++*cursor;
    return true;
}

unsigned config_count_addresses(const char *list)
{
    struct text address;
    size_t cursor = 0;
    unsigned count = 0;

    while (config_next_address(list, &cursor, &address))
        count++;
    return count;
}

static bool is_ipv4_loopback(struct text host)
{
    unsigned dots = 0;

    if (host.length < 4 || memcmp(host.bytes, "127.", 4) != 0)
        return false;
    for (size_t i = 0; i < host.length; i++) {
        if (host.bytes[i] == '.')
            dots++;
        else if (host.bytes[i] < '0' || host.bytes[i] > '9')
            return false; /* 127.example.org is a name */
    }
    return dots == 3;
}

static bool is_loopback(struct text address)
{
    struct text host = address;

    while (host.length > 0 && host.bytes[host.length - 1] != ':')
        host.length--;
    if (host.length == 0)
        return false; /* a port alone means every address */
    host.length--;
    return is_ipv4_loopback(host) || text_is(host, "localhost") ||
           text_is(host, "[::1]");
}

static bool are_loopback(const char *list)
{
    struct text address;
    size_t cursor = 0;

    while (config_next_address(list, &cursor, &address))
        if (!is_loopback(address))
            return false;
    return true;
}

bool config_is_loopback(const struct config *config)
{
    return are_loopback(config->listen) && are_loopback(config->listen_tls);
}

enum status config_check_listeners(const struct config *config, char *why,
                                   size_t why_bytes)
{
    const bool is_tls = config->listen_tls[0] != '\0';
    const char *wrong = NULL;

    if (config->listen[0] == '\0' && !is_tls)
        wrong = "listen and listen_tls are both empty: nobody could connect";
    else if (is_tls && config->tls_certificate[0] == '\0')
        wrong = "listen_tls needs tls_certificate, a PEM file";
    else if (config->tls_redirect && !is_tls)
        wrong = "tls_redirect needs listen_tls: there is no HTTPS to go to";
    else if (config_count_addresses(config->listen) +
                 config_count_addresses(config->listen_tls) >
             LISTEN_MAX)
        wrong = "listen and listen_tls together are more than 16 addresses";
    if (wrong == NULL)
        return ST_OK;
    (void)snprintf(why, why_bytes, "%s", wrong);
    return ST_BAD_INPUT;
}
