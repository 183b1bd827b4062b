/*
 * Interrupts into the guest: KVM's interrupt controllers, lines (GSIs), the
 * routing table behind them, and eventfds that raise them (irqfd).
 *
 * On x86 KVM has the two 8259s, one IOAPIC with 24 pins, the local APICs and the
 * PIT. GSI n < 16 reaches the 8259s and IOAPIC pin n, 16..23 the IOAPIC alone;
 * MSI routes get GSIs above the pins.
 *
 * Locking: lines may be driven and edges pulsed from any thread; routes and
 * edges are made and released under the chip's lock, from any thread.
 */
#ifndef KVM_IRQCHIP_H
#define KVM_IRQCHIP_H

#include "src/base/err.h"
#include "src/irq.h"
#include "src/kvm/kvm.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct kvm_irq_routing;

struct irqchip {
    struct kvm *kvm;
    unsigned pins;                   /* GSIs below are lines */
    struct kvm_irq_routing *routing; /* our copy: KVM takes whole tables only */
    unsigned routing_room;           /* entries allocated */
    pthread_mutex_t lock;
};

/*
 * Create controllers and timer (arch_irqchip_create). After kvm_create_vm and the
 * memory slots, before any vCPU.
 */
int irqchip_create(struct irqchip *c, struct kvm *kvm, struct err *e);

/* Controllers and timer back to their state at creation, for a machine reset. vCPUs are paused. */
int irqchip_reset(struct irqchip *c, struct err *e);

/* Free what vmm keeps of it; KVM's side goes with the VM. */
void irqchip_destroy(struct irqchip *c);

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

/*
 * Give the message-signalled interrupt (address, data) a GSI of its own, for an
 * irqfd. msi_set changes the message of a GSI that msi_get returned.
 * -ENOSPC: KVM's table is full.
 */
int irqchip_msi_get(struct irqchip *c, uint64_t address, uint32_t data, unsigned *gsi,
                    struct err *e);
int irqchip_msi_set(struct irqchip *c, unsigned gsi, uint64_t address, uint32_t data,
                    struct err *e);
void irqchip_msi_put(struct irqchip *c, unsigned gsi);

#endif
