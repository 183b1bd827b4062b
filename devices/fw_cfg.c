/*
 * fw-cfg: what QEMU tells a guest's firmware of the machine, under numbered keys.
 *
 * Model: QEMU's fw_cfg (docs/specs/fw_cfg.rst). A guest selects a key and reads its
 * item from the start, or has it copied by DMA. Known keys: 0x00 "QEMU", 0x01 what
 * interface this is, 0x03 bytes of RAM, 0x05 and 0x0f CPUs, 0x19 the directory of files,
 * of which there are none. An item that does not exist is all 0, as is what lies behind
 * the end of one. Nothing can be written.
 *
 *     ports 510 selector (2 bytes), 511 data, 514-51b DMA
 *     as a platform device (the device tree says where): 0 data, 8 selector, 10 DMA
 *
 * The platform device's selector and the DMA address are big-endian.
 *
 * Locking: the device's own.
 */
#include "src/base/le.h"
#include "src/device.h"
#include "src/mem/dma.h"

#include <string.h>

enum {
    KEY_SIGNATURE = 0x00,
    KEY_ID = 0x01,
    KEY_RAM_SIZE = 0x03,
    KEY_CPUS = 0x05,
    KEY_MAX_CPUS = 0x0f,
    KEY_DIRECTORY = 0x19,
};

#define ID_PORTS_AND_DMA 3 /* bit 0: selector and data, bit 1: DMA */
#define ITEM_MAX         8

enum {
    DMA_ERROR = 0x01,
    DMA_READ = 0x02,
    DMA_SKIP = 0x04,
    DMA_SELECT = 0x08, /* the key is in bits 31:16 */
    DMA_WRITE = 0x10,
};

#define DMA_REQUEST_SIZE 16 /* control (4), length (4), address (8), all big-endian */
#define DMA_SIGNATURE    0x47464320554d4551ULL /* "QEMU CFG" in memory's order */
#define DMA_LENGTH_MAX   (1U << 20)            /* a copy must not take long: a vCPU waits for it */

enum {
    BLOCK_MEMORY,
    BLOCK_PORTS,
    BLOCK_PORTS_DMA,
};

enum { /* offsets in BLOCK_MEMORY */
       MEMORY_DATA = 0,
       MEMORY_SELECTOR = 8,
       MEMORY_DMA = 16,
};

struct fw_cfg {
    struct device dev;
    uint32_t iobase;
    uint16_t key;
    uint32_t at; /* offset in the item of the next byte */
    uint64_t dma_address;
};

/* --- items ---------------------------------------------------------------------- */

/* The bytes under key; returns how many there are. */
static uint32_t item(const struct fw_cfg *f, uint16_t key, uint8_t bytes[ITEM_MAX])
{
    const struct device_env *env = f->dev.env;

    memset(bytes, 0, ITEM_MAX);
    switch (key) {
    case KEY_SIGNATURE:
        memcpy(bytes, "QEMU", 4);
        return 4;
    case KEY_ID:
        put_le32(bytes, ID_PORTS_AND_DMA);
        return 4;
    case KEY_RAM_SIZE:
        put_le64(bytes, env->low_ram + env->high_ram);
        return 8;
    case KEY_CPUS:
    case KEY_MAX_CPUS:
        put_le16(bytes, (uint16_t)env->cpus);
        return 2;
    case KEY_DIRECTORY: /* a number of entries: 0 */
        return 4;
    default:
        return 0;
    }
}

static void select_key(struct fw_cfg *f, uint16_t key)
{
    f->key = key;
    f->at = 0;
}

/* Go on by len bytes of the item; the first up to max of them to bytes. */
static void read_item(struct fw_cfg *f, uint8_t *bytes, uint32_t max, uint32_t len)
{
    uint8_t all[ITEM_MAX];
    const uint32_t size = item(f, f->key, all);

    for (uint32_t i = 0; i < len && i < max; i++) {
        bytes[i] = f->at < size && i < size - f->at ? all[f->at + i] : 0;
    }
    f->at = len > UINT32_MAX - f->at ? UINT32_MAX : f->at + len;
}

