/* tls_context.h -- what a link is made with.
 *
 * Threads   Any.
 * Memory    A reference of the caller's: SSL_CTX_free.
 * Units     None.
 * Errors    None.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/types.h>

struct tls;

/* The pair that holds now. */
SSL_CTX *tls_context_ref(struct tls *tls);

#endif
