/*
 * See virtio_blk.h.
 */
#include "virtio_blk.h"

static struct {
    uint32_t type, reserved;
    uint64_t sector;
} header;

static volatile uint8_t status;

static void poll(struct blk *b)
{
    (void)b;
    cpu_relax();
}

bool blk_open(struct blk *b, unsigned n, struct virtq *queue, uint64_t features)
{
    if (!virtio_find(&b->virtio, VIRTIO_ID_BLOCK, n)) {
        return false;
    }
    b->virtio.queue = queue;
    b->wait = poll;
    b->features = VIRTIO_F_VERSION_1 | (features & virtio_offered(&b->virtio));
    blk_restart(b);
    return true;
}

void blk_restart(struct blk *b)
{
    virtio_start(&b->virtio, b->features);
}

uint64_t blk_capacity(const struct blk *b)
{
    return virtio_read(&b->virtio, VIRTIO_CONFIG + BLK_CAPACITY) |
           (uint64_t)virtio_read(&b->virtio, VIRTIO_CONFIG + BLK_CAPACITY + 4) << 32;
}

void blk_submit(struct blk *b, uint32_t type, uint64_t sector, void *data, uint32_t len)
{
    struct virtq_desc *desc = b->virtio.queue->desc;
    const uint16_t direction = type == BLK_WRITE ? 0 : VIRTQ_WRITE;
    header.type = type;
    header.sector = sector;
    status = BLK_NO_STATUS;
    desc[0] = (struct virtq_desc){(uintptr_t)&header, sizeof(header), VIRTQ_NEXT, len > 0 ? 1 : 2};
    desc[1] = (struct virtq_desc){(uintptr_t)data, len, VIRTQ_NEXT | direction, 2};
    desc[2] = (struct virtq_desc){(uintptr_t)&status, sizeof(status), VIRTQ_WRITE, 0};
    virtq_submit(&b->virtio, 0);
}

unsigned blk_request(struct blk *b, uint32_t type, uint64_t sector, void *data, uint32_t len)
{
    blk_submit(b, type, sector, data, len);
    while (!virtq_take(&b->virtio, &b->written)) {
        b->wait(b);
    }
    return status;
}
