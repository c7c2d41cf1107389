/* bench_cpu.h -- CPU time that other processes have used.
 *
 * Threads   Any.
 * Memory    None.
 * Units     Nanoseconds.
 * Errors    None: a process that is gone has used nothing.
 */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <stdint.h>

/* The sum over all threads of the processes in `pids` ("12,34,56"). */
int64_t cpu_used_ns(const char *pids);

#endif
