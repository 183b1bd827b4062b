/*
 * edu: QEMU's educational device, as a PCI function (1234:11e8) or in the memory map.
 *
 * Model: QEMU's docs/specs/edu.rst, and hw/misc/edu.c where that is silent. Its
 * four parts are what most devices are made of:
 *  - Identification and liveness: registers that answer at once.
 *  - A factorial unit: work that takes time. The guest polls COMPUTING, or asks
 *    for an interrupt. A thread of the device's own does it, the worker.
 *  - Interrupt reasons: one interrupt, high (or sent again) while any is pending.
 *  - A DMA engine: it copies between guest memory and a buffer of 4 KiB in the
 *    device. Only the engine sees the buffer, from address 0x40000 on. A transfer
 *    takes 100 ms (dma_delay) of the machine's time, by a timer on the main loop.
 *
 * The DMA registers have 8 bytes. A driver with 4-byte accesses uses their start
 * alone: it reads the lower half, and what it writes clears the upper.
 *
 * Different from QEMU:
 *  - A transfer that does not stay inside the buffer copies nothing. QEMU logs
 *    it and copies beyond the buffer's ends.
 *  - Memory that is not there, or that bus mastering forbids, is not written and
 *    reads all ones.
 *  - Accesses of 1 and 2 bytes read all ones, not 0.
 *
 * Locking: the device's own for all state. The core holds it around the register
 * callbacks and reset; the timer and the worker take it themselves. A reset does not
 * wait for them: it clears RUN and COMPUTING, and they find nothing left to do.
 */
#include "devices/pci.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    EDU_ID = 0x00,
    EDU_LIVENESS = 0x04,
    EDU_FACTORIAL = 0x08,
    EDU_STATUS = 0x20,
    EDU_IRQ_STATUS = 0x24,
    EDU_IRQ_RAISE = 0x60,
    EDU_IRQ_ACK = 0x64,
    EDU_DMA = 0x80,
};

/* Registers from EDU_DMA on, of 8 bytes each. */
enum {
    SRC,
    DST,
    COUNT,
    CMD,
    DMA_REGS,
};

#define ID_VALUE 0x010000ed /* version 1.0 */

#define STATUS_COMPUTING 0x01u
#define STATUS_IRQ_AFTER 0x80u

#define IRQ_FACTORIAL 0x001u
#define IRQ_DMA       0x100u

#define DMA_RUN       0x1u
#define DMA_TO_MEMORY 0x2u
#define DMA_IRQ       0x4u

#define BAR_SIZE    0x100000
#define BUFFER_AT   0x40000 /* for the DMA engine */
#define BUFFER_SIZE 4096

struct edu {
    struct device dev;
    uint64_t dma_mask;
    uint32_t dma_delay; /* ms */

    uint32_t liveness;
    uint32_t factorial; /* the operand while COMPUTING, then the result */
    uint32_t status;
    uint32_t irq_status;
    uint64_t dma[DMA_REGS];
    uint64_t dma_end; /* of a transfer that runs, in machine ns */
    uint8_t buffer[BUFFER_SIZE];

    struct timer dma_timer;
    struct iothread *worker;
    struct bh compute;
};

/* --- interrupts ------------------------------------------------------- */

static void raise_irq(struct edu *edu, uint32_t reasons)
{
    edu->irq_status |= reasons;
    if (edu->irq_status != 0) {
        device_raise(&edu->dev, 0); /* where messages are in use, one for each call */
    }
}

static void acknowledge_irq(struct edu *edu, uint32_t reasons)
{
    edu->irq_status &= ~reasons;
    if (edu->irq_status == 0) {
        device_lower(&edu->dev, 0);
    }
}

/* --- factorial -------------------------------------------------------- */

/*
 * n! modulo 2^32. From 34 on that is 0: of the numbers 1 to 34, 17 are even, 8 divide by 4, 4 by
 * 8, 2 by 16 and 1 by 32, so 2^32 divides 34!. No guest can make this take long.
 */
static uint32_t factorial(uint32_t n)
{
    uint32_t result = n < 34;
    for (; result != 0 && n > 0; n--) {
        result *= n;
    }
    return result;
}

/*
 * On the worker, under the lock: 33 multiplications take less time than it does. Longer work would
 * let go of the lock, and look afterwards whether a reset came meanwhile.
 */
static void compute(void *opaque)
{
    struct edu *edu = opaque;
    device_lock(&edu->dev);
    if ((edu->status & STATUS_COMPUTING) != 0) { /* no reset since */
        edu->factorial = factorial(edu->factorial);
        edu->status &= ~STATUS_COMPUTING;
        if ((edu->status & STATUS_IRQ_AFTER) != 0) {
            raise_irq(edu, IRQ_FACTORIAL);
        }
    }
    device_unlock(&edu->dev);
}

static void start_computation(struct edu *edu, uint32_t n)
{
    if ((edu->status & STATUS_COMPUTING) != 0) {
        return;
    }
    edu->factorial = n;
    edu->status |= STATUS_COMPUTING;
    bh_schedule(&edu->compute);
}