/* The item's next bytes in the order they have in memory, whatever the width of the read. */
static uint64_t read_data(struct fw_cfg *f, unsigned size)
{
    uint8_t bytes[8];

    read_item(f, bytes, sizeof(bytes), size);
    return get_le_n(bytes, size);
}

/* --- DMA ------------------------------------------------------------------------- */

static uint64_t swap(uint64_t value, unsigned size)
{
    uint64_t swapped = 0;

    for (unsigned i = 0; i < size; i++) {
        swapped = swapped << 8 | (value >> 8 * i & 0xff);
    }
    return swapped;
}

/* Copy len bytes of the item to guest memory, what is behind its end as 0. */
static int dma_copy(struct fw_cfg *f, uint64_t gpa, uint32_t len)
{
    uint8_t chunk[512];
    int ret = len <= DMA_LENGTH_MAX ? 0 : -1;

    for (uint32_t done = 0, n; done < len && ret == 0; done += n) {
        n = len - done < sizeof(chunk) ? len - done : (uint32_t)sizeof(chunk);
        read_item(f, chunk, n, n);
        ret = dma_write(f->dev.env->mem, gpa + done, chunk, n);
    }
    return ret;
}

/* Carry out the request at gpa; its control field then says 0, or DMA_ERROR. */
static void dma_run(struct fw_cfg *f, uint64_t gpa)
{
    struct aspace *mem = f->dev.env->mem;
    uint8_t request[DMA_REQUEST_SIZE], result[4] = {0};
    int ret = 0;

    if (dma_read(mem, gpa, request, sizeof(request)) < 0) {
        guest_error(&f->dev.guest_errors, "%s: no DMA request at 0x%llx", f->dev.id,
                    (unsigned long long)gpa);
        return;
    }
    const uint32_t control = (uint32_t)swap(get_le32(request), 4);
    const uint32_t length = (uint32_t)swap(get_le32(request + 4), 4);
    const uint64_t address = swap(get_le64(request + 8), 8);
    if ((control & DMA_SELECT) != 0) {
        select_key(f, (uint16_t)(control >> 16));
    }
    if ((control & DMA_READ) != 0) {
        ret = dma_copy(f, address, length);
    } else if ((control & DMA_WRITE) != 0) {
        ret = -1;
    } else if ((control & DMA_SKIP) != 0) {
        read_item(f, NULL, 0, length);
    }
    result[3] = ret < 0 ? DMA_ERROR : 0;
    dma_write(mem, gpa, result, sizeof(result));
}

static uint64_t dma_signature(uint32_t offset, unsigned size)
{
    const uint64_t all = DMA_SIGNATURE >> 8 * offset;

    return size == 8 ? all : all & ((UINT64_C(1) << 8 * size) - 1);
}

/* The address: its high half first, the low one starts. */
static void dma_address_write(struct fw_cfg *f, uint32_t offset, uint64_t value, unsigned size)
{
    const uint64_t part = swap(value, size);

    if (size == 4 && offset == 0) {
        f->dma_address = part << 32;
        return;
    }
    const uint64_t gpa = size == 8 ? part : f->dma_address | part;
    f->dma_address = 0;
    dma_run(f, gpa);
}

/* --- registers -------------------------------------------------------------------- */

static uint64_t memory_read(struct device *d, uint32_t offset, unsigned size)
{
    struct fw_cfg *f = DEVICE_STATE(struct fw_cfg, d);

    return offset >= MEMORY_DMA ? dma_signature(offset - MEMORY_DMA, size) : read_data(f, size);
}

static void memory_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct fw_cfg *f = DEVICE_STATE(struct fw_cfg, d);

    if (offset >= MEMORY_DMA) {
        dma_address_write(f, offset - MEMORY_DMA, value, size);
    } else {
        select_key(f, (uint16_t)swap(value, 2));
    }
}

