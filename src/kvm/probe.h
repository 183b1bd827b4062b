/*
 * Running the architecture's tiny probe guests, each on a VM of its own.
 *
 * Locking: none; for one thread, before or instead of a machine.
 */
#ifndef KVM_PROBE_H
#define KVM_PROBE_H

#include "src/arch/arch.h"
#include "src/base/err.h"

#include <stdint.h>

#define PROBE_REPORTS_MAX 8

struct probe_result {
    unsigned reports;               /* how many arrived, in the order 1, 2, ... */
    uint64_t ns[PROBE_REPORTS_MAX]; /* when, CLOCK_MONOTONIC */
};

/*
 * Run g until it made its reports, crashed, or timeout_ms passed. 0 however far
 * it came; -errno with e set if KVM could not set it up.
 */
int probe_run(const struct probe_guest *g, unsigned timeout_ms, struct probe_result *out,
              struct err *e);

#endif
