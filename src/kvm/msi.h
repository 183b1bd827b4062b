/*
 * Message-signalled interrupts: each is a GSI above the pins, an eventfd behind
 * irqfd, and a route from that GSI to a message in KVM's table. And Hyper-V's
 * synthetic interrupts, which are routes in the same table.
 *
 * KVM takes whole tables only (its own routes of the lines, then the messages),
 * and each waits for a grace period of the kernel, milliseconds; so a table
 * goes to KVM when a message changed and never otherwise. Also the irqfd is
 * made with the first message: KVM takes longer to end with each.
 *
 * Locking: any thread; the table's lock guards all. Pulses need none.
 */
#ifndef KVM_MSI_H
#define KVM_MSI_H

#include "src/base/err.h"
#include "src/irq.h"
#include "src/kvm/irqchip.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct kvm_irq_routing;

/* One of them; what it sends while routed. */
struct msi_route {
    bool taken;
    bool bound;  /* KVM watches its eventfd */
    bool routed; /* KVM knows its message */
    bool is_sint;
    uint32_t requester;
    uint64_t address; /* of a SINT: the vCPU */
    uint32_t data;    /* of a SINT: its number */
};

struct msi_table {
    struct irqchip *chip;
    struct msi_route *routes; /* number n is GSI pins + n */
    unsigned count;
    struct kvm_irq_routing *kvm_table; /* room for all of them */
    bool held, changed;                /* msi_hold(): since then there were changes */
    pthread_mutex_t lock;
};

void msi_table_init(struct msi_table *t, struct irqchip *chip);
/* Free what vmm keeps of it; KVM's side goes with the VM. */
void msi_table_destroy(struct msi_table *t);

/*
 * Take a GSI. It is silent until msi_set(); release it with msi_put(). requester: as in
 * device_env.msi_get. -ENOSPC: KVM has no more of them; -EMFILE, -ENOMEM.
 */
int msi_get(struct msi_table *t, uint32_t requester, struct irq_msi *out, struct err *e);

/*
 * What its pulses send from now on. Nothing happens if it is what they send already.
 * -EINVAL: no interrupt controller listens at address; it is silent. Other
 * negative errno: KVM refused, and it is to be left alone.
 */
int msi_set(struct msi_table *t, const struct irq_msi *msi, uint64_t address, uint32_t data);

void msi_put(struct msi_table *t, struct irq_msi *msi);

/*
 * A source whose pulses raise synthetic interrupt `sint` of a vCPU. When the guest has taken it, or
 * a message in its slot, KVM writes to acked_fd, which many may share. Release with msi_put().
 * 0, -ENOSPC, -EMFILE, -ENOMEM, or an error of KVM.
 */
int msi_get_sint(struct msi_table *t, unsigned vcpu, unsigned sint, int acked_fd,
                 struct irq_msi *out);

/*
 * Between the two KVM is not told of changes; then it is, once. For loading a machine, where
 * nothing sends. msi_release(): 0 or -errno.
 */
void msi_hold(struct msi_table *t);
int msi_release(struct msi_table *t);

#endif
