/* session_affair_table.c -- the affairs that are under way, by name and by number.
 *
 * One that is over is used again, under the same number and another serial, so
 * that a reply to what it was before finds nobody.
 */
#include "session_affair.h"

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/registry.h>

#include <stdlib.h>

#define PATIENT_MS 250

static struct text name_of(const struct affair *affair)
{
    return session_name_text(&affair->name);
}

static struct affair **bucket_of(struct sharing *sharing, struct text name)
{
    return &sharing->buckets[registry_hash(name) % SHARING_BUCKETS];
}

static struct affair *fresh_affair(struct sharing *sharing)
{
    struct affair *affair = sharing->free_affairs;

    if (affair != NULL) {
        sharing->free_affairs = affair->next;
        return affair;
    }
    affair = must_calloc(1, sizeof *affair);
    if (sharing->affair_count == sharing->affair_room) {
        sharing->affair_room = sharing->affair_room * 2 + 64;
        sharing->affairs =
            must_realloc((void *)sharing->affairs,
                         sharing->affair_room * sizeof(sharing->affairs[0]));
    }
    affair->number = sharing->affair_count;
    affair->serial = 1;
    sharing->affairs[sharing->affair_count++] = affair;
    return affair;
}

struct affair *affair_of(struct sharing *sharing, struct text name)
{
    struct affair **bucket = bucket_of(sharing, name);
    struct affair *affair = *bucket;

    while (affair != NULL && !text_equals(name_of(affair), name))
        affair = affair->next;
    if (affair != NULL)
        return affair;
    affair = fresh_affair(sharing);
    *affair =
        (struct affair){.number = affair->number, .serial = affair->serial};
    session_name_set(&affair->name, name);
    list_init(&affair->calls);
    affair->patient_ms = clock_monotonic_ms(&system_clock) + PATIENT_MS;
    affair->next = *bucket;
    *bucket = affair;
    list_append(&sharing->busy, &affair->node);
    sharing->busy_count++;
    return affair;
}

struct affair *affair_find(struct sharing *sharing, uint32_t number,
                           uint32_t serial)
{
    struct affair *affair =
        number < sharing->affair_count ? sharing->affairs[number] : NULL;

    return affair != NULL && affair->serial == serial &&
                   affair->stage != AFFAIR_OPEN
               ? affair
               : NULL;
}

void affair_end(struct sharing *sharing, struct affair *affair)
{
    struct affair **link = bucket_of(sharing, name_of(affair));

    CHECK(affair->stage == AFFAIR_OPEN && list_is_empty(&affair->calls));
    while (*link != affair)
        link = &(*link)->next;
    *link = affair->next;
    list_remove(&affair->node);
    sharing->busy_count--;
    affair->next = sharing->free_affairs;
    sharing->free_affairs = affair;
}

void affairs_fini(struct sharing *sharing)
{
    CHECK(sharing->busy_count == 0);
    for (unsigned i = 0; i < sharing->affair_count; i++)
        free(sharing->affairs[i]);
    free((void *)sharing->affairs);
}
