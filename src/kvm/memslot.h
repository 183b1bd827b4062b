/*
 * Memory slots: a listener on the memory address space that tells KVM where
 * guest RAM and ROM are. ROM becomes a read-only slot: its writes exit.
 *
 * A slot is made of whole pages whose guest and host addresses agree modulo the
 * page size. What is left of a range (the odd bytes at its ends) has no slot;
 * guest accesses there exit and are served by the address space.
 *
 * Locking: the topology's lock, held by the core around the callbacks.
 */
#ifndef KVM_MEMSLOT_H
#define KVM_MEMSLOT_H

#include "src/base/err.h"
#include "src/kvm/kvm.h"
#include "src/mem/aspace.h"

#include <stdint.h>

struct memslot {
    uint64_t gpa;
    uint64_t size; /* 0: the number is free */
};

struct memslots {
    struct aspace_listener listener; /* first */
    struct kvm *kvm;
    struct aspace *mem;
    struct memslot *slots; /* by slot number */
    unsigned count;        /* entries of slots */
    struct err *err;       /* where add() explains itself; NULL: the log */
};

/* Set a slot for all RAM and ROM of mem and follow its changes. -ENOSPC: KVM has no slot left. */
int memslots_attach(struct memslots *m, struct kvm *kvm, struct aspace *mem, struct err *e);

/*
 * Delete all slots. After kvm_close() it only forgets them: that is the quick way
 * to end, for KVM waits a while for each deletion under a VM that lives.
 */
void memslots_detach(struct memslots *m);

#endif
