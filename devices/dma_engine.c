/*
 * dma-engine: copies guest memory to guest memory, on up to 15 channels.
 *
 * Model: the device behind the public Linux demo driver "dma_engine" (PCI
 * 1234:3456), which is the only source: there is no data sheet and no other
 * model. The driver uses SRC, DST, SIZE, START and DONE of channel 0, polls DONE
 * for exactly 1 for a millisecond, takes it for granted afterwards and never
 * acknowledges an interrupt. All else here is this project's.
 *
 * A copy: START latches the operands, clears DONE, ERROR and COPIED, and checks
 * everything before the first byte moves. Overlapping ranges end up as with
 * memmove(). At the end DONE is 1, or 0x80000000 with the first of these in
 * ERROR:
 *
 *   1  SIZE is above MAX_SIZE          5  FLAGS is not 0
 *   4  bus mastering is off, or was switched off during a copy
 *   2  SRC: not all RAM or ROM, beyond dma_mask, or past 2^64
 *   3  DST: not all RAM, likewise
 *
 * Up to 2 MiB a copy is over before the START write is: the driver allocates no
 * more, and its millisecond has to suffice on a slow host as well. A longer one
 * goes on in pieces on an I/O thread, where running channels take turns; at each
 * piece it is looked again whether the device may. A reset ends all copies at
 * once and leaves the registers as after power-on.
 *
 * Interrupts: bit n of IRQ_STATUS means that channel n finished. INTA is high
 * while IRQ_STATUS & IRQ_ENABLE is not 0. A message goes out when that becomes
 * so, and again when a write to IRQ_STATUS leaves it so. With msix=on each channel
 * has its own vector, of its number: a message goes out whenever the channel's
 * own bit of IRQ_STATUS & IRQ_ENABLE changes from 0 to 1. A guest that then uses
 * MSI all the same has one message for all, as without msix.
 *
 * Locking: the device's lock guards all of it, and is what orders the bytes of a
 * copy before the DONE that reports them. It is not held while the I/O thread
 * moves bytes: dma_engine.h.
 */
#include "devices/dma_engine.h"

#include "devices/pci.h"

#include <errno.h>
#include <inttypes.h>

#define ID         0x34560100 /* device id, interface version 1.0 */
#define CAPS_IRQ   0x100
#define CAPS_ERROR 0x200
#define START_GO   1

/* A page for all, then one for each channel, so that a guest can hand out channels one by one. */
enum {
    REG_ID = 0x000,
    REG_CAPS = 0x004,
    REG_MAX_SIZE = 0x008,
    REG_IRQ_STATUS = 0x00c,
    REG_IRQ_ENABLE = 0x010,

    CHANNELS_AT = 0x1000,
    CHANNEL_STRIDE = 0x1000,

    REG_SRC = 0x1000,
    REG_SRC_HIGH = 0x1004,
    REG_DST = 0x1008,
    REG_DST_HIGH = 0x100c,
    REG_FLAGS = 0x1010,
    REG_SIZE = 0x1014,
    REG_START = 0x1018,
    REG_DONE = 0x101c,
    REG_ERROR = 0x1020,
    REG_COPIED = 0x1024,
};

static struct dma_engine *engine_of(struct device *d)
{
    return DEVICE_STATE(struct dma_engine, d);
}

/* --- interrupts ------------------------------------------------------------ */

static uint32_t pending(const struct dma_engine *e)
{
    return e->irq_status & e->irq_enable;
}

/* With a vector for all: a message for the first that pends, and for what an acknowledge left. */
static void signal_one(struct dma_engine *e, uint32_t before, bool acknowledged)
{
    uint32_t now = pending(e);
    if (now != 0 && (before == 0 || acknowledged)) {
        device_raise(&e->dev, 0);
    } else if (now == 0 && before != 0) {
        device_lower(&e->dev, 0);
    }
}

/* With a vector each: a message for each that pends and did not. */
static void signal_each(struct dma_engine *e, uint32_t before)
{
    uint32_t now = pending(e);
    for (unsigned n = 0; n < e->channels; n++) {
        if ((now & ~before) >> n & 1) {
            device_raise(&e->dev, n);
        } else if ((before & ~now) >> n & 1) {
            device_lower(&e->dev, n);
        }
    }
}

/* After a change of what pends, which was `before`. */
static void signal_change(struct dma_engine *e, uint32_t before, bool acknowledged)
{
    if (e->msix) {
        signal_each(e, before);
    } else {
        signal_one(e, before, acknowledged);
    }
}

void dma_engine_finished(struct dma_engine *e, const struct dma_channel *c)
{
    uint32_t before = pending(e);
    e->irq_status |= 1U << (c - e->channel);
    signal_change(e, before, false);
}

/* --- registers ----------------------------------------------------------------- */

static uint64_t read_global(const struct dma_engine *e, uint32_t reg)
{
    switch (reg) {
    case REG_ID:
        return ID;
    case REG_CAPS:
        return e->channels | CAPS_IRQ | CAPS_ERROR;
    case REG_MAX_SIZE:
        return e->max_size;
    case REG_IRQ_STATUS:
        return e->irq_status;
    default:
        return e->irq_enable;
    }
}