/* --- DMA -------------------------------------------------------------- */

/* Do count bytes at a device address lie in the buffer? No sum can wrap; an address below the
 * buffer becomes a huge distance. */
static bool in_buffer(uint64_t address, uint64_t count)
{
    return count <= BUFFER_SIZE && address - BUFFER_AT <= BUFFER_SIZE - count;
}

static void copy(struct edu *edu)
{
    struct device *d = &edu->dev;
    bool to_memory = (edu->dma[CMD] & DMA_TO_MEMORY) != 0;
    uint64_t inside = edu->dma[to_memory ? SRC : DST];
    uint64_t outside = edu->dma[to_memory ? DST : SRC];
    uint64_t gpa = outside & edu->dma_mask;
    uint64_t count = edu->dma[COUNT];
    if (!in_buffer(inside, count)) {
        guest_error(&d->guest_errors, "%s: 0x%" PRIx64 " bytes at 0x%" PRIx64 " are no DMA buffer",
                    d->id, count, inside);
        return;
    }
    if (gpa != outside) {
        guest_error(&d->guest_errors, "%s: DMA at 0x%" PRIx64 ", beyond dma_mask", d->id, outside);
    }
    uint8_t *bytes = edu->buffer + (inside - BUFFER_AT);
    int ret =
        to_memory ? device_dma_write(d, gpa, bytes, count) : device_dma_read(d, gpa, bytes, count);
    if (ret < 0) {
        guest_error(&d->guest_errors, "%s: DMA of 0x%" PRIx64 " bytes cannot reach 0x%" PRIx64,
                    d->id, count, gpa);
    }
    if (ret < 0 && !to_memory) {
        memset(bytes, 0xff, count);
    }
}

/* On the main loop. A reset may have come first, and after it a transfer that is not due yet. */
static void end_transfer(void *opaque)
{
    struct edu *edu = opaque;
    device_lock(&edu->dev);
    if ((edu->dma[CMD] & DMA_RUN) != 0 && clock_now(edu->dev.env->clock) >= edu->dma_end) {
        copy(edu);
        edu->dma[CMD] &= ~(uint64_t)DMA_RUN;
        if ((edu->dma[CMD] & DMA_IRQ) != 0) {
            raise_irq(edu, IRQ_DMA);
        }
    }
    device_unlock(&edu->dev);
}

/* A value of 4 bytes comes zero-extended and replaces all 8. */
static void write_dma(struct edu *edu, unsigned n, uint64_t value)
{
    if ((edu->dma[CMD] & DMA_RUN) != 0 || (n == CMD && (value & DMA_RUN) == 0)) {
        return;
    }
    edu->dma[n] = value;
    if (n == CMD) {
        edu->dma_end = clock_now(edu->dev.env->clock) + edu->dma_delay * NS_PER_MS;
        timer_arm(&edu->dma_timer, edu->dma_end);
    }
}

/* --- registers -------------------------------------------------------- */

static uint64_t edu_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)size;
    const struct edu *edu = DEVICE_STATE(struct edu, d);
    switch (offset) {
    case EDU_ID:
        return ID_VALUE;
    case EDU_LIVENESS:
        return edu->liveness;
    case EDU_FACTORIAL:
        return edu->factorial;
    case EDU_STATUS:
        return edu->status;
    case EDU_IRQ_STATUS:
        return edu->irq_status;
    default:
        return edu->dma[(offset - EDU_DMA) / 8];
    }
}

static void edu_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)size;
    struct edu *edu = DEVICE_STATE(struct edu, d);
    switch (offset) {
    case EDU_LIVENESS:
        edu->liveness = ~(uint32_t)value;
        break;
    case EDU_FACTORIAL:
        start_computation(edu, (uint32_t)value);
        break;
    case EDU_STATUS:
        edu->status = (edu->status & STATUS_COMPUTING) | ((uint32_t)value & STATUS_IRQ_AFTER);
        break;
    case EDU_IRQ_RAISE:
        raise_irq(edu, (uint32_t)value);
        break;
    case EDU_IRQ_ACK:
        acknowledge_irq(edu, (uint32_t)value);
        break;
    default:
        write_dma(edu, (offset - EDU_DMA) / 8, value);
        break;
    }
}

/* --- life ------------------------------------------------------------- */

static int edu_realize(struct device *d, struct err *e)
{
    struct edu *edu = DEVICE_STATE(struct edu, d);
    timer_init(&edu->dma_timer, d->env->loop, end_transfer, edu);
    edu->worker = iothread_new("edu", d->env->clock, e);
    if (edu->worker == NULL) {
        return -EAGAIN;
    }
    bh_init(&edu->compute, iothread_loop(edu->worker), compute, edu);
    return 0;
}

/* On the worker. */
static void cancel(void *bh)
{
    bh_cancel(bh);
}

static void edu_unrealize(struct device *d)
{
    struct edu *edu = DEVICE_STATE(struct edu, d);
    timer_cancel(&edu->dma_timer);
    iothread_call(edu->worker, cancel, &edu->compute);
    iothread_free(edu->worker);
}

