/* spent.c -- messages that are done with, on their way to be freed.
 *
 * A list of fixed size. It is given when it is full; its owner gives it when he
 * comes to rest, so that nothing stays for long.
 */
#include "spent.h"

void spent_add(struct spent *spent, natsMsg **msg)
{
    if (*msg == NULL)
        return;
    spent->messages[spent->count++] = *msg;
    spent->bytes += natsMsg_GetDataLength(*msg);
    *msg = NULL;
    if (spent->count == SPENT_MAX || spent->bytes > SPENT_BYTES)
        spent_give(spent);
}

void spent_give(struct spent *spent)
{
    while (spent->count > 0)
        natsMsg_Destroy(spent->messages[--spent->count]);
    spent->bytes = 0;
}
