/*
 * What happens when KVM_RUN returns: one table from exit reason to handler.
 *
 * Locking: a handler runs on its vCPU's thread, as an online mem_reader; it
 * takes no lock of its own.
 */
#ifndef KVM_EXIT_H
#define KVM_EXIT_H

#include "src/kvm/vcpu.h"

#include <stdbool.h>

/* Handle the exit in v->run. False: the vCPU cannot go on and must park. */
bool exit_handle(struct vcpu *v);

/* KVM_RUN itself failed with a positive errno other than EINTR and EAGAIN: record the crash. */
void exit_run_failed(struct vcpu *v, int code);

/* "KVM_EXIT_IO" without the prefix: "io"; "unknown" for a reason without name. */
const char *exit_name(unsigned reason);

#endif