static uint64_t ports_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset;
    return read_data(DEVICE_STATE(struct fw_cfg, d), size);
}

static void ports_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    select_key(DEVICE_STATE(struct fw_cfg, d), (uint16_t)value);
}

static uint64_t ports_dma_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)d;
    return dma_signature(offset, size);
}

static void ports_dma_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    dma_address_write(DEVICE_STATE(struct fw_cfg, d), offset, value, size);
}

#define DMA_TEXT                                                                                   \
    "big-endian address of a request; the low half, or all 8 bytes, start it; reads QEMU CFG"

static const struct reg memory_regs[] = {
    {"data", MEMORY_DATA, 8, 1 | 2 | 4 | 8 | REG_AT_START, REG_RO, 'Q', "the item's next bytes"},
    {"selector", MEMORY_SELECTOR, 2, 2, REG_WO, 0, "big-endian key"},
    {"dma", MEMORY_DMA, 8, 4 | 8, REG_RW, DMA_SIGNATURE, DMA_TEXT},
};
static const struct reg ports_regs[] = {
    {"selector", 0, 2, 2, REG_WO, 0, "key"},
    {"data", 1, 1, 1, REG_RO, 'Q', "the item's next byte"},
};
static const struct reg ports_dma_regs[] = {
    {"dma", 0, 8, 4, REG_RW, DMA_SIGNATURE, DMA_TEXT},
};

static const struct reg_block fw_cfg_blocks[] = {
    [BLOCK_MEMORY] =
        {
            .name = "memory",
            .size = 24,
            .regs = TABLE(memory_regs),
            .read = memory_read,
            .write = memory_write,
        },
    [BLOCK_PORTS] =
        {
            .name = "ports",
            .size = 2,
            .regs = TABLE(ports_regs),
            .read = ports_read,
            .write = ports_write,
        },
    [BLOCK_PORTS_DMA] =
        {
            .name = "dma",
            .size = 8,
            .regs = TABLE(ports_dma_regs),
            .read = ports_dma_read,
            .write = ports_dma_write,
        },
};

/* --- class ---------------------------------------------------------------------------- */

static const struct prop fw_cfg_props[] = {
    PROP(struct fw_cfg, iobase, PROP_U32, "0x510", 0, 0xfff4, "first I/O port; bus=isa"),
};

static int fw_cfg_realize(struct device *d, struct err *e)
{
    enum { DMA_PORT = 4 }; /* from the first on */
    const struct fw_cfg *f = DEVICE_STATE(struct fw_cfg, d);
    int ret = 0;

    if (d->bus != NULL) {
        return 0;
    }
    ret = device_map_block(d, BLOCK_PORTS, d->env->io_root, f->iobase, NULL, e);
    if (ret == 0) {
        ret = device_map_block(d, BLOCK_PORTS_DMA, d->env->io_root, f->iobase + DMA_PORT, NULL, e);
    }
    return ret;
}

static void fw_cfg_reset(struct device *d)
{
    struct fw_cfg *f = DEVICE_STATE(struct fw_cfg, d);

    select_key(f, KEY_SIGNATURE);
    f->dma_address = 0;
}

static const struct field fw_cfg_fields[] = {
    FIELD(struct fw_cfg, key, 1),
    FIELD(struct fw_cfg, at, 1),
    FIELD(struct fw_cfg, dma_address, 1),
};

const struct device_class fw_cfg_class = {
    .name = "fw-cfg",
    .summary = "QEMU's firmware configuration: RAM, CPUs",
    .state_size = sizeof(struct fw_cfg),
    .props = TABLE(fw_cfg_props),
    .blocks = TABLE(fw_cfg_blocks),
    .fields = TABLE(fw_cfg_fields),
    .version = 1,
    .compatible = "qemu,fw-cfg-mmio",
    .isa = true,
    .realize = fw_cfg_realize,
    .reset = fw_cfg_reset,
};
