/* per_thread.h -- what this chapter keeps for each crew thread.
 *
 * Threads   made and destroyed by main, else the crew thread's.
 * Memory    One per crew, alive as long as it.
 * Units     None.
 * Errors    None.
 */
#ifndef HTTP_PER_THREAD_H
#define HTTP_PER_THREAD_H

#include "newcomers.h"
#include "token_cache.h"
#include "wait_keys.h"

#include <tidings/crew.h>

struct per_thread {
    struct wait_keys *keys;
    struct token_cache *tokens;
    struct newcomers *newcomers;
};

static inline struct wait_keys *wait_keys_of(const struct crew *crew)
{
    const struct per_thread *own = crew_http(crew);

    return own->keys;
}

static inline struct token_cache *token_cache_of(const struct crew *crew)
{
    const struct per_thread *own = crew_http(crew);

    return own->tokens;
}

static inline struct newcomers *newcomers_of(const struct crew *crew)
{
    const struct per_thread *own = crew_http(crew);

    return own->newcomers;
}

#endif
