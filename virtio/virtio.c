/*
 * Virtio devices, common part: see virtio.h for the model and the locking.
 */
#include "virtio/virtio.h"

#include "src/base/trace.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What every device of ours offers and every driver must or may accept. */
#define COMMON_FEATURES (VIRTIO_F_VERSION_1 | VIRTIO_F_RING_INDIRECT_DESC | VIRTIO_F_RING_EVENT_IDX)

/* --- status machine ---------------------------------------------------- */

static bool features_allowed(struct virtio_device *v)
{
    uint64_t unknown = v->driver_features & ~v->offered;
    if (unknown == 0 && virtio_has(v, VIRTIO_F_VERSION_1)) {
        return true;
    }
    guest_error(&v->dev.guest_errors, "%s: the driver %s; FEATURES_OK is refused", v->dev.id,
                unknown != 0 ? "accepted features that were not offered"
                             : "did not accept VERSION_1");
    return false;
}

static void features_entered(struct virtio_device *v)
{
    if (v->vcls->negotiated != NULL) {
        v->vcls->negotiated(v);
    }
}

static void driver_is_up(struct virtio_device *v);

/*
 * The handshake, in the order its steps are taken: a bit may be added when all
 * bits of `after` are set and FAILED is not. FAILED may be added at any time.
 * Nothing but a reset takes a bit away.
 */
static const struct step {
    uint8_t bit;
    uint8_t after;
    const char *name;
    bool (*allowed)(struct virtio_device *v); /* a further condition */
    void (*entered)(struct virtio_device *v); /* with the bit set */
} steps[] = {
    {VIRTIO_ACKNOWLEDGE, 0, "ACKNOWLEDGE", NULL, NULL},
    {VIRTIO_DRIVER, 0, "DRIVER", NULL, NULL}, /* U-Boot leaves ACKNOWLEDGE out */
    {VIRTIO_FEATURES_OK, VIRTIO_DRIVER, "FEATURES_OK", features_allowed, features_entered},
    {VIRTIO_DRIVER_OK, VIRTIO_FEATURES_OK, "DRIVER_OK", NULL, driver_is_up},
    {VIRTIO_FAILED, 0, "FAILED", NULL, NULL},
};

/* All bits a driver may write; NEEDS_RESET is the device's and may be written back. */
#define KNOWN_STATUS                                                                               \
    (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK | VIRTIO_FAILED |  \
     VIRTIO_NEEDS_RESET)

uint8_t virtio_status(const struct virtio_device *v)
{
    return atomic_load_explicit(&v->status, memory_order_acquire);
}

static bool take_step(struct virtio_device *v, const struct step *s)
{
    uint8_t status = virtio_status(v);
    if ((status & s->after) != s->after || (status & VIRTIO_FAILED) != 0) {
        guest_error(&v->dev.guest_errors, "%s: the driver sets %s out of order", v->dev.id,
                    s->name);
        return false;
    }
    if (s->allowed != NULL && !s->allowed(v)) {
        return false;
    }
    atomic_fetch_or(&v->status, s->bit);
    if (s->entered != NULL) {
        s->entered(v);
    }
    return true;
}

void virtio_write_status(struct virtio_device *v, uint32_t value)
{
    uint8_t old = virtio_status(v);
    if (value == 0) {
        virtio_reset(v);
    } else if ((old & ~value & ~VIRTIO_NEEDS_RESET) != 0 || (value & ~KNOWN_STATUS) != 0) {
        guest_error(&v->dev.guest_errors, "%s: the driver writes 0x%" PRIx32 " over status 0x%02x",
                    v->dev.id, value, old);
    } else {
        bool going = true;
        for (size_t i = 0; going && i < sizeof(steps) / sizeof(steps[0]); i++) {
            if ((value & ~old & steps[i].bit) != 0) {
                going = take_step(v, &steps[i]);
            }
        }
    }
    trace(TRACE_virtio_status, "%s 0x%02x -> 0x%02x", v->dev.id, old, virtio_status(v));
}

