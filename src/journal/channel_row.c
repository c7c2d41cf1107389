/* channel_row.c -- number, then the figures, then upto; all little endian.
 *
 * The figure `first` that retention has lost sight of is written as its lower
 * bound, trimmed id + 1, and read back as unknown: if it was exact, the first
 * sweep finds it again at once.
 */
#include "channel_row.h"

#include "little_endian.h"

void channel_row_encode(unsigned char at[CHANNEL_ROW_BYTES],
                        const struct channel_row *row)
{
    put_u32(at, row->number);
    put_u64(at + 4, figures_first(&row->figures));
    put_u64(at + 12, row->figures.last_id);
    put_u64(at + 20, row->figures.trimmed_id);
    put_u64(at + 28, (uint64_t)row->figures.trimmed_ms);
    put_u64(at + 36, row->figures.count);
    put_u64(at + 44, row->figures.bytes);
    put_u64(at + 52, row->upto);
}

enum status channel_row_decode(const void *bytes, size_t length,
                               struct channel_row *row_out)
{
    const unsigned char *at = bytes;
    struct channel_figures *figures = &row_out->figures;

    if (length != CHANNEL_ROW_BYTES || get_u32(at) == 0)
        return ST_CORRUPT;
    row_out->number = get_u32(at);
    figures->first_id = get_u64(at + 4);
    figures->last_id = get_u64(at + 12);
    figures->trimmed_id = get_u64(at + 20);
    figures->trimmed_ms = (int64_t)get_u64(at + 28);
    figures->count = get_u64(at + 36);
    figures->bytes = get_u64(at + 44);
    row_out->upto = get_u64(at + 52);
    if (figures->trimmed_id != 0 &&
        figures->first_id == figures->trimmed_id + 1)
        figures->first_id = figures->count == 1 ? figures->last_id : 0;
    return ST_OK;
}
