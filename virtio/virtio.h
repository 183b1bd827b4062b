/*
 * Virtio devices: the part that neither knows the device nor how its driver
 * reaches it. It holds the status machine, the negotiation of features, and the
 * life of queues: set up, running, stopped.
 *
 * Model: OASIS virtio 1.2, sections 2 (basic facilities) and 3 (initialisation).
 *
 *     transport (mmio.h)   registers, doorbells, interrupts
 *          |  virtio_write_status(), virtio_queue_enable(), ...
 *     this file
 *          |  struct virtio_class
 *     device (blk.h)       features, configuration, requests
 *
 * Threads and locking. The control path runs on any thread with the device's
 * lock held: status, features, queue layouts. The data path runs on the
 * device's own I/O thread and takes no lock: rings, requests, completions. The
 * control path hands queues over by iothread_call() and waits; since the I/O
 * thread never takes the device's or the topology's lock, that wait ends. Both
 * sides use status and the queues' running marks, which are atomic.
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include "src/device.h"
#include "virtio/queue.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Device ids. */
#define VIRTIO_ID_BLOCK 2

/* Status bits. */
#define VIRTIO_ACKNOWLEDGE 0x01
#define VIRTIO_DRIVER      0x02
#define VIRTIO_DRIVER_OK   0x04
#define VIRTIO_FEATURES_OK 0x08
#define VIRTIO_NEEDS_RESET 0x40
#define VIRTIO_FAILED      0x80

/* Features of all devices. */
#define VIRTIO_F_RING_INDIRECT_DESC (1ULL << 28)
#define VIRTIO_F_RING_EVENT_IDX     (1ULL << 29)
#define VIRTIO_F_VERSION_1          (1ULL << 32)

#define VIRTIO_QUEUES_MAX 8

struct virtio_device;

struct virtio_queue {
    struct virtio_device *dev;
    unsigned index;
    /* Control path. */
    struct virtqueue_layout layout; /* as the driver wrote it */
    bool ready;                     /* QueueReady */
    bool mapped;                    /* ready, and the ring is where it may be */
    int kick_fd;                    /* eventfd: the driver's doorbell */
    /* Both. */
    _Atomic bool running; /* chains may be taken; the control path sets it */
    /* Data path. */
    bool attached; /* kick_fd is watched */
    struct loop_fd kick;
    struct virtqueue ring; /* filled by the control path while not running */
};

/* What a device adds. All but id, queues, queue_max and notify may be NULL. */
struct virtio_class {
    uint16_t id;
    unsigned queues;    /* at most VIRTIO_QUEUES_MAX */
    uint16_t queue_max; /* entries, at most VIRTQUEUE_NUM_MAX */
    /* Control path. */
    void (*negotiated)(struct virtio_device *v); /* driver_features are final */
    uint64_t (*config_read)(struct virtio_device *v, uint32_t offset, unsigned size);
    /* False: the driver may not write there. */
    bool (*config_write)(struct virtio_device *v, uint32_t offset, uint64_t value, unsigned size);
    /* Data path. */
    void (*notify)(struct virtio_device *v, struct virtio_queue *q); /* chains may have come */
    void (*drain)(struct virtio_device *v); /* return when no request is in flight */
};

/* How a driver is reached. The interrupts come from any thread, the rest is the control path. */
struct virtio_transport {
    void (*queue_interrupt)(struct virtio_device *v, unsigned queue);
    void (*config_interrupt)(struct virtio_device *v);
    /* Have q->kick_fd signalled without an exit from now on, or no more. Best effort. */
    void (*set_doorbell)(struct virtio_device *v, struct virtio_queue *q, bool on);
    void (*reset)(struct virtio_device *v);
    /* Saved state goes on: interrupt for what the driver has not acknowledged. */
    void (*resume)(struct virtio_device *v);
};

/* The state struct of a virtio device begins with this. */
struct virtio_device {
    struct device dev;
    const struct virtio_class *vcls;
    const struct virtio_transport *transport;
    void *transport_state;
    struct iothread *iothread;
    uint64_t offered; /* features */
    uint64_t driver_features;
    _Atomic uint8_t status;
    uint32_t config_generation;
    struct virtio_queue queues[VIRTIO_QUEUES_MAX];
};

