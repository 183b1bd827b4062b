/*
 * The accelerator's part of a machine: KVM with its slots, doorbells, interrupt
 * controllers and vCPUs, put together in the order that starts fastest.
 *
 * Locking: set-up and tear-down on the main thread.
 */
#ifndef VM_H
#define VM_H

#include "src/base/err.h"
#include "src/kvm/ioeventfd.h"
#include "src/kvm/irqchip.h"
#include "src/kvm/kvm.h"
#include "src/kvm/level.h"
#include "src/kvm/memslot.h"
#include "src/kvm/msi.h"
#include "src/kvm/synic.h"
#include "src/kvm/vcpu.h"
#include "src/machine.h"
#include "src/run.h"

/* The level sources that a board's devices share a GSI by; KVM_IRQ_LINE drives it. */
struct gsi_line {
    struct irq_or gate;
    unsigned sources;
};

struct vm {
    struct kvm kvm;
    struct memslots slots;
    struct irqchip chip;
    struct ioeventfds mem_doorbells;
    struct ioeventfds io_doorbells;
    struct vcpus vcpus;
    struct gsi_line lines[ARCH_IRQ_PINS];
    struct level_line levels[ARCH_IRQ_PINS]; /* without sources: not there yet */
    struct msi_table msis;
    struct synic *synic; /* NULL: no --cpu host,hyperv=on */
    bool has_slots, has_chip, has_mem_doorbells, has_io_doorbells, has_vcpus, has_run;
    struct run run;
};

/*
 * Open KVM and start the vCPUs' threads, which need nothing of the machine yet.
 * Sets m->vm (also on failure, for vm_free()).
 */
int vm_open(struct machine *m, struct err *e);

/*
 * Create the VM, its memory slots, interrupt controllers and vCPUs; point m->env
 * at them. The machine has its loop, RAM and address spaces.
 */
int vm_build(struct machine *m, struct err *e);
void vm_free(struct machine *m);

#endif
