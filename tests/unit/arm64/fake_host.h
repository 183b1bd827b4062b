/*
 * An Arm host's KVM, faked: what it has can be chosen, and what it was asked to set is
 * kept, in order.
 */
#ifndef TESTS_ARM64_FAKE_HOST_H
#define TESTS_ARM64_FAKE_HOST_H

#include "tests/unit/fake_kvm.h"

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Descriptors, never real ones. vCPU n is FAKE_VCPU + n. */
enum { FAKE_VCPU = 2000, FAKE_GIC = 3000, FAKE_ITS = 3001 };

/* An attribute of a device or vCPU, or a register of a vCPU. */
struct fake_write {
    int fd;
    bool is_register;
    uint32_t group;
    uint64_t attr; /* or the register's id */
    uint64_t value;
};

struct fake_host {
    struct fake_kvm fake; /* first */
    bool gicv2, gicv3, its;
    int ipa_bits;           /* KVM_CAP_ARM_VM_IPA_SIZE; 0: it has no such capability */
    bool pmu, sve, pauth;   /* features of its CPUs */
    uint64_t mpidr[4];      /* of vCPU n */
    unsigned long vm_type;  /* what KVM_CREATE_VM was asked for */
    uint32_t features[4];   /* what vCPU n was initialised with */
    int finalized[4];       /* the feature that was finalized; 0: none */
    unsigned lines_lowered; /* by KVM_IRQ_LINE */
    struct kvm_irq_routing_entry last_route; /* of the last table of routes */
    struct fake_write writes[2048];
    size_t write_count;
};

/* A host that has everything, with addresses of 44 bits. */
void fake_host_init(struct fake_host *h);

/* The last value written there; the test fails if nothing was. */
uint64_t fake_host_attr(const struct fake_host *h, int fd, uint32_t group, uint64_t attr);
uint64_t fake_host_register(const struct fake_host *h, int fd, uint64_t id);

/* Was anything? */
bool fake_host_has_attr(const struct fake_host *h, int fd, uint32_t group, uint64_t attr);

/* The place of that write in the order of all. */
size_t fake_host_when(const struct fake_host *h, int fd, uint32_t group, uint64_t attr);

#endif
