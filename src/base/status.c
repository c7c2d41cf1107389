/* status.c -- names and sentences, out of the one table in status.h. */
#include <tidings/status.h>

static const struct {
    const char *name, *text;
} row[] = {
#define ST(name, text) {#name, text},
    STATUS_TABLE(ST)
#undef ST
};

const char *status_text(enum status st)
{
    return (unsigned)st < sizeof row / sizeof row[0] ? row[st].text
                                                     : "unknown status";
}

const char *status_name(enum status st)
{
    return (unsigned)st < sizeof row / sizeof row[0] ? row[st].name : "UNKNOWN";
}