void virtio_needs_reset(struct virtio_device *v)
{
    uint8_t old = atomic_fetch_or(&v->status, VIRTIO_NEEDS_RESET);
    if ((old & VIRTIO_NEEDS_RESET) == 0 && (old & VIRTIO_DRIVER_OK) != 0) {
        v->transport->config_interrupt(v);
    }
}

void virtio_write_features(struct virtio_device *v, uint32_t word, uint32_t value)
{
    uint8_t status = virtio_status(v);
    if ((status & VIRTIO_DRIVER) == 0 || (status & VIRTIO_FEATURES_OK) != 0) {
        guest_error(&v->dev.guest_errors, "%s: the driver writes features at status 0x%02x",
                    v->dev.id, status);
        return;
    }
    if (word > 1) {
        if (value != 0) {
            guest_error(&v->dev.guest_errors, "%s: the driver accepts features above bit 63",
                        v->dev.id);
        }
        return;
    }
    unsigned shift = 32 * word;
    v->driver_features &= ~(0xffffffffULL << shift);
    v->driver_features |= (uint64_t)value << shift;
}

void virtio_queue_kick(struct virtio_queue *q)
{
    (void)eventfd_write(q->kick_fd, 1); /* full: a kick waits already */
}

/* --- configuration space ------------------------------------------------ */

uint64_t virtio_config_read(struct virtio_device *v, uint32_t offset, unsigned size)
{
    return v->vcls->config_read != NULL ? v->vcls->config_read(v, offset, size) : 0;
}

void virtio_config_write(struct virtio_device *v, uint32_t offset, uint64_t value, unsigned size)
{
    if (v->vcls->config_write != NULL && v->vcls->config_write(v, offset, value, size)) {
        v->config_generation++;
    } else {
        guest_error(&v->dev.guest_errors, "%s: the driver writes configuration offset %u",
                    v->dev.id, offset);
    }
}

/* --- queues: control path ----------------------------------------------- */

/* On the I/O thread: watch the kicks of running queues. Earlier ones wait in the eventfd. */
static void attach_queues(void *opaque)
{
    struct virtio_device *v = opaque;
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        struct virtio_queue *q = &v->queues[i];
        if (!virtio_queue_running(q) || q->attached) {
            continue;
        }
        int ret = loop_add_fd(iothread_loop(v->iothread), &q->kick, EPOLLIN);
        if (ret < 0) {
            log_warn("%s: cannot watch queue %u, %s; the device stops", v->dev.id, i,
                     strerror(-ret));
            virtio_needs_reset(v);
            continue;
        }
        q->attached = true;
    }
}

/* On the I/O thread: let go of queues that no longer run, and end what is in flight. */
static void detach_queues(void *opaque)
{
    struct virtio_device *v = opaque;
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        struct virtio_queue *q = &v->queues[i];
        eventfd_t kicks;
        if (!virtio_queue_running(q) && q->attached) {
            loop_del_fd(iothread_loop(v->iothread), &q->kick);
            (void)eventfd_read(q->kick_fd, &kicks); /* forget kicks that came too late */
            q->attached = false;
        }
    }
    if (v->vcls->drain != NULL) {
        v->vcls->drain(v);
    }
}

static void mark_running(struct virtio_queue *q, bool on)
{
    if (q->running != on) {
        atomic_store_explicit(&q->running, on, memory_order_release);
        q->dev->transport->set_doorbell(q->dev, q, on);
        trace(TRACE_virtio_queue_ready, "%s queue %u size %u %s", q->dev->dev.id, q->index,
              q->layout.num, on ? "runs" : "stops");
    }
}

static void start_queues(struct virtio_device *v)
{
    topology_begin(v->dev.env->topo);
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        mark_running(&v->queues[i], v->queues[i].mapped);
    }
    topology_commit(v->dev.env->topo); /* a doorbell refused is one that exits */
    iothread_call(v->iothread, attach_queues, v);
}

static void driver_is_up(struct virtio_device *v)
{
    start_queues(v);
    if ((virtio_status(v) & VIRTIO_NEEDS_RESET) != 0) {
        v->transport->config_interrupt(v); /* of what went wrong before it could be told */
    }
}

static struct virtqueue_layout initial_layout(const struct virtio_device *v)
{
    return (struct virtqueue_layout){.num = v->vcls->queue_max};
}

