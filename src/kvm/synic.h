/*
 * Hyper-V's synthetic interrupt controllers (SynIC), the part that KVM leaves to
 * its user: what devices send to a guest, and what a guest's hypercalls send
 * to them. It implements src/hyperv.h.
 *
 *     HvCallPostMessage -> KVM_EXIT_HYPERV -> connection -> a SINT's message slot -> interrupt
 *     HvCallSignalEvent -> KVM -> eventfd  -> connection -> a SINT's event flag   -> interrupt
 *
 * Signals come by eventfd, because of one in memory (not "fast") KVM keeps the
 * address to itself. One that comes here is for a connection nobody made.
 *
 * A vCPU has a page of messages and one of event flags, 16 slots each, and puts
 * them over its RAM where it likes (SIMP, SIEFP). Here they are the guest's own
 * RAM, as KVM's timers want it, whose contents are put aside meanwhile: so the guest finds the
 * page's own contents there, and what was below when it takes the page away.
 *
 * A message for a slot that is taken waits here, one for each SINT, with the slot's
 * "pending" bit set; the guest then says when it is free (EOM), KVM writes to `acked`, and
 * the main loop delivers. KVM's timers use the same slots: a SINT that carries timer
 * messages is not for devices, for nothing orders the two.
 *
 * Locking: any thread that is an online mem_reader; `lock` guards all but what is set once. Its
 * holder may take the table of routes' lock.
 */
#ifndef KVM_SYNIC_H
#define KVM_SYNIC_H

#include "src/base/err.h"
#include "src/base/log.h"
#include "src/hyperv.h"
#include "src/kvm/kvm.h"
#include "src/kvm/msi.h"
#include "src/loop.h"
#include "src/mem/aspace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct kvm_hyperv_exit;

#define SYNIC_PAGE    4096
#define SYNIC_PAYLOAD 240 /* bytes of a message at most */

/* Status of a hypercall. */
enum hv_status {
    HV_SUCCESS = 0,
    HV_INVALID_HYPERCALL_CODE = 2,
    HV_INVALID_HYPERCALL_INPUT = 3,
    HV_INVALID_ALIGNMENT = 4,
    HV_INVALID_PARAMETER = 5,
    HV_INVALID_CONNECTION_ID = 0x12,
    HV_INSUFFICIENT_BUFFERS = 0x13,
};

struct synic_message {
    uint32_t type; /* 0: none */
    uint8_t size;  /* of payload */
    uint8_t payload[SYNIC_PAYLOAD];
};

struct synic_sint {
    unsigned users; /* connections, and connect_sint(); 0: the rest is not there */
    bool direct;    /* connect_sint() is one of them */
    struct irq_msi irq;
    struct synic_message waiting;
};

/* One of a vCPU's pages. */
struct synic_page {
    uint64_t msr;            /* address and, in bit 0, whether it is there */
    uint8_t *host;           /* where the guest sees it; NULL: nowhere */
    uint8_t own[SYNIC_PAGE]; /* its contents, while nowhere */
    uint8_t below[SYNIC_PAGE];
};

struct synic_vcpu {
    bool enabled; /* SCONTROL */
    struct synic_page messages, flags;
    struct synic_sint sints[HYPERV_SINTS];
};

enum synic_use {
    SYNIC_FREE,
    SYNIC_MESSAGES,
    SYNIC_EVENTS,
};

struct synic_conn {
    enum synic_use use;
    unsigned vcpu, sint;
    unsigned flag; /* SYNIC_EVENTS */
    int fd;        /* SYNIC_EVENTS: KVM writes to it */
};

struct synic {
    struct hyperv hyperv; /* first */
    struct kvm *kvm;
    struct msi_table *routes;
    struct aspace *mem;
    struct loop *loop;
    struct loop_fd acked;  /* an eventfd: a guest has taken an interrupt or message */
    struct loop_fd events; /* an epoll set of the connections' eventfds */
    struct guest_errors errors;
    pthread_mutex_t lock;
    unsigned count; /* vCPUs */
    struct synic_vcpu *vcpu;
    struct synic_conn conns[HYPERV_CONNECTIONS];
};

/* All of it is borrowed. On the main thread, before a vCPU runs. NULL with e set. */
struct synic *synic_new(struct kvm *kvm, struct msi_table *routes, struct aspace *mem,
                        struct loop *loop, unsigned vcpus, struct err *e);
/* KVM's side goes with the VM, which is gone. NULL is allowed. */
void synic_free(struct synic *s);

/* Without connections, pages where they were not. vCPUs are paused. */
void synic_reset(struct synic *s);

/* KVM_EXIT_HYPERV of a vCPU; on its thread. False: of a kind vmm did not ask for. */
bool synic_exit(struct synic *s, unsigned vcpu, struct kvm_hyperv_exit *x);

/* --- between synic.c and synic_conn.c; the caller holds the lock --- */

/* One user more; the first costs a route of KVM's. -EINVAL, or of msi_get_sint(). */
int synic_use_sint(struct synic *s, unsigned vcpu, unsigned sint);
void synic_drop_sint(struct synic *s, unsigned vcpu, unsigned sint);
/* Deliver now or later. HV_INSUFFICIENT_BUFFERS: one waits already. */
enum hv_status synic_post(struct synic *s, unsigned vcpu, unsigned sint,
                          const struct synic_message *m);
/* Set an event flag, and raise the SINT if it was not set. */
void synic_set_flag(struct synic *s, unsigned vcpu, unsigned sint, unsigned flag);

/* Its side of hyperv, and of the loop: connections' eventfds. 0 or -errno. */
int synic_conns_init(struct synic *s);
/* Take a connection back; tell_kvm: the VM is there. */
void synic_disconnect(struct synic *s, struct synic_conn *c, bool tell_kvm);
/* A guest's hypercall: control word and first parameter. */
enum hv_status synic_hypercall(struct synic *s, uint64_t control, uint64_t param);

#endif
