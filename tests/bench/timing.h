/*
 * Timing of one piece of code against another that does the least for the same job, in turns, so
 * that a busy host slows both. For the programs of this folder.
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMING_RUNS_MAX 1000

static inline double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double time_of(void (*run)(void))
{
    double begin = now_ns();

    run();
    return now_ns() - begin;
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/*
 * One line "NAME VALUE UNIT RATIO": the median of ours over `each`, and its ratio to the floor's.
 * Of many short runs (at most TIMING_RUNS_MAX) most are free of what else the host does.
 */
static inline void report(const char *name, void (*ours)(void), void (*floor)(void), unsigned runs,
                          double each, const char *unit)
{
    static double value[TIMING_RUNS_MAX], least[TIMING_RUNS_MAX];

    for (unsigned i = 0; i < runs; i++) {
        value[i] = time_of(ours);
        least[i] = time_of(floor);
    }
    qsort(value, runs, sizeof(value[0]), by_value);
    qsort(least, runs, sizeof(least[0]), by_value);
    printf("%s %.4g %s %.2f\n", name, value[runs / 2] / each, unit,
           value[runs / 2] / least[runs / 2]);
}

#endif
