/*
 * What a PC's firmware leaves behind, and real-mode code relies on: interrupt
 * vectors, interrupt controllers that use them, and a timer that ticks. vmm has no
 * firmware; this is for --machine pc,testdev=on.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_X86_BIOS_H
#define ARCH_X86_BIOS_H

#include "src/base/err.h"
#include "src/mem/aspace.h"

struct kvm;

/* Vectors into guest memory, and the handlers they point to. 0 or -errno. */
int bios_install(struct aspace *mem, struct err *e);

/* The 8259s at vectors 8 and 0x70, all masked but the timer, and that at 18.2 Hz. 0 or -errno. */
int bios_start_timer(struct kvm *kvm, struct err *e);

#endif