static void write_global(struct dma_engine *e, uint32_t reg, uint32_t value)
{
    uint32_t before = pending(e);
    if (reg == REG_IRQ_STATUS) {
        e->irq_status &= ~value;
    } else {
        e->irq_enable = value & ((1U << e->channels) - 1);
    }
    signal_change(e, before, reg == REG_IRQ_STATUS);
}

/* SRC and DST are two registers of 4 bytes each as well: how far up an access begins. */
static unsigned half_shift(uint32_t reg)
{
    return 8 * (reg & 4);
}

static uint64_t read_channel(const struct dma_channel *c, uint32_t reg)
{
    switch (reg) {
    case REG_SRC:
    case REG_SRC_HIGH:
        return c->next.src >> half_shift(reg);
    case REG_DST:
    case REG_DST_HIGH:
        return c->next.dst >> half_shift(reg);
    case REG_FLAGS:
        return c->next.flags;
    case REG_SIZE:
        return c->next.size;
    case REG_DONE:
        return c->done;
    case REG_ERROR:
        return c->error;
    case REG_COPIED:
        return c->copied;
    default: /* START */
        return 0;
    }
}

static void put_address(uint64_t *field, uint32_t reg, uint64_t value, unsigned size)
{
    uint64_t mask = size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << half_shift(reg);
    *field = (*field & ~mask) | value << half_shift(reg);
}

static void write_channel(struct dma_engine *e, struct dma_channel *c, uint32_t reg, uint64_t value,
                          unsigned size)
{
    switch (reg) {
    case REG_SRC:
    case REG_SRC_HIGH:
        put_address(&c->next.src, reg, value, size);
        break;
    case REG_DST:
    case REG_DST_HIGH:
        put_address(&c->next.dst, reg, value, size);
        break;
    case REG_FLAGS:
        c->next.flags = (uint32_t)value;
        break;
    case REG_SIZE:
        c->next.size = (uint32_t)value;
        break;
    default: /* START */
        if ((value & START_GO) != 0) {
            dma_engine_start(e, c);
        }
        break;
    }
}

/* The channel whose page offset is in, and in *reg the same register of channel 0. NULL, and
 * counted: there is no such channel. */
static struct dma_channel *find_channel(struct dma_engine *e, uint32_t offset, uint32_t *reg)
{
    uint32_t n = (offset - CHANNELS_AT) / CHANNEL_STRIDE;
    if (n >= e->channels) {
        guest_error(&e->dev.guest_errors, "%s: there is no channel %" PRIu32, e->dev.id, n);
        return NULL;
    }
    *reg = offset - n * CHANNEL_STRIDE;
    return &e->channel[n];
}

static uint64_t dma_engine_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)size;
    struct dma_engine *e = engine_of(d);
    uint32_t reg;
    if (offset < CHANNELS_AT) {
        return read_global(e, offset);
    }
    const struct dma_channel *c = find_channel(e, offset, &reg);
    return c != NULL ? read_channel(c, reg) : UINT64_MAX;
}

static void dma_engine_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct dma_engine *e = engine_of(d);
    uint32_t reg;
    if (offset < CHANNELS_AT) {
        write_global(e, offset, (uint32_t)value);
        return;
    }
    struct dma_channel *c = find_channel(e, offset, &reg);
    if (c != NULL) {
        write_channel(e, c, reg, value, size);
    }
}

static const struct reg dma_engine_regs[] = {
    {"ID", REG_ID, 4, 4, REG_RO, ID, "device id in the high half, interface version 1.0"},
    {"CAPS", REG_CAPS, 4, 4, REG_RO, 1 | CAPS_IRQ | CAPS_ERROR,
     "bits 7:0 number of channels, 8 has IRQ registers, 9 has ERROR"},
    {"MAX_SIZE", REG_MAX_SIZE, 4, 4, REG_RO, 16U << 20, "most bytes of a copy"},
    {"IRQ_STATUS", REG_IRQ_STATUS, 4, 4, REG_RW, 0, "bit n: channel n finished; write 1 clears"},
    {"IRQ_ENABLE", REG_IRQ_ENABLE, 4, 4, REG_RW, 0, "bit n: channel n may interrupt"},
    {"SRC", REG_SRC, 8, 4 | 8, REG_RW, 0, "gpa to copy from"},
    {"DST", REG_DST, 8, 4 | 8, REG_RW, 0, "gpa to copy to"},
    {"FLAGS", REG_FLAGS, 4, 4, REG_RW, 0, "must be 0"},
    {"SIZE", REG_SIZE, 4, 4, REG_RW, 0, "bytes, 0 to MAX_SIZE"},
    {"START", REG_START, 4, 4, REG_RW, 0, "writing a value with bit 0 set starts; reads 0"},
    {"DONE", REG_DONE, 4, 4, REG_RO, 0, "0 idle or running, 1 finished, 0x80000000 failed"},
    {"ERROR", REG_ERROR, 4, 4, REG_RO, 0, "why the last copy failed; 0: it did not"},
    {"COPIED", REG_COPIED, 4, 4, REG_RO, 0, "bytes that the last copy moved"},
};