void virtio_queue_enable(struct virtio_queue *q)
{
    struct virtio_device *v = q->dev;
    if (q->ready) {
        return;
    }
    if ((virtio_status(v) & VIRTIO_FEATURES_OK) == 0) {
        guest_error(&v->dev.guest_errors, "%s: queue %u is made ready before FEATURES_OK",
                    v->dev.id, q->index);
        return;
    }
    int ret = virtqueue_map(&q->ring, v->dev.env->mem, &q->layout,
                            virtio_has(v, VIRTIO_F_RING_INDIRECT_DESC),
                            virtio_has(v, VIRTIO_F_RING_EVENT_IDX));
    if (ret < 0) {
        guest_error(&v->dev.guest_errors, "%s: queue %u cannot be used: %s", v->dev.id, q->index,
                    q->ring.broken);
        virtio_needs_reset(v);
    }
    q->ready = true;
    q->mapped = ret == 0;
    if ((virtio_status(v) & VIRTIO_DRIVER_OK) != 0) {
        start_queues(v);
    }
}

void virtio_queue_disable(struct virtio_queue *q)
{
    if (q->running) {
        mark_running(q, false);
        iothread_call(q->dev->iothread, detach_queues, q->dev);
    }
    q->ready = false;
    q->mapped = false;
}

static void stop_queues(struct virtio_device *v)
{
    topology_begin(v->dev.env->topo);
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        mark_running(&v->queues[i], false);
    }
    topology_commit(v->dev.env->topo);
    iothread_call(v->iothread, detach_queues, v);
}

void virtio_reset(struct virtio_device *v)
{
    if ((virtio_status(v) & VIRTIO_DRIVER_OK) != 0) {
        stop_queues(v);
    }
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        v->queues[i].ready = false;
        v->queues[i].mapped = false;
        v->queues[i].layout = initial_layout(v);
    }
    v->driver_features = 0;
    v->transport->reset(v);
    atomic_store(&v->status, 0);
}

/* --- snapshots ---------------------------------------------------------- */

/* On the I/O thread: take no more chains. Kicks wait in the eventfds. */
static void rest_queues(void *opaque)
{
    struct virtio_device *v = opaque;
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        if (v->queues[i].attached) {
            loop_del_fd(iothread_loop(v->iothread), &v->queues[i].kick);
            v->queues[i].attached = false;
        }
    }
    if (v->vcls->drain != NULL) {
        v->vcls->drain(v);
    }
}

void virtio_pause(struct virtio_device *v)
{
    iothread_call(v->iothread, rest_queues, v);
}

/* Which kicks came before the snapshot is not known: each queue looks once. */
void virtio_resume(struct virtio_device *v)
{
    device_lock(&v->dev);
    if ((virtio_status(v) & VIRTIO_DRIVER_OK) != 0) {
        start_queues(v);
        for (unsigned i = 0; i < v->vcls->queues; i++) {
            if (virtio_queue_running(&v->queues[i])) {
                virtio_queue_kick(&v->queues[i]);
            }
        }
    }
    v->transport->resume(v);
    device_unlock(&v->dev);
}

/* Look the ring's places up; its indices came from the file and are in the ring already. */
static void load_queue(struct virtio_queue *q)
{
    struct virtio_device *v = q->dev;
    const struct virtqueue saved = q->ring;
    const int ret = virtqueue_map(&q->ring, v->dev.env->mem, &q->layout,
                                  virtio_has(v, VIRTIO_F_RING_INDIRECT_DESC),
                                  virtio_has(v, VIRTIO_F_RING_EVENT_IDX));
    if (ret < 0) {
        virtio_needs_reset(v);
        return;
    }
    q->mapped = true;
    q->ring.next_avail = saved.next_avail;
    q->ring.used_idx = saved.used_idx;
    q->ring.signalled = saved.signalled;
    if ((virtio_status(v) & VIRTIO_NEEDS_RESET) != 0) {
        virtqueue_break(&q->ring, "it was when the snapshot was made");
    }
}

