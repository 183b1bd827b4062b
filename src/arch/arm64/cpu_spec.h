/*
 * `--cpu host,-feature,+feature` on arm64: features KVM can give a vCPU or withhold.
 *
 * Locking: none.
 */
#ifndef ARCH_ARM64_CPU_SPEC_H
#define ARCH_ARM64_CPU_SPEC_H

#include "src/base/err.h"

#include <stdbool.h>

enum cpu_feature {
    CPU_PMU,   /* performance counters */
    CPU_SVE,   /* scalable vectors */
    CPU_PAUTH, /* pointer authentication */
    CPU_FEATURES,
};

extern const char *const cpu_feature_names[CPU_FEATURES];

/*
 * Apply spec, "host[,-feature][,+feature]...", to *features, which has a bit
 * for each feature the host has. NULL is "host". -EINVAL, status EXIT_USAGE: no such
 * model or feature (the hint names the nearest), or a +feature the host lacks.
 */
int cpu_spec_apply(const char *spec, unsigned *features, struct err *e);

#endif
