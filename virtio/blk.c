/*
 * virtio-blk: a disk. OASIS virtio 1.2, section 5.2; requests are in
 * blk_request.c, the sectors are kept by a back end (backend/block.h).
 *
 * Configuration (offsets in it): 0 capacity u64, 8 size_max u32, 12 seg_max
 * u32, 16 geometry {cylinders u16, heads u8, sectors u8}, 20 blk_size u32, 24
 * topology {physical_block_exp u8, alignment_offset u8, min_io_size u16,
 * opt_io_size u32}, 32 writeback u8, 36 discard {max_sectors u32, max_seg u32,
 * alignment u32}, 48 write zeroes {max_sectors u32, max_seg u32, may_unmap u8}.
 *
 * Locking: see blk.h.
 */
#include "virtio/blk.h"

#include "src/base/le.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_WRITEBACK 32

/* Where the file system of the host allocates: guests lay their data out in these. */
#define PHYSICAL_BLOCK     4096
#define PHYSICAL_BLOCK_EXP 3 /* 512 << 3 */

/* Chains taken in one go before the driver is told and the loop gets its turn. */
#define CHAINS_PER_TURN 32

static struct virtio_blk *blk_of(struct virtio_device *v)
{
    return (struct virtio_blk *)(void *)v;
}

/* --- configuration ------------------------------------------------------- */

static uint64_t blk_features(const struct virtio_blk *b)
{
    uint64_t f = BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_GEOMETRY | BLK_F_BLK_SIZE | BLK_F_FLUSH |
                 BLK_F_TOPOLOGY | BLK_F_CONFIG_WCE;
    return f | (b->block->readonly ? BLK_F_RO : BLK_F_DISCARD | BLK_F_WRITE_ZEROES);
}

static void fill_config(struct virtio_blk *b)
{
    const unsigned heads = 16;
    const unsigned sectors = 63;
    uint64_t capacity = b->block->size / BLOCK_SECTOR;
    uint64_t cylinders = capacity / (heads * sectors);
    uint8_t *c = b->config;
    put_le64(c, capacity);
    put_le32(c + 8, BLK_SIZE_MAX);
    put_le32(c + 12, BLK_SEG_MAX);
    put_le16(c + 16, cylinders < UINT16_MAX ? (uint16_t)cylinders : UINT16_MAX);
    c[18] = heads;
    c[19] = sectors;
    put_le32(c + 20, BLOCK_SECTOR);
    c[24] = PHYSICAL_BLOCK_EXP;
    put_le16(c + 26, PHYSICAL_BLOCK / BLOCK_SECTOR); /* smallest good request, in blocks */
    if (!b->block->readonly) {
        put_le32(c + 36, BLK_DISCARD_SECTORS_MAX);
        put_le32(c + 40, BLK_RANGES_MAX);
        put_le32(c + 44, PHYSICAL_BLOCK / BLOCK_SECTOR);
        put_le32(c + 48, BLK_ZEROES_SECTORS_MAX);
        put_le32(c + 52, BLK_RANGES_MAX);
        c[56] = 1;
    }
}

static uint64_t blk_config_read(struct virtio_device *v, uint32_t offset, unsigned size)
{
    const struct virtio_blk *b = blk_of(v);
    uint64_t value = 0;
    for (unsigned i = 0; i < size && offset + i < sizeof(b->config); i++) {
        uint64_t byte = offset + i == CONFIG_WRITEBACK ? b->writeback : b->config[offset + i];
        value |= byte << (8 * i);
    }
    return value;
}

static bool blk_config_write(struct virtio_device *v, uint32_t offset, uint64_t value,
                             unsigned size)
{
    if (offset != CONFIG_WRITEBACK || size != 1 || !virtio_has(v, BLK_F_CONFIG_WCE)) {
        return false;
    }
    atomic_store(&blk_of(v)->writeback, value != 0);
    return true;
}

/* A driver that cannot flush gets a disk that needs no flushing (5.2.6.2). */
static void blk_negotiated(struct virtio_device *v)
{
    atomic_store(&blk_of(v)->writeback, virtio_has(v, BLK_F_FLUSH));
}

/* --- queue --------------------------------------------------------------- */

/* Take one chain and start its request. False: there is none, or the ring is broken. */
static bool take_chain(struct virtio_blk *b, struct virtio_queue *q)
{
    struct blk_request *r = &b->requests[b->free[b->free_count - 1]];
    if (virtio_queue_pop(q, &r->chain) <= 0) {
        return false;
    }
    if (r->chain.writable_len == 0) {
        virtio_queue_break(q, "a request without room for its status");
        return false;
    }
    b->free_count--;
    r->blk = b;
    blk_request_start(r);
    return true;
}

/*
 * Take what is there, within a turn's limit, then tell the driver once of all
 * that ended meanwhile. Without a free request kicks stay off: the next request
 * that ends comes back here.
 */
static void take_chains(struct virtio_blk *b, struct virtio_queue *q)
{
    unsigned taken = 0;
    bool more = true;
    b->taking = true;
    while (more && b->free_count > 0 && virtio_queue_running(q)) {
        virtqueue_suppress_kicks(&q->ring);
        if (taken == CHAINS_PER_TURN) {
            virtio_queue_kick(q);
            break;
        }
        if (take_chain(b, q)) {
            taken++;
        } else {
            more = virtqueue_enable_kicks(&q->ring);
        }
    }
    b->taking = false;
    virtio_queue_interrupt(q);
}

static void blk_notify(struct virtio_device *v, struct virtio_queue *q)
{
    take_chains(blk_of(v), q);
}

