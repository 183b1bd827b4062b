/*
 * The door to KVM: /dev/kvm, one VM, and the capabilities vmm relies on.
 *
 * Source: Linux Documentation/virt/kvm/api.rst. Every ioctl of src/kvm and
 * src/arch goes through kvm_ioctl(), which a unit test can replace.
 *
 * Set-up order: kvm_open, vcpus_start (their threads prepare meanwhile),
 * kvm_create_vm, memslots_attach (a slot set after the irqchip costs a grace
 * period of the kernel), irqchip_create, vcpus_build (which ends the irqchip's
 * set-up: on some architectures it needs the vCPUs), ioeventfds_attach,
 * vcpus_reset, vcpus_resume.
 * To end: vcpus_destroy, kvm_close, and only then the listeners.
 *
 * Locking: set-up and kvm_close() on one thread; the fields do not change in between.
 */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVM_DEVICE "/dev/kvm"

/* A capability vmm asks KVM for. */
struct kvm_cap {
    int number;       /* KVM_CAP_... */
    const char *name; /* the same as text */
    bool needed;      /* without it no guest can run */
    const char *use;  /* what vmm does with it */
};

/* A row of a table of them, by the end of its name. */
#define KVM_CAP_ROW(cap, is_needed, text)                                                          \
    {                                                                                              \
        .number = KVM_CAP_##cap, .name = "KVM_CAP_" #cap, .needed = (is_needed), .use = (text)     \
    }

struct cpu_host;

struct kvm {
    int dev_fd; /* -1: not open */
    int vm_fd;
    size_t run_size;         /* bytes of a vCPU's kvm_run mapping */
    unsigned max_vcpus;      /* the limit of --cpus */
    unsigned max_slots;      /* memory slots */
    unsigned max_gsis;       /* interrupt routes */
    unsigned coalesced_page; /* page of the coalesced ring inside the mapping; 0: no ring */
    bool coalesced_pio;      /* the ring takes port writes too */
    bool ioeventfd_any_len;  /* doorbells of any write size */
    unsigned page_size;      /* of the host, in bytes */
    /* What the board wants of the VM, set before kvm_create_vm(); 0: the usual. */
    unsigned gpa_bits;               /* of a guest-physical address (arm64) */
    unsigned irqchip_version;        /* arm64: GIC 2 or 3; what it is, once it is created */
    const struct cpu_host *cpu_host; /* what the host's CPUs offer, borrowed; NULL: ask */
    /* Parts of the irqchip that have a descriptor, closed with the VM; -1: there is none. */
    int irqchip_fd; /* arm64: GIC */
    int its_fd;     /* arm64: its translation service, which takes messages */
    /* ioctl(2), but returning -errno. */
    int (*ioctl)(struct kvm *kvm, int fd, unsigned long request, void *arg);
};

/*
 * Open path (KVM_DEVICE), check the API version and every needed capability.
 * Failures: status EXIT_NO_KVM, the message says what is missing, the hint what
 * to do. Nothing stays open after a failure.
 */
int kvm_open(struct kvm *kvm, const char *path, struct err *e);

/* Use the real ioctl and no descriptors: the state before kvm_open(). */
void kvm_init(struct kvm *kvm);

/* Create the VM and what the architecture needs before irqchip and vCPUs (arch_vm_init). */
int kvm_create_vm(struct kvm *kvm, struct err *e);

/* Close all descriptors. The vCPUs must be gone; then KVM lets go of guest memory. Harmless if
 * not open. */
void kvm_close(struct kvm *kvm);

/* ioctl on one of KVM's descriptors: its result, or -errno. */
static inline int kvm_ioctl(struct kvm *kvm, int fd, unsigned long request, void *arg)
{
    return kvm->ioctl(kvm, fd, request, arg);
}

/* The ioctls whose argument is a number. */
static inline int kvm_ioctl_num(struct kvm *kvm, int fd, unsigned long request, unsigned long arg)
{
    return kvm->ioctl(kvm, fd, request, (void *)(uintptr_t)arg);
}

/* KVM_GET_ONE_REG and KVM_SET_ONE_REG for a register of 64 bits; fd: of a vCPU. 0 or -errno. */
int kvm_get_reg(struct kvm *kvm, int fd, uint64_t id, uint64_t *value);
int kvm_set_reg(struct kvm *kvm, int fd, uint64_t id, uint64_t value);

/* KVM_CREATE_DEVICE: *fd is its descriptor, or -1. 0 or -errno; -ENODEV: KVM has no such device. */
int kvm_create_device(struct kvm *kvm, uint32_t type, int *fd);

/* KVM_{GET,SET}_DEVICE_ATTR; fd: of a device or vCPU. value: as the attribute has it. 0 or -errno.
 */
int kvm_get_attr(struct kvm *kvm, int fd, uint32_t group, uint64_t attr, void *value);
int kvm_set_attr(struct kvm *kvm, int fd, uint32_t group, uint64_t attr, void *value);

/* KVM_CHECK_EXTENSION: 0 when absent, else the capability's value. */
int kvm_check_cap(struct kvm *kvm, int number);

/*
 * Are the needed ones of caps there? -ENOTSUP, status EXIT_NO_KVM: no; e names those that are
 * missing.
 */
int kvm_need_caps(struct kvm *kvm, const struct kvm_cap *caps, size_t count, struct err *e);

/*
 * What kvm_open does once the device is open: API version, capabilities, limits.
 * -ENOTSUP, status EXIT_NO_KVM; missing capabilities by name.
 */
int kvm_check(struct kvm *kvm, struct err *e);

/* Capabilities every architecture uses; arch_caps has the others. */
extern const struct kvm_cap kvm_caps[];
extern const size_t kvm_cap_count;

#endif
