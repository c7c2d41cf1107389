/* bench_cpu.c -- CPU time that other processes have used.
 *
 * The scheduler's own count (/proc/PID/task/TID/schedstat) is exact to the
 * nanosecond; the utime and stime of /proc/PID/stat are ticks of 10 ms. A
 * process's schedstat is its first thread's only, hence the walk over the
 * tasks.
 */
#include "bench_cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t of_task(const char *pid, const char *task)
{
    char path[128], text[96] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.20s/task/%.20s/schedstat", pid, task);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    fclose(file);
    return strtoll(text, NULL, 10);
}

static int64_t of_process(const char *pid)
{
    char path[64];
    struct dirent *entry;
    int64_t sum = 0;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%.20s/task", pid);
    tasks = opendir(path);
    if (tasks == NULL)
        return 0;
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.')
            sum += of_task(pid, entry->d_name);
    }
    closedir(tasks);
    return sum;
}

int64_t cpu_used_ns(const char *pids)
{
    int64_t sum = 0;

    while (*pids != '\0') {
        char pid[21];
        int used = 0;

        if (sscanf(pids, "%20[0-9]%n", pid, &used) == 1)
            sum += of_process(pid);
        pids += used;
        if (*pids == '\0')
            break;
        pids++;
    }
    return sum;
}
