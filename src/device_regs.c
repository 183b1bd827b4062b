/*
 * Register blocks: from a device's table to an io region that lets through
 * only what the table allows. See device.h.
 *
 * Locking: sizes do not change after device_map_block(). The core holds
 * the device's lock (unless the class is lock-free) around the region's
 * callbacks here, and so around the block's.
 */
#include "src/base/trace.h"
#include "src/device.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* An offset past the table's registers, moved back to the first of those that repeat. */
static uint64_t first_of_repeats(const struct reg_block *b, uint64_t offset)
{
    uint64_t at = offset - b->repeat_from;
    return b->repeats != 0 && at / b->stride < b->repeats ? b->repeat_from + at % b->stride
                                                          : offset;
}

bool device_access_fits(const struct device_region *r, uint64_t offset, unsigned size, bool write)
{
    if (offset >= r->span) {
        offset = first_of_repeats(r->block, offset);
        if (offset >= r->span) {
            return false;
        }
    }
    return (r->sizes[write ? r->span + offset : offset] & size) != 0;
}

static void count_misfit(struct device_region *r, uint64_t offset, unsigned size, const char *verb)
{
    struct device *d = r->dev;
    guest_error(&d->guest_errors, "%s: a %s of %u bytes at %s+0x%" PRIx64 " fits no register",
                d->id, verb, size, r->block->name, offset);
    trace(TRACE_device_misfit, "%s %s %s+0x%" PRIx64 " size %u", d->id, verb, r->block->name,
          offset, size);
}

static uint64_t block_read(void *opaque, uint64_t offset, unsigned size)
{
    struct device_region *r = opaque;
    if (!device_access_fits(r, offset, size, false)) {
        count_misfit(r, offset, size, "read");
        return r->block->misfit_reads_zero ? 0 : UINT64_MAX;
    }
    if (device_faulty(r->dev, DEVICE_FAULT_READ, offset)) {
        return UINT64_MAX;
    }
    return r->block->read(r->dev, (uint32_t)offset, size);
}

static void block_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct device_region *r = opaque;
    if (!device_access_fits(r, offset, size, true)) {
        count_misfit(r, offset, size, "write");
        return;
    }
    if (device_faulty(r->dev, DEVICE_FAULT_WRITE, offset)) {
        return;
    }
    r->block->write(r->dev, (uint32_t)offset, value, size);
}

/* All sizes and alignments come through whole: the table judges them. */
static const struct region_ops block_ops = {
    .read = block_read,
    .write = block_write,
    .guest = {.min = 1, .max = 8, .unaligned = true},
    .impl = {.min = 1, .max = 8, .unaligned = true},
    .endian = ENDIAN_LITTLE,
};

/* Let accesses of a size begin wherever the register takes them; sizes[0] is its first byte. */
static void add_size(uint8_t *sizes, const struct reg *reg, unsigned size)
{
    uint32_t step = (reg->widths & REG_AT_START) != 0   ? reg->length
                    : (reg->widths & REG_ANYWHERE) != 0 ? 1
                                                        : size;
    for (uint32_t at = 0; size <= reg->length - at; at += step) {
        sizes[at] |= (uint8_t)(reg->widths & size);
    }
}

static int build_sizes(struct device_region *r)
{
    const struct reg_block *b = r->block;
    for (size_t i = 0; i < b->count; i++) {
        uint32_t end = b->regs[i].offset + b->regs[i].length;
        assert(end <= b->size);
        assert(b->repeats == 0 || b->regs[i].offset < b->repeat_from ||
               end <= b->repeat_from + b->stride);
        r->span = end > r->span ? end : r->span;
    }
    r->sizes = calloc(2, (size_t)r->span + 1); /* never empty */
    if (r->sizes == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < b->count; i++) {
        const struct reg *reg = &b->regs[i];
        for (unsigned size = 1; size <= 8; size *= 2) {
            if ((reg->access & REG_RO) != 0) {
                add_size(r->sizes + reg->offset, reg, size);
            }
            if ((reg->access & REG_WO) != 0) {
                add_size(r->sizes + r->span + reg->offset, reg, size);
            }
        }
    }
    return 0;
}

int device_make_block(struct device *d, size_t n, struct region **out, struct err *e)
{
    assert(n < d->cls->block_count && d->region_count < DEVICE_REGIONS_MAX);
    struct device_region *r = &d->regions[d->region_count];
    r->dev = d;
    r->block = &d->cls->blocks[n];
    int ret = build_sizes(r);
    if (ret < 0) {
        return err_set(e, -ret, "cannot make %s.%s, out of memory", d->id, r->block->name);
    }
    d->region_count++; /* from here on device_free() undoes it */
    char name[DEVICE_ID_MAX + REGION_NAME_MAX];
    snprintf(name, sizeof(name), "%s.%s", d->id, r->block->name);
    region_init_io(&r->region, d->env->topo, name, r->block->size, &block_ops, r,
                   d->cls->lock_free ? NULL : &d->guard);
    *out = &r->region;
    return 0;
}

int device_map_block(struct device *d, size_t n, struct region *parent, uint64_t offset,
                     struct region **out, struct err *e)
{
    struct region *r = NULL;
    if (parent == NULL) {
        return err_set(e, ENODEV, "device '%s' needs I/O ports, this machine has none",
                       d->cls->name);
    }
    int ret = device_make_block(d, n, &r, e);
    if (ret < 0) {
        return ret;
    }
    ret = region_add(parent, offset, r, 0);
    if (ret < 0) {
        return err_set(e, -ret, "cannot map %s at 0x%" PRIx64 ", %s", r->name, offset,
                       strerror(-ret));
    }
    if (out != NULL) {
        *out = r;
    }
    return 0;
}
