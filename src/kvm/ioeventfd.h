/*
 * Posted writes: a listener on one address space that has KVM complete guest
 * writes without a return from KVM_RUN. A doorbell signals an eventfd; a
 * coalesced write waits in a ring until somebody drains it.
 *
 * A posted write KVM cannot take (no ring, no "any length") is left out: the
 * write then exits and reaches its device as usual.
 *
 * Locking: listeners run under the topology's lock. coalesced_drain() may be
 * called by all vCPU threads at once.
 */
#ifndef KVM_IOEVENTFD_H
#define KVM_IOEVENTFD_H

#include "src/base/err.h"
#include "src/kvm/kvm.h"
#include "src/mem/aspace.h"

#include <pthread.h>
#include <stdbool.h>

struct kvm_coalesced_mmio_ring;

struct ioeventfds {
    struct aspace_listener listener; /* first */
    struct kvm *kvm;
    struct aspace *as;
    bool pio; /* as is the space of I/O ports */
};

int ioeventfds_attach(struct ioeventfds *i, struct kvm *kvm, struct aspace *as, bool pio,
                      struct err *e);
void ioeventfds_detach(struct ioeventfds *i);

/* The ring of coalesced writes; KVM has one a VM. */
struct coalesced {
    struct kvm_coalesced_mmio_ring *ring; /* in vCPU 0's mapping; NULL: none */
    uint32_t entries;                     /* it has this many */
    struct aspace *mem, *io;
    pthread_mutex_t lock; /* one drainer at a time, so that writes stay in order */
};

/* page_size: of the host; the ring fills a page. */
void coalesced_init(struct coalesced *c, struct aspace *mem, struct aspace *io, unsigned page_size);
void coalesced_destroy(struct coalesced *c);

/*
 * Carry out the writes that wait. When it returns, all writes that KVM posted
 * before the call have reached their devices, whoever drained them. The caller
 * is an online mem_reader and holds no device's lock. Without waiting writes it
 * costs two loads. vCPU threads call it before they handle an exit; a guest that
 * does not exit is drained only by a timer of the machine.
 */
void coalesced_drain(struct coalesced *c);

#endif
