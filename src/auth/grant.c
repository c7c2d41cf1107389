/* grant.c -- what a checked token allows, asked as often as one likes.
 *
 * A question is a walk over the selectors of a right, at most 256 of them; the
 * answer is that of selector_covers. Two selectors that cover together what
 * neither covers alone do not count as one: whoever wants `a.*` is given a
 * right to `a.*`.
 */
#include "grant.h"

#include <tidings/check.h>
#include <tidings/wire.h>

#include <stdlib.h>

struct grant *grant_create(void)
{
    struct grant *grant = must_calloc(1, sizeof *grant);

    atomic_init(&grant->references, 1);
    buffer_init(&grant->rights[RIGHT_SUBSCRIBE].list);
    buffer_init(&grant->rights[RIGHT_PUBLISH].list);
    buffer_init(&grant->subject);
    return grant;
}

struct grant *grant_ref(struct grant *grant)
{
    (void)atomic_fetch_add_explicit(&grant->references, 1,
                                    memory_order_relaxed);
    return grant;
}

void grant_unref(struct grant **grant)
{
    struct grant *mine = *grant;

    *grant = NULL;
    if (mine == NULL || atomic_fetch_sub_explicit(&mine->references, 1,
                                                  memory_order_acq_rel) > 1)
        return;
    buffer_fini(&mine->rights[RIGHT_SUBSCRIBE].list);
    buffer_fini(&mine->rights[RIGHT_PUBLISH].list);
    buffer_fini(&mine->subject);
    free(mine);
}

bool grant_allows(const struct grant *grant, enum right right,
                  struct text selector)
{
    const struct text list = grant_selectors(grant, right);
    struct text allowed;
    size_t cursor = 0;

    while (list_next(list, &cursor, &allowed))
        if (selector_covers(allowed, selector))
            return true;
    return false;
}

struct text grant_selectors(const struct grant *grant, enum right right)
{
    const struct buffer *list = &grant->rights[right].list;

    return list->length > 0 ? buffer_text(list) : text_of("");
}

bool grant_is_admin(const struct grant *grant)
{
    return grant->is_admin;
}

struct text grant_subject(const struct grant *grant)
{
    return grant->subject.length > 0 ? buffer_text(&grant->subject)
                                     : text_of("");
}

int64_t grant_expires_ms(const struct grant *grant)
{
    return grant->expires_ms;
}