int virtio_loaded(struct virtio_device *v, struct err *e)
{
    const uint8_t status = virtio_status(v);
    const bool agreed = (status & VIRTIO_FEATURES_OK) != 0;
    if ((status & ~KNOWN_STATUS) != 0 || ((status & VIRTIO_DRIVER_OK) != 0 && !agreed)) {
        return err_set(e, EINVAL, "a driver's status cannot be 0x%02x", status);
    }
    if (agreed && (v->driver_features & ~v->offered) != 0) {
        return err_set(e, EINVAL, "the driver uses features 0x%" PRIx64 ", which it has not",
                       v->driver_features & ~v->offered);
    }
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        v->queues[i].mapped = false;
        if (v->queues[i].ready) {
            load_queue(&v->queues[i]);
        }
    }
    return 0;
}

/* --- queues: data path -------------------------------------------------- */

static void kicked(void *opaque, uint32_t events)
{
    struct virtio_queue *q = opaque;
    (void)events;
    eventfd_t kicks;
    (void)eventfd_read(q->kick_fd, &kicks);
    trace(TRACE_virtio_notify, "%s queue %u", q->dev->dev.id, q->index);
    q->dev->vcls->notify(q->dev, q);
}

void virtio_queue_break(struct virtio_queue *q, const char *why)
{
    struct virtio_device *v = q->dev;
    virtqueue_break(&q->ring, why);
    guest_error(&v->dev.guest_errors, "%s: queue %u is broken: %s", v->dev.id, q->index, why);
    virtio_needs_reset(v);
}

int virtio_queue_pop(struct virtio_queue *q, struct virtqueue_chain *c)
{
    if (q->ring.broken != NULL) {
        return -EPROTO; /* was told already */
    }
    int ret = virtqueue_pop(&q->ring, c);
    if (ret < 0) {
        virtio_queue_break(q, q->ring.broken);
    }
    return ret;
}

void virtio_queue_interrupt(struct virtio_queue *q)
{
    if (virtqueue_must_interrupt(&q->ring)) {
        q->dev->transport->queue_interrupt(q->dev, q->index);
    }
}

/* --- life --------------------------------------------------------------- */

static void close_queues(struct virtio_device *v)
{
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        if (v->queues[i].kick_fd >= 0) {
            close(v->queues[i].kick_fd);
        }
    }
}

static int open_queues(struct virtio_device *v, struct err *e)
{
    bool failed = false;
    for (unsigned i = 0; i < v->vcls->queues; i++) {
        struct virtio_queue *q = &v->queues[i];
        *q = (struct virtio_queue){.dev = v, .index = i, .layout = initial_layout(v)};
        q->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        q->kick = (struct loop_fd){.fd = q->kick_fd, .ready = kicked, .opaque = q};
        failed |= q->kick_fd < 0;
    }
    if (!failed) {
        return 0;
    }
    int ret = err_set(e, errno, "%s: cannot make a doorbell, %s", v->dev.id, strerror(errno));
    err_hint(e, "ulimit -n shows how many descriptors a process may have");
    close_queues(v);
    return ret;
}

/* On the I/O thread: from now on its callbacks may look guest addresses up. */
static void join_topology(void *opaque)
{
    struct virtio_device *v = opaque;
    loop_set_topology(iothread_loop(v->iothread), v->dev.env->topo);
}

int virtio_realize(struct virtio_device *v, uint64_t features, struct err *e)
{
    assert(v->vcls->queues <= VIRTIO_QUEUES_MAX && v->vcls->queue_max <= VIRTQUEUE_NUM_MAX);
    v->offered = features | COMMON_FEATURES;
    int ret = open_queues(v, e);
    if (ret < 0) {
        return ret;
    }
    char name[16];
    snprintf(name, sizeof(name), "%.15s", v->dev.id);
    v->iothread = iothread_new(name, loop_clock(v->dev.env->loop), e);
    if (v->iothread == NULL) {
        close_queues(v);
        return -EAGAIN;
    }
    iothread_call(v->iothread, join_topology, v);
    return 0;
}

void virtio_unrealize(struct virtio_device *v)
{
    device_lock(&v->dev);
    virtio_reset(v);
    device_unlock(&v->dev);
    iothread_free(v->iothread);
    close_queues(v);
}