static const struct reg_block dma_engine_blocks[] = {
    {
        .name = "regs",
        .size = 0x10000,
        .regs = TABLE(dma_engine_regs),
        .repeat_from = CHANNELS_AT,
        .stride = CHANNEL_STRIDE,
        .repeats = DMA_CHANNELS_MAX,
        .read = dma_engine_read,
        .write = dma_engine_write,
    },
};

/* --- device -------------------------------------------------------------------- */

static const struct prop dma_engine_props[] = {
    PROP(struct dma_engine, channels, PROP_U32, "1", 1, DMA_CHANNELS_MAX, "number of channels"),
    PROP(struct dma_engine, max_size, PROP_SIZE, "16M", 1, 1U << 30, "most bytes of a copy"),
    PROP(struct dma_engine, dma_mask, PROP_U64, "0xffffffffffffffff", 0, 0,
         "highest address it reaches, 2^n - 1"),
    PROP(struct dma_engine, msix, PROP_BOOL, "off", 0, 0, "MSI-X, with a vector per channel"),
};

static int dma_engine_realize(struct device *d, struct err *err)
{
    struct dma_engine *e = engine_of(d);
    if ((e->dma_mask & (e->dma_mask + 1)) != 0) {
        int ret = err_set(err, EINVAL, "%s: dma_mask 0x%" PRIx64 " has a 0 below a 1", d->id,
                          e->dma_mask);
        err_hint(err, "0xffffffff, for example, lets it reach the first 4 GiB");
        err_status(err, EXIT_USAGE);
        return ret;
    }
    int ret = e->msix ? pci_add_msix(d, 1, DMA_CHANNELS_MAX + 1, err) : 0;
    return ret < 0 ? ret : dma_engine_start_thread(e, err);
}

static void dma_engine_unrealize(struct device *d)
{
    dma_engine_stop_thread(engine_of(d));
}

static void dma_engine_reset(struct device *d)
{
    struct dma_engine *e = engine_of(d);
    dma_engine_cancel(e);
    for (unsigned n = 0; n < DMA_CHANNELS_MAX; n++) {
        e->channel[n] = (struct dma_channel){0};
    }
    e->irq_status = 0;
    e->irq_enable = 0; /* the bus has lowered its line */
}

static void engine_pause(struct device *d)
{
    dma_engine_pause(engine_of(d));
}

static void engine_resume(struct device *d)
{
    dma_engine_resume(engine_of(d));
}

/* Addresses are judged anew at each piece; what is left of a copy must be a length. */
static int dma_engine_loaded(struct device *d, struct err *err)
{
    struct dma_engine *e = engine_of(d);
    for (unsigned n = 0; n < DMA_CHANNELS_MAX; n++) {
        const struct dma_channel *c = &e->channel[n];
        if (c->running &&
            (n >= e->channels || c->run.size > e->max_size || c->copied >= c->run.size)) {
            return err_set(err, EINVAL, "channel %u cannot be where it says it is", n);
        }
    }
    e->irq_enable &= (1U << e->channels) - 1;
    return 0;
}

#define CHANNEL_FIELD(member) FIELD_EACH(struct dma_engine, channel, member, 1)

static const struct field dma_engine_fields[] = {
    FIELD(struct dma_engine, irq_status, 1),
    FIELD(struct dma_engine, irq_enable, 1),
    CHANNEL_FIELD(next.src),
    CHANNEL_FIELD(next.dst),
    CHANNEL_FIELD(next.size),
    CHANNEL_FIELD(next.flags),
    CHANNEL_FIELD(run.src),
    CHANNEL_FIELD(run.dst),
    CHANNEL_FIELD(run.size),
    CHANNEL_FIELD(running),
    CHANNEL_FIELD(done),
    CHANNEL_FIELD(error),
    CHANNEL_FIELD(copied),
};

static const struct pci_info dma_engine_pci = {
    .vendor = 0x1234,
    .device = 0x3456,
    .class_code = 0x088000, /* other system peripheral */
    .revision = 1,
    .intx = true,
    .msi = true,
    .flr = true,
    .bar = {{.kind = PCI_BAR_MEM32, .block = 0}},
};

const struct device_class dma_engine_class = {
    .name = "dma-engine",
    .summary = "copies guest memory to guest memory (PCI 1234:3456)",
    .state_size = sizeof(struct dma_engine),
    .props = TABLE(dma_engine_props),
    .blocks = TABLE(dma_engine_blocks),
    .fields = TABLE(dma_engine_fields),
    .version = 1,
    .pci = &dma_engine_pci,
    .compatible = "vmm,dma-engine",
    .realize = dma_engine_realize,
    .unrealize = dma_engine_unrealize,
    .reset = dma_engine_reset,
    .loaded = dma_engine_loaded,
    .pause = engine_pause,
    .resume = engine_resume,
};