/* --- life: from realize, unrealize and reset of a device class --------- */

/*
 * vcls, transport and transport_state must be set. features: those of the
 * device; the common ones are added. Makes the I/O thread, named by the
 * device's id, here and not when the driver comes: a host that is short of
 * threads or descriptors says so while somebody can still act.
 */
int virtio_realize(struct virtio_device *v, uint64_t features, struct err *e);
/* Reset, then free all. */
void virtio_unrealize(struct virtio_device *v);
/* Back to status 0. Waits until requests in flight have ended. */
void virtio_reset(struct virtio_device *v);

/*
 * Snapshots: from loaded, pause and resume of a device class. loaded: -EINVAL with e set; a ring
 * that cannot be where the file says is left unused, as when a driver puts it there.
 */
int virtio_loaded(struct virtio_device *v, struct err *e);
void virtio_pause(struct virtio_device *v);
void virtio_resume(struct virtio_device *v);

/* --- control path: what a transport's registers do --------------------- */

uint8_t virtio_status(const struct virtio_device *v);
/* 0 resets; other values take the steps of the handshake they add, as far as allowed. */
void virtio_write_status(struct virtio_device *v, uint32_t value);
/* Bits 32 * word .. 32 * word + 31 of what the driver accepts. */
void virtio_write_features(struct virtio_device *v, uint32_t word, uint32_t value);

/* Take the layout and, once DRIVER_OK is set, run. An impossible layout sets NEEDS_RESET. */
void virtio_queue_enable(struct virtio_queue *q);
/* Stop it. Waits until its requests in flight have ended. */
void virtio_queue_disable(struct virtio_queue *q);

uint64_t virtio_config_read(struct virtio_device *v, uint32_t offset, unsigned size);
void virtio_config_write(struct virtio_device *v, uint32_t offset, uint64_t value, unsigned size);

/* --- any thread --------------------------------------------------------- */

/* The driver must reset: NEEDS_RESET and, if it is up, a configuration interrupt. */
void virtio_needs_reset(struct virtio_device *v);

/*
 * Have notify() called, once the queue runs: for a doorbell that came as an
 * exit, or when notify() wants another turn.
 */
void virtio_queue_kick(struct virtio_queue *q);

static inline bool virtio_has(const struct virtio_device *v, uint64_t feature)
{
    return (v->driver_features & feature) != 0;
}

/* --- data path: what a device does with its queues ---------------------- */

/* May chains still be taken? Goes false when somebody waits for the queue to stop. */
static inline bool virtio_queue_running(const struct virtio_queue *q)
{
    return atomic_load_explicit(&q->running, memory_order_acquire);
}

/* virtqueue_pop(), and what becomes of the device when the ring is broken. */
int virtio_queue_pop(struct virtio_queue *q, struct virtqueue_chain *c);
/* The driver broke a rule of the device itself; why: a string constant. */
void virtio_queue_break(struct virtio_queue *q, const char *why);
/* Interrupt the driver if it wants to hear of what was pushed. */
void virtio_queue_interrupt(struct virtio_queue *q);

/* Saved state of queue n and of the device, for a class's field table. */
#define VIRTIO_FIELDS(state, member)                                                               \
    FIELD(state, member.status, 1), FIELD(state, member.driver_features, 1),                       \
        FIELD(state, member.config_generation, 1)
#define VIRTIO_QUEUE_FIELDS(state, member, n)                                                      \
    FIELD(state, member.queues[n].layout.num, 1), FIELD(state, member.queues[n].layout.desc, 1),   \
        FIELD(state, member.queues[n].layout.driver, 1),                                           \
        FIELD(state, member.queues[n].layout.device, 1), FIELD(state, member.queues[n].ready, 1),  \
        FIELD(state, member.queues[n].ring.next_avail, 1),                                         \
        FIELD(state, member.queues[n].ring.used_idx, 1),                                           \
        FIELD(state, member.queues[n].ring.signalled, 1)

#endif