void blk_request_ended(struct blk_request *r, uint32_t len)
{
    struct virtio_blk *b = r->blk;
    struct virtio_queue *q = &b->v.queues[0];
    virtqueue_push(&q->ring, r->chain.head, len);
    b->free[b->free_count++] = (uint16_t)(r - b->requests);
    if (!b->taking) {
        take_chains(b, q);
    }
}

static void blk_drain(struct virtio_device *v)
{
    struct block *block = blk_of(v)->block;
    if (block->ops->drain != NULL) {
        block->ops->drain(block);
    }
}

static const struct virtio_class blk_virtio = {
    .id = VIRTIO_ID_BLOCK,
    .queues = 1,
    .queue_max = BLK_QUEUE_MAX,
    .negotiated = blk_negotiated,
    .config_read = blk_config_read,
    .config_write = blk_config_write,
    .notify = blk_notify,
    .drain = blk_drain,
};

/* --- device -------------------------------------------------------------- */

static int check_props(const struct virtio_blk *b, struct err *e)
{
    int ret = 0;
    if (b->file == NULL || b->file[0] == '\0') {
        ret = err_set(e, EINVAL, "%s: no file is given", b->v.dev.id);
        err_hint(e, "--disk FILE");
    } else if (strcmp(b->format, "raw") != 0) {
        ret = err_set(e, EINVAL, "disk '%s': format '%s' is not supported", b->file, b->format);
        err_hint(e, "format=raw is the only one");
    } else if (b->serial != NULL && strlen(b->serial) > BLK_ID_BYTES) {
        ret = err_set(e, EINVAL, "disk '%s': the serial '%s' is longer than %d bytes", b->file,
                      b->serial, BLK_ID_BYTES);
    }
    if (ret < 0) {
        err_status(e, EXIT_USAGE);
    }
    return ret;
}

static int make_requests(struct virtio_blk *b, struct err *e)
{
    b->requests = calloc(BLK_IN_FLIGHT, sizeof(b->requests[0]));
    if (b->requests == NULL) {
        return err_set(e, ENOMEM, "disk '%s': out of memory", b->file);
    }
    for (b->free_count = 0; b->free_count < BLK_IN_FLIGHT; b->free_count++) {
        b->free[b->free_count] = (uint16_t)b->free_count;
    }
    return 0;
}

static void release(struct virtio_blk *b)
{
    free(b->requests);
    b->block->ops->close(b->block);
}

static int blk_realize(struct device *d, struct err *e)
{
    struct virtio_blk *b = DEVICE_STATE(struct virtio_blk, d);
    int ret = check_props(b, e);
    if (ret < 0) {
        return ret;
    }
    if (b->block == NULL) {
        b->block = b->overlay && !b->ro ? overlay_open(b->file, e) : raw_open(b->file, b->ro, e);
    }
    if (b->block == NULL) {
        return -EINVAL;
    }
    fill_config(b);
    b->v.vcls = &blk_virtio;
    ret = make_requests(b, e);
    if (ret == 0) {
        ret = virtio_mmio_realize(&b->v, &b->mmio, blk_features(b), e);
    }
    if (ret < 0) {
        release(b);
    }
    return ret;
}

static void blk_unrealize(struct device *d)
{
    struct virtio_blk *b = DEVICE_STATE(struct virtio_blk, d);
    virtio_mmio_unrealize(&b->v);
    release(b);
}

static void blk_reset(struct device *d)
{
    struct virtio_blk *b = DEVICE_STATE(struct virtio_blk, d);
    virtio_reset(&b->v);
    atomic_store(&b->writeback, true);
}

static int blk_loaded(struct device *d, struct err *e)
{
    return virtio_loaded(&DEVICE_STATE(struct virtio_blk, d)->v, e);
}

static void blk_pause(struct device *d)
{
    virtio_pause(&DEVICE_STATE(struct virtio_blk, d)->v);
}

static void blk_resume(struct device *d)
{
    virtio_resume(&DEVICE_STATE(struct virtio_blk, d)->v);
}

static const struct prop props[] = {
    VIRTIO_MMIO_PROPS(struct virtio_blk, mmio),
    PROP(struct virtio_blk, file, PROP_STRING, NULL, 0, 0, "regular file or block device"),
    PROP(struct virtio_blk, ro, PROP_BOOL, NULL, 0, 0, "read-only; such disks can be shared"),
    PROP(struct virtio_blk, overlay, PROP_BOOL, NULL, 0, 0,
         "leave the file as it is: what is written ends with vmm"),
    PROP(struct virtio_blk, format, PROP_STRING, "raw", 0, 0, "format of the file: raw"),
    PROP(struct virtio_blk, serial, PROP_STRING, NULL, 0, 0, "what the guest reads as its id"),
};

static const struct field fields[] = {
    VIRTIO_FIELDS(struct virtio_blk, v),
    VIRTIO_QUEUE_FIELDS(struct virtio_blk, v, 0),
    VIRTIO_MMIO_FIELDS(struct virtio_blk, mmio),
    FIELD(struct virtio_blk, writeback, 1),
};

const struct device_class virtio_blk_class = {
    .name = "virtio-blk",
    .summary = "disk on virtio-mmio",
    .state_size = sizeof(struct virtio_blk),
    .props = TABLE(props),
    .blocks = &virtio_mmio_block,
    .block_count = 1,
    .fields = TABLE(fields),
    .version = 1,
    .virtio = true,
    .realize = blk_realize,
    .unrealize = blk_unrealize,
    .reset = blk_reset,
    .loaded = blk_loaded,
    .pause = blk_pause,
    .resume = blk_resume,
};
