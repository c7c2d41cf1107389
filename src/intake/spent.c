/* spent.c -- messages that are done with, on their way to be freed.
 *
 * A list of fixed size: what it holds is a few kilobytes, and whoever fills it
 * gives it at the end of his turn.
 */
#include "spent.h"

void spent_add(struct spent *spent, natsMsg **msg)
{
    if (*msg == NULL)
        return;
    spent->messages[spent->count++] = *msg;
    *msg = NULL;
    if (spent->count == SPENT_MAX)
        spent_give(spent);
}

void spent_give(struct spent *spent)
{
    while (spent->count > 0)
        natsMsg_Destroy(spent->messages[--spent->count]);
}