static void edu_pause(struct device *d)
{
    struct edu *edu = DEVICE_STATE(struct edu, d);
    iothread_call(edu->worker, cancel, &edu->compute);
}

static void edu_resume(struct device *d)
{
    struct edu *edu = DEVICE_STATE(struct edu, d);
    device_lock(d);
    if ((edu->status & STATUS_COMPUTING) != 0) {
        bh_schedule(&edu->compute);
    }
    device_unlock(d);
}

static int edu_loaded(struct device *d, struct err *e)
{
    struct edu *edu = DEVICE_STATE(struct edu, d);
    (void)e; /* copy() judges a transfer when it is due */
    edu->status &= STATUS_COMPUTING | STATUS_IRQ_AFTER;
    if ((edu->dma[CMD] & DMA_RUN) != 0) {
        timer_arm(&edu->dma_timer, edu->dma_end);
    }
    return 0;
}

static void edu_reset(struct device *d)
{
    struct edu *edu = DEVICE_STATE(struct edu, d);
    edu->liveness = edu->factorial = edu->status = edu->irq_status = 0;
    memset(edu->dma, 0, sizeof(edu->dma));
    memset(edu->buffer, 0, sizeof(edu->buffer));
}

/* --- what every device has: tables and class -------------------------- */

#define WIDE (4 | 8 | REG_AT_START)

static const struct reg edu_regs[] = {
    {"id", EDU_ID, 4, 4, REG_RO, ID_VALUE, "31:24 major version, 23:16 minor, 15:0 0x00ed"},
    {"liveness", EDU_LIVENESS, 4, 4, REG_RW, 0, "reads the complement of what was written"},
    {"factorial", EDU_FACTORIAL, 4, 4, REG_RW, 0,
     "write n: compute n!, unless COMPUTING; read: n! modulo 2^32, n while COMPUTING"},
    {"status", EDU_STATUS, 4, 4, REG_RW, 0,
     "0x01 COMPUTING (read-only), 0x80 IRQ_AFTER: interrupt 0x001 at the end"},
    {"irq_status", EDU_IRQ_STATUS, 4, 4, REG_RO, 0,
     "pending reasons: 0x001 factorial, 0x100 DMA, others the guest's"},
    {"irq_raise", EDU_IRQ_RAISE, 4, 4, REG_WO, 0, "adds reasons to irq_status and interrupts"},
    {"irq_ack", EDU_IRQ_ACK, 4, 4, REG_WO, 0, "takes reasons from irq_status"},
    {"dma_src", EDU_DMA + 8 * SRC, 8, WIDE, REG_RW, 0, "address to copy from"},
    {"dma_dst", EDU_DMA + 8 * DST, 8, WIDE, REG_RW, 0, "address to copy to"},
    {"dma_count", EDU_DMA + 8 * COUNT, 8, WIDE, REG_RW, 0, "bytes to copy, up to 4096"},
    {"dma_cmd", EDU_DMA + 8 * CMD, 8, WIDE, REG_RW, 0,
     "0x1 RUN, 0x2 from the buffer (0x40000) to memory, 0x4 interrupt 0x100 at the end; "
     "while RUN is set writes to dma_* are ignored"},
};

static const struct reg_block edu_blocks[] = {
    {"regs", BAR_SIZE, TABLE(edu_regs), .read = edu_read, .write = edu_write},
};

static const struct prop edu_props[] = {
    PROP(struct edu, dma_mask, PROP_U64, "0x0fffffff", 0, 0, "address bits the DMA engine has"),
    PROP(struct edu, dma_delay, PROP_U32, "100", 0, 60000, "ms a DMA takes"),
};

/* A computation is restarted from its operand, a transfer's timer from its end. */
static const struct field edu_fields[] = {
    FIELD(struct edu, liveness, 1),     FIELD(struct edu, factorial, 1),
    FIELD(struct edu, status, 1),       FIELD(struct edu, irq_status, 1),
    FIELD_ARRAY(struct edu, dma, 1),    FIELD(struct edu, dma_end, 1),
    FIELD_ARRAY(struct edu, buffer, 1),
};

static const struct pci_info edu_pci = {
    .vendor = 0x1234,
    .device = 0x11e8,
    .class_code = 0x00ff00, /* none of the classes there are */
    .revision = 0x10,
    .intx = true,
    .msi = true,
    .bar = {{.kind = PCI_BAR_MEM32, .block = 0}},
};

const struct device_class edu_class = {
    .name = "edu",
    .summary = "QEMU's educational device: factorial, interrupts, DMA",
    .state_size = sizeof(struct edu),
    .props = TABLE(edu_props),
    .blocks = TABLE(edu_blocks),
    .fields = TABLE(edu_fields),
    .version = 1,
    .pci = &edu_pci,
    .compatible = "vmm,edu",
    .realize = edu_realize,
    .unrealize = edu_unrealize,
    .reset = edu_reset,
    .loaded = edu_loaded,
    .pause = edu_pause,
    .resume = edu_resume,
};
