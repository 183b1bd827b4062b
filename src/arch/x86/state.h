/*
 * Parts of a vCPU's saved state that have files of their own. Tags of the blobs, which
 * are KVM's structs, in the order in which they are saved.
 *
 * Locking: the vCPUs are paused.
 */
#ifndef ARCH_X86_STATE_H
#define ARCH_X86_STATE_H

#include "src/base/err.h"
#include "src/base/pack.h"
#include "src/kvm/kvm.h"

enum state_tag {
    STATE_MP = 1,
    STATE_REGS,
    STATE_SREGS,
    STATE_XSAVE,
    STATE_XCRS,
    STATE_DEBUGREGS,
    STATE_LAPIC,
    STATE_MSRS,
    STATE_EVENTS,
    STATE_PIC_MASTER,
    STATE_PIC_SLAVE,
    STATE_IOAPIC,
    STATE_PIT,
    STATE_CLOCK,
    STATE_CPUID,
};

/* Model-specific registers (state_msr.c): those that KVM lists, and others it has. */
int msrs_save(struct kvm *kvm, int fd, struct pack *out, struct err *e);
/* One that KVM refuses is no error if it has that value already. */
int msrs_load(struct kvm *kvm, int fd, struct unpack *in, struct err *e);

#endif
