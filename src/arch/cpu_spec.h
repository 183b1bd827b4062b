/*
 * `--cpu host,-feature,+feature,switch=on`: taking features away from the guest's
 * CPUs, asking for some to be there, and adding what no processor has by itself.
 *
 * Locking: none.
 */
#ifndef ARCH_CPU_SPEC_H
#define ARCH_CPU_SPEC_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The features of an architecture, by number from 0 on. cpu: one that has some of them. */
struct cpu_features {
    size_t (*count)(void);
    const char *(*name)(size_t n); /* NULL: a number without feature */
    bool (*has)(void *cpu, size_t n);
    void (*remove)(void *cpu, size_t n);
    const char *example; /* one to explain the syntax by; NULL: the first */
    /* Names of what is on or off and no feature of the processor; NULL ends them. */
    const char *const *switches;
};

extern const struct cpu_features arch_cpu_features;

/*
 * Apply "host[,-feature][,+feature]..." to cpu, which has what this host can give. NULL is
 * "host". -EINVAL, status EXIT_USAGE: no such model, feature or switch (the hint names the nearest
 * feature), a +feature cpu does not have, or a switch that is neither on nor off.
 */
int cpu_spec_apply(const struct cpu_features *f, void *cpu, const char *spec, struct err *e);

/* Does spec say `name=on`? False also where cpu_spec_apply() refuses spec, or it is NULL. */
bool cpu_spec_switch(const char *spec, const char *name);

/* The names, one a line. */
void cpu_spec_help(const struct cpu_features *f, FILE *out);

#endif
