/*
 * pc-testdev: what kvm-unit-tests wants a PC to have.
 *
 * Model: QEMU's pc-testdev (hw/misc/pc-testdev.c):
 *
 *     ports e0-e3, e8-eb   one 32-bit latch, seen twice
 *     port  e4             takes the address of a page: KVM maps it anew at its next use
 *     ports 2000-2017      the level of interrupt line (GSI) 0 to 23: low for 0, else high;
 *                          a wide write is as many bytes for as many lines
 *     ff000000, 64 KiB     memory that is no RAM: every access to it is an exit
 *
 * Reads of the write-only ports are refused here; QEMU gives 0.
 *
 * Locking: the device's own.
 */
#include "src/base/le.h"
#include "src/device.h"
#include "src/mem/dma.h"
#include "src/mem/ram.h"

#include <errno.h>
#include <string.h>

enum {
    LATCH_PORT = 0xe0,
    FLUSH_PORT = 0xe4,
    LATCH_PORT_2 = 0xe8,
    LINES_PORT = 0x2000,
};

enum {
    BLOCK_LATCH,
    BLOCK_FLUSH,
    BLOCK_LINES,
    BLOCK_SCRATCH,
};

#define LINES        24
#define SCRATCH_GPA  0xff000000ULL
#define SCRATCH_SIZE 0x10000
#define FLUSH_SIZE   4096ULL

struct pc_testdev {
    struct device dev;
    uint32_t latch;
    uint32_t levels; /* bit n: line n is high */
    uint8_t scratch[SCRATCH_SIZE];
    struct irq line[LINES];
};

/* --- registers --------------------------------------------------------------- */

/* The bits that size bytes from offset on are. */
static uint32_t latch_mask(uint32_t offset, unsigned size)
{
    return UINT32_MAX >> (32 - 8 * size) << 8 * offset;
}

static uint64_t latch_read(struct device *d, uint32_t offset, unsigned size)
{
    return (DEVICE_STATE(struct pc_testdev, d)->latch & latch_mask(offset, size)) >> 8 * offset;
}

static void latch_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct pc_testdev *t = DEVICE_STATE(struct pc_testdev, d);
    const uint32_t mask = latch_mask(offset, size);

    t->latch = (t->latch & ~mask) | ((uint32_t)value << 8 * offset & mask);
}

static uint64_t scratch_read(struct device *d, uint32_t offset, unsigned size)
{
    return get_le_n(DEVICE_STATE(struct pc_testdev, d)->scratch + offset, size);
}

static void scratch_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    put_le_n(DEVICE_STATE(struct pc_testdev, d)->scratch + offset, value, size);
}

static void flush_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    const uint64_t page = value & ~(FLUSH_SIZE - 1);
    void *host = dma_ptr(d->env->mem, page, FLUSH_SIZE, true);

    if (host == NULL) {
        guest_error(&d->guest_errors, "%s: no RAM at 0x%llx to flush", d->id,
                    (unsigned long long)page);
        return;
    }
    ram_unmap_from_guest(host, FLUSH_SIZE);
}

static void set_line(struct pc_testdev *t, unsigned n, bool high)
{
    t->levels = (t->levels & ~(1U << n)) | (uint32_t)high << n;
    irq_set(&t->line[n], high);
}

static void lines_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        set_line(DEVICE_STATE(struct pc_testdev, d), offset + i, (value >> 8 * i & 0xff) != 0);
    }
}

static const struct reg latch_regs[] = {
    {"latch", 0, 4, 1 | 2 | 4, REG_RW, 0, "what was written is read"},
};
static const struct reg flush_regs[] = {
    {"flush", 0, 4, 4, REG_WO, 0, "address in a page of RAM that KVM is to map anew"},
};
static const struct reg lines_regs[] = {
    {"line", 0, LINES, 1 | 2 | 4 | REG_ANYWHERE, REG_WO, 0,
     "byte n: 0 lowers, all else raises GSI n"},
};
static const struct reg scratch_regs[] = {
    {"scratch", 0, 8, 1 | 2 | 4 | 8, REG_RW, 0, "what was written is read"},
};

static const struct reg_block pc_testdev_blocks[] = {
    [BLOCK_LATCH] =
        {
            .name = "latch",
            .size = 4,
            .regs = TABLE(latch_regs),
            .read = latch_read,
            .write = latch_write,
        },
    [BLOCK_FLUSH] =
        {
            .name = "flush",
            .size = 4,
            .regs = TABLE(flush_regs),
            .write = flush_write,
        },
    [BLOCK_LINES] =
        {
            .name = "lines",
            .size = LINES,
            .regs = TABLE(lines_regs),
            .write = lines_write,
        },
    [BLOCK_SCRATCH] =
        {
            .name = "scratch",
            .size = SCRATCH_SIZE,
            .regs = TABLE(scratch_regs),
            .stride = 8,
            .repeats = SCRATCH_SIZE / 8,
            .read = scratch_read,
            .write = scratch_write,
        },
};

/* --- class ------------------------------------------------------------------- */

static int pc_testdev_realize(struct device *d, struct err *e)
{
    static const struct {
        unsigned block;
        uint32_t port;
    } places[] = {
        {BLOCK_LATCH, LATCH_PORT},
        {BLOCK_FLUSH, FLUSH_PORT},
        {BLOCK_LATCH, LATCH_PORT_2},
        {BLOCK_LINES, LINES_PORT},
    };
    struct pc_testdev *t = DEVICE_STATE(struct pc_testdev, d);
    int ret = 0;

    for (size_t i = 0; i < ARRAY_LEN(places) && ret == 0; i++) {
        ret = device_map_block(d, places[i].block, d->env->io_root, places[i].port, NULL, e);
    }
    if (ret == 0) {
        ret = device_map_block(d, BLOCK_SCRATCH, d->env->mem_root, SCRATCH_GPA, NULL, e);
    }
    for (unsigned n = 0; n < LINES; n++) {
        t->line[n] = d->env->irq(d->env->opaque, n);
    }
    return ret;
}

static void pc_testdev_reset(struct device *d)
{
    struct pc_testdev *t = DEVICE_STATE(struct pc_testdev, d);

    t->latch = 0;
    memset(t->scratch, 0, sizeof(t->scratch));
    for (unsigned n = 0; n < LINES; n++) {
        if ((t->levels >> n & 1) != 0) {
            set_line(t, n, false);
        }
    }
}

static int pc_testdev_loaded(struct device *d, struct err *e)
{
    struct pc_testdev *t = DEVICE_STATE(struct pc_testdev, d);

    if (t->levels >> LINES != 0) {
        return err_set(e, EINVAL, "it raises lines beyond the %d there are", LINES);
    }
    for (unsigned n = 0; n < LINES; n++) {
        irq_set(&t->line[n], (t->levels >> n & 1) != 0);
    }
    return 0;
}

static const struct field pc_testdev_fields[] = {
    FIELD(struct pc_testdev, latch, 1),
    FIELD(struct pc_testdev, levels, 1),
    FIELD_ARRAY(struct pc_testdev, scratch, 1),
};

const struct device_class pc_testdev_class = {
    .name = "pc-testdev",
    .summary = "a latch, interrupt lines and memory without RAM for kvm-unit-tests",
    .state_size = sizeof(struct pc_testdev),
    .blocks = TABLE(pc_testdev_blocks),
    .fields = TABLE(pc_testdev_fields),
    .version = 1,
    .realize = pc_testdev_realize,
    .reset = pc_testdev_reset,
    .loaded = pc_testdev_loaded,
};
