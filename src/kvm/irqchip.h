/*
 * Interrupts into the guest: KVM's interrupt controllers, their lines (GSIs),
 * and eventfds that raise them (irqfd).
 *
 * On x86 KVM has the two 8259s, one IOAPIC with 24 pins, the local APICs and the
 * PIT. GSI n < 16 reaches the 8259s and IOAPIC pin n, 16..23 the IOAPIC alone.
 * On arm64 KVM has a GIC; GSI n is its shared peripheral interrupt n.
 * Messages have GSIs above the pins (msi.h); level lines that deliver without
 * an ioctl are in level.h.
 *
 * Locking: none; lines may be driven and edges made, pulsed and released from
 * any thread.
 */
#ifndef KVM_IRQCHIP_H
#define KVM_IRQCHIP_H

#include "src/base/err.h"
#include "src/irq.h"
#include "src/kvm/kvm.h"

#include <stdint.h>

struct irqchip {
    struct kvm *kvm;
    unsigned pins; /* GSIs below are lines */
};

/*
 * Create controllers and timer (arch_irqchip_create). After kvm_create_vm and the
 * memory slots, before any vCPU. They go with the VM.
 */
int irqchip_create(struct irqchip *c, struct kvm *kvm, struct err *e);

/* Controllers and timer back to their state at creation, for a machine reset. vCPUs are paused. */
int irqchip_reset(struct irqchip *c, struct err *e);

/*
 * The level line of a GSI. One source each: several on one GSI need an irq_or.
 * gsi out of range: a line that does nothing.
 */
struct irq irqchip_line(struct irqchip *c, unsigned gsi);

/*
 * An eventfd whose every write is one edge on the GSI, delivered by KVM.
 * Any number of edges may share a GSI. Release with irqchip_edge_put().
 */
int irqchip_edge_get(struct irqchip *c, unsigned gsi, struct irq_edge *out, struct err *e);
void irqchip_edge_put(struct irqchip *c, unsigned gsi, struct irq_edge *edge);

/* Send one message now, with no route of its own. -EINVAL: nobody takes it. Or an error of KVM. */
int irqchip_signal_msi(struct irqchip *c, uint64_t address, uint32_t data);

/* --- for msi.c and level.c --- */

/* A new eventfd for interrupt gsi, or -errno. */
int irqchip_eventfd(unsigned gsi, struct err *e);
/*
 * KVM_IRQFD: writes to fd raise gsi. resample_fd: KVM writes to it at the guest's end of
 * interrupt, when it also lowers the line (-1: the line is pulsed). 0 or -errno.
 */
int irqchip_bind(struct irqchip *c, unsigned gsi, int fd, int resample_fd);

#endif
