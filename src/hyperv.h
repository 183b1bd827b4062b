/*
 * What a machine with Hyper-V's interface (`--cpu host,hyperv=on`) gives its
 * devices: synthetic interrupts, and connections by which a guest's hypercalls
 * send something to one. A device knows only this; KVM's side is src/kvm/synic.h.
 *
 * A synthetic interrupt source (SINT) is one of 16 of each vCPU; the guest says
 * which vector it has. It can carry a message, which waits until the guest has
 * taken the one before, or event flags. A connection is a number that a guest
 * posts messages to (HvCallPostMessage) or signals (HvCallSignalEvent).
 *
 * All numbers may be the guest's: they are checked here. 0 or -errno: -EINVAL (no
 * such vCPU, SINT, connection or flag), -EEXIST (connected already), -ENOENT (not
 * connected), or what KVM says.
 *
 * Source: Microsoft's Hypervisor Top-Level Functional Specification, chapters 10
 * (inter-partition communication) and 11 (virtual interrupts).
 * Locking: any thread, which may hold its device's lock.
 */
#ifndef HYPERV_H
#define HYPERV_H

#define HYPERV_SINTS       16
#define HYPERV_CONNECTIONS 256  /* numbers 0 to 255 */
#define HYPERV_FLAGS       2048 /* event flags of a SINT */

struct hyperv {
    /* A source that hyperv_raise_sint() raises, with nothing to say. */
    int (*connect_sint)(struct hyperv *h, unsigned vcpu, unsigned sint);
    int (*disconnect_sint)(struct hyperv *h, unsigned vcpu, unsigned sint);
    int (*raise_sint)(struct hyperv *h, unsigned vcpu, unsigned sint);
    /* Messages posted to connection conn go to a SINT. */
    int (*connect_messages)(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint);
    /* Signals of conn set an event flag of a SINT. */
    int (*connect_events)(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint,
                          unsigned flag);
    int (*disconnect)(struct hyperv *h, unsigned conn);
};

/* One for a machine that is only described: all of it succeeds and does nothing. */
void hyperv_init_idle(struct hyperv *h);

#endif
