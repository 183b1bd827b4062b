/*
 * virtio-mmio, version 2: the transport of devices at a fixed address.
 *
 * A device class uses it by four lines: a struct virtio_mmio in its state (its
 * properties from VIRTIO_MMIO_PROPS), &virtio_mmio_block as its only register
 * block, and realize and unrealize below.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "virtio/virtio.h"

#define VIRTIO_MMIO_SIZE 0x200 /* bytes of the window */

struct virtio_mmio {
    uint64_t addr; /* property: gpa of the window; 0: not given */
    uint32_t gsi;  /* property */
    struct region *region;
    struct irq_edge irq;
    /* Registers. */
    uint32_t device_features_sel;
    uint32_t driver_features_sel;
    uint32_t queue_sel;
    _Atomic uint32_t interrupt_status; /* bits are set from any thread */
};

#define VIRTIO_MMIO_PROPS(state, member)                                                           \
    {.name = "addr",                                                                               \
     .type = PROP_U64,                                                                             \
     .offset = offsetof(state, member.addr),                                                       \
     .meaning = "guest-physical address of the registers; the board chooses it"},                  \
    {                                                                                              \
        .name = "gsi", .type = PROP_U32, .offset = offsetof(state, member.gsi),                    \
        .meaning = "interrupt number; the board chooses it"                                        \
    }

#define VIRTIO_MMIO_FIELDS(state, member)                                                          \
    FIELD(state, member.device_features_sel, 1), FIELD(state, member.driver_features_sel, 1),      \
        FIELD(state, member.queue_sel, 1), FIELD(state, member.interrupt_status, 1)

/* The register block, number 0 of the device's class. */
extern const struct reg_block virtio_mmio_block;

/*
 * virtio_realize() with this transport, at m->addr with the interrupt m->gsi.
 * v->vcls must be set. -errno with e set; then nothing is left behind.
 */
int virtio_mmio_realize(struct virtio_device *v, struct virtio_mmio *m, uint64_t features,
                        struct err *e);
void virtio_mmio_unrealize(struct virtio_device *v);

#endif
