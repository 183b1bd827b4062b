/*
 * See virtio.h.
 */
#include "virtio.h"

bool virtio_find(struct virtio *v, uint32_t id, unsigned n)
{
    struct virtio_slot place;
    for (unsigned slot = 0; (place = virtio_slot(slot)).gpa != 0; slot++) {
        v->slot = slot;
        v->base = place.gpa;
        v->gsi = place.gsi;
        if (virtio_read(v, VIRTIO_MAGIC) == VIRTIO_MAGIC_VALUE &&
            virtio_read(v, VIRTIO_DEVICE_ID) == id && n-- == 0) {
            return true;
        }
    }
    return false;
}

uint32_t virtio_read(const struct virtio *v, unsigned reg)
{
    return mmio_read32(v->base + reg);
}

void virtio_write(const struct virtio *v, unsigned reg, uint32_t value)
{
    mmio_write32(v->base + reg, value);
}

static void add_status(const struct virtio *v, uint32_t bits)
{
    virtio_write(v, VIRTIO_STATUS, virtio_read(v, VIRTIO_STATUS) | bits);
}

uint64_t virtio_offered(const struct virtio *v)
{
    virtio_write(v, VIRTIO_DEVICE_FEATURES_SEL, 1);
    uint64_t features = (uint64_t)virtio_read(v, VIRTIO_DEVICE_FEATURES) << 32;
    virtio_write(v, VIRTIO_DEVICE_FEATURES_SEL, 0);
    return features | virtio_read(v, VIRTIO_DEVICE_FEATURES);
}

bool virtio_negotiate(const struct virtio *v, uint64_t features)
{
    virtio_write(v, VIRTIO_STATUS, 0);
    CHECK_EQ(virtio_read(v, VIRTIO_STATUS), 0);
    add_status(v, VIRTIO_ACKNOWLEDGE);
    add_status(v, VIRTIO_DRIVER);
    virtio_write(v, VIRTIO_DRIVER_FEATURES_SEL, 0);
    virtio_write(v, VIRTIO_DRIVER_FEATURES, (uint32_t)features);
    virtio_write(v, VIRTIO_DRIVER_FEATURES_SEL, 1);
    virtio_write(v, VIRTIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
    add_status(v, VIRTIO_FEATURES_OK);
    return (virtio_read(v, VIRTIO_STATUS) & VIRTIO_FEATURES_OK) != 0;
}

static void write_address(const struct virtio *v, unsigned reg, const volatile void *address)
{
    virtio_write(v, reg, (uint32_t)(uintptr_t)address);
    virtio_write(v, reg + 4, (uint32_t)((uintptr_t)address >> 32));
}

bool virtio_queue_start(const struct virtio *v)
{
    virtio_write(v, VIRTIO_QUEUE_SEL, 0);
    CHECK_EQ(virtio_read(v, VIRTIO_QUEUE_READY), 0);
    CHECK(virtio_read(v, VIRTIO_QUEUE_NUM_MAX) >= VIRTQ_SIZE);
    virtio_write(v, VIRTIO_QUEUE_NUM, VIRTQ_SIZE);
    write_address(v, VIRTIO_QUEUE_DESC, v->queue->desc);
    write_address(v, VIRTIO_QUEUE_DRIVER, &v->queue->avail);
    write_address(v, VIRTIO_QUEUE_DEVICE, &v->queue->used);
    virtio_write(v, VIRTIO_QUEUE_READY, 1);
    return virtio_read(v, VIRTIO_QUEUE_READY) == 1;
}

void virtio_start(const struct virtio *v, uint64_t features)
{
    CHECK(virtio_negotiate(v, features));
    memset(v->queue, 0, sizeof(*v->queue));
    CHECK(virtio_queue_start(v));
    add_status(v, VIRTIO_DRIVER_OK);
}

void virtq_submit(const struct virtio *v, uint16_t head)
{
    struct virtq *q = v->queue;
    q->avail.ring[q->avail.idx % VIRTQ_SIZE] = head;
    memory_barrier();
    q->avail.idx++;
    memory_barrier();
    virtio_write(v, VIRTIO_QUEUE_NOTIFY, 0);
}

bool virtq_take(const struct virtio *v, uint32_t *len)
{
    struct virtq *q = v->queue;
    if (q->used.idx == q->seen) {
        return false;
    }
    memory_barrier();
    *len = q->used.ring[q->seen++ % VIRTQ_SIZE].len;
    return true;
}
