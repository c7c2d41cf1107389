/* bench_commands.h -- what the load generator can do, one function each.
 *
 * Threads   main.
 * Memory    None.
 * Units     Results are JSON lines on standard output; names carry the unit.
 * Errors    The exit status: 0 measured, 1 measured but events were lost, came
 *           twice or never, 2 not measured.
 */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

#include "bench_options.h"

/* clang-format off */
/*           name    what it does                                             */
#define COMMANDS(COMMAND)                                                       \
    COMMAND(run,    "connect subscribers, publish to them, measure both")       \
    COMMAND(fill,   "store many events by HTTP in batches")                     \
    COMMAND(resume, "come back after missed events, time to the last byte")
/* clang-format on */

#define COMMAND(name, help) int command_##name(const struct options *options);
COMMANDS(COMMAND)
#undef COMMAND

#endif
