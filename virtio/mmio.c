/*
 * virtio-mmio: OASIS virtio 1.2, section 4.2 (virtio over MMIO), version 2.
 *
 * Doorbell: while a queue runs, a write of its index to QueueNotify is a posted
 * write on the queue's eventfd, so it need not leave KVM. Where it does leave,
 * the register handler signals the same eventfd.
 *
 * Interrupt: an edge for each event, after its bit in InterruptStatus is set. A
 * driver that acknowledges only some of the bits it saw gets another edge, as a
 * level line would still be up.
 *
 * Locking: registers with the device's lock held (by the core); interrupts from
 * any thread: InterruptStatus is atomic.
 */
#include "virtio/mmio.h"

#include "src/base/trace.h"

#include <errno.h>
#include <inttypes.h>

#define MAGIC     0x74726976 /* "virt" */
#define VERSION   2
#define VENDOR_ID 0x006d6d76 /* "vmm": free to choose */

#define INT_QUEUE  1
#define INT_CONFIG 2

enum {
    MAGIC_VALUE = 0x000,
    VERSION_REG = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID_REG = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_NUM_MAX = 0x034,
    QUEUE_NUM = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DESC_HIGH = 0x084,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DRIVER_HIGH = 0x094,
    QUEUE_DEVICE_LOW = 0x0a0,
    QUEUE_DEVICE_HIGH = 0x0a4,
    SHM_SEL = 0x0ac,
    SHM_LEN_LOW = 0x0b0,
    SHM_LEN_HIGH = 0x0b4,
    SHM_BASE_LOW = 0x0b8,
    SHM_BASE_HIGH = 0x0bc,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100,
};

#define R(reg, at, how, value, text)                                                               \
    {                                                                                              \
        .name = (reg), .offset = (at), .length = 4, .widths = 4, .access = (how),                  \
        .reset = (value), .meaning = (text)                                                        \
    }

static const struct reg registers[] = {
    R("MagicValue", MAGIC_VALUE, REG_RO, MAGIC, "\"virt\""),
    R("Version", VERSION_REG, REG_RO, VERSION, "2: the modern interface"),
    R("DeviceID", DEVICE_ID, REG_RO, 0, "kind of device: 2 block"),
    R("VendorID", VENDOR_ID_REG, REG_RO, VENDOR_ID, "who made the device"),
    R("DeviceFeatures", DEVICE_FEATURES, REG_RO, 0, "32 feature bits the device offers"),
    R("DeviceFeaturesSel", DEVICE_FEATURES_SEL, REG_WO, 0, "which 32: 0 low, 1 high"),
    R("DriverFeatures", DRIVER_FEATURES, REG_WO, 0, "32 feature bits the driver accepts"),
    R("DriverFeaturesSel", DRIVER_FEATURES_SEL, REG_WO, 0, "which 32: 0 low, 1 high"),
    R("QueueSel", QUEUE_SEL, REG_WO, 0, "queue the other queue registers mean"),
    R("QueueNumMax", QUEUE_NUM_MAX, REG_RO, 0, "most entries; 0: no such queue"),
    R("QueueNum", QUEUE_NUM, REG_WO, 0, "entries, a power of two"),
    R("QueueReady", QUEUE_READY, REG_RW, 0, "1: the queue may be used"),
    R("QueueNotify", QUEUE_NOTIFY, REG_WO, 0, "doorbell: index of a queue with new chains"),
    R("InterruptStatus", INTERRUPT_STATUS, REG_RO, 0, "bit 0 used chains, 1 configuration"),
    R("InterruptACK", INTERRUPT_ACK, REG_WO, 0, "clears the bits given"),
    R("Status", STATUS, REG_RW, 0, "progress of the driver; writing 0 resets"),
    R("QueueDescLow", QUEUE_DESC_LOW, REG_WO, 0, "gpa of the descriptors, low half"),
    R("QueueDescHigh", QUEUE_DESC_HIGH, REG_WO, 0, "high half"),
    R("QueueDriverLow", QUEUE_DRIVER_LOW, REG_WO, 0, "gpa of the available ring, low half"),
    R("QueueDriverHigh", QUEUE_DRIVER_HIGH, REG_WO, 0, "high half"),
    R("QueueDeviceLow", QUEUE_DEVICE_LOW, REG_WO, 0, "gpa of the used ring, low half"),
    R("QueueDeviceHigh", QUEUE_DEVICE_HIGH, REG_WO, 0, "high half"),
    R("SHMSel", SHM_SEL, REG_WO, 0, "shared memory region; there are none"),
    R("SHMLenLow", SHM_LEN_LOW, REG_RO, UINT32_MAX, "its length; all ones: none"),
    R("SHMLenHigh", SHM_LEN_HIGH, REG_RO, UINT32_MAX, "high half"),
    R("SHMBaseLow", SHM_BASE_LOW, REG_RO, UINT32_MAX, "its gpa; all ones: none"),
    R("SHMBaseHigh", SHM_BASE_HIGH, REG_RO, UINT32_MAX, "high half"),
    R("ConfigGeneration", CONFIG_GENERATION, REG_RO, 0, "changes with the configuration"),
    {.name = "Config",
     .offset = CONFIG,
     .length = VIRTIO_MMIO_SIZE - CONFIG,
     .widths = 1 | 2 | 4,
     .access = REG_RW,
     .meaning = "the device's configuration"},
};

static struct virtio_mmio *mmio_of(struct virtio_device *v)
{
    return v->transport_state;
}

/* --- registers ----------------------------------------------------------- */

/* The queue QueueSel names, or NULL. */
static struct virtio_queue *selected(struct virtio_device *v)
{
    uint32_t n = mmio_of(v)->queue_sel;
    return n < v->vcls->queues ? &v->queues[n] : NULL;
}

static uint32_t offered_word(struct virtio_device *v)
{
    uint32_t word = mmio_of(v)->device_features_sel;
    return word < 2 ? (uint32_t)(v->offered >> (32 * word)) : 0;
}

static uint64_t mmio_read(struct device *d, uint32_t offset, unsigned size)
{
    struct virtio_device *v = DEVICE_STATE(struct virtio_device, d);
    const struct virtio_queue *q = selected(v);
    if (offset >= CONFIG) {
        return virtio_config_read(v, offset - CONFIG, size);
    }
    switch (offset) {
    case MAGIC_VALUE:
        return MAGIC;
    case VERSION_REG:
        return VERSION;
    case DEVICE_ID:
        return v->vcls->id;
    case VENDOR_ID_REG:
        return VENDOR_ID;
    case DEVICE_FEATURES:
        return offered_word(v);
    case QUEUE_NUM_MAX:
        return q != NULL ? v->vcls->queue_max : 0;
    case QUEUE_READY:
        return q != NULL && q->ready;
    case INTERRUPT_STATUS:
        return atomic_load(&mmio_of(v)->interrupt_status);
    case STATUS:
        return virtio_status(v);
    case CONFIG_GENERATION:
        return v->config_generation;
    default: /* SHMLen, SHMBase */
        return UINT32_MAX;
    }
}

static void set_half(uint64_t *value, uint32_t half, bool high)
{
    *value = high ? (*value & UINT32_MAX) | (uint64_t)half << 32
                  : (*value & ~(uint64_t)UINT32_MAX) | half;
}

/* A register of the selected queue. While the queue is ready only QueueReady may be written. */
static void write_queue(struct virtio_device *v, uint32_t offset, uint32_t value)
{
    struct virtio_queue *q = selected(v);
    if (q == NULL || (q->ready && offset != QUEUE_READY)) {
        guest_error(&v->dev.guest_errors, "%s: the driver sets up queue %" PRIu32 ", which %s",
                    v->dev.id, mmio_of(v)->queue_sel, q == NULL ? "does not exist" : "is ready");
        return;
    }
    switch (offset) {
    case QUEUE_NUM:
        /* Judged when the queue becomes ready; what does not fit becomes 0, never valid. */
        q->layout.num = value <= UINT16_MAX ? (uint16_t)value : 0;
        break;
    case QUEUE_READY:
        if ((value & 1) != 0) {
            virtio_queue_enable(q);
        } else {
            virtio_queue_disable(q);
        }
        break;
    case QUEUE_DESC_LOW:
    case QUEUE_DESC_HIGH:
        set_half(&q->layout.desc, value, offset == QUEUE_DESC_HIGH);
        break;
    case QUEUE_DRIVER_LOW:
    case QUEUE_DRIVER_HIGH:
        set_half(&q->layout.driver, value, offset == QUEUE_DRIVER_HIGH);
        break;
    default: /* QueueDevice */
        set_half(&q->layout.device, value, offset == QUEUE_DEVICE_HIGH);
        break;
    }
}

static void notify(struct virtio_device *v, uint32_t index)
{
    if (index >= v->vcls->queues || !v->queues[index].ready) {
        guest_error(&v->dev.guest_errors, "%s: the driver kicks queue %" PRIu32 ", not ready",
                    v->dev.id, index);
        return;
    }
    virtio_queue_kick(&v->queues[index]);
}

static void acknowledge(struct virtio_mmio *m, uint32_t bits)
{
    uint32_t left = atomic_fetch_and(&m->interrupt_status, ~bits) & ~bits;
    if (left != 0) {
        irq_edge_pulse(&m->irq);
    }
}

static void mmio_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct virtio_device *v = DEVICE_STATE(struct virtio_device, d);
    struct virtio_mmio *m = mmio_of(v);
    uint32_t word = (uint32_t)value;
    if (offset >= CONFIG) {
        virtio_config_write(v, offset - CONFIG, value, size);
        return;
    }
    switch (offset) {
    case DEVICE_FEATURES_SEL:
        m->device_features_sel = word;
        break;
    case DRIVER_FEATURES:
        virtio_write_features(v, m->driver_features_sel, word);
        break;
    case DRIVER_FEATURES_SEL:
        m->driver_features_sel = word;
        break;
    case QUEUE_SEL:
        m->queue_sel = word;
        break;
    case QUEUE_NOTIFY:
        notify(v, word);
        break;
    case INTERRUPT_ACK:
        acknowledge(m, word);
        break;
    case STATUS:
        virtio_write_status(v, word);
        break;
    case SHM_SEL: /* whichever it is, there is none */
        break;
    default:
        write_queue(v, offset, word);
        break;
    }
}

const struct reg_block virtio_mmio_block = {
    .name = "mmio",
    .size = VIRTIO_MMIO_SIZE,
    .regs = registers,
    .count = sizeof(registers) / sizeof(registers[0]),
    .misfit_reads_zero = true,
    .read = mmio_read,
    .write = mmio_write,
};

/* --- transport ----------------------------------------------------------- */

static void interrupt(struct virtio_device *v, uint32_t bit)
{
    struct virtio_mmio *m = mmio_of(v);
    atomic_fetch_or(&m->interrupt_status, bit);
    irq_edge_pulse(&m->irq);
    trace(TRACE_virtio_interrupt, "%s status 0x%" PRIx32, v->dev.id, bit);
}

static void queue_interrupt(struct virtio_device *v, unsigned queue)
{
    (void)queue; /* one interrupt for all of them */
    interrupt(v, INT_QUEUE);
}

static void config_interrupt(struct virtio_device *v)
{
    interrupt(v, INT_CONFIG);
}

static void set_doorbell(struct virtio_device *v, struct virtio_queue *q, bool on)
{
    const struct posted_write doorbell = {.kind = POSTED_EVENTFD,
                                          .offset = QUEUE_NOTIFY,
                                          .size = 4,
                                          .match = true,
                                          .value = q->index,
                                          .fd = q->kick_fd};
    if (on) {
        region_add_posted(mmio_of(v)->region, &doorbell);
    } else {
        region_del_posted(mmio_of(v)->region, &doorbell);
    }
}

static void reset(struct virtio_device *v)
{
    struct virtio_mmio *m = mmio_of(v);
    m->device_features_sel = 0;
    m->driver_features_sel = 0;
    m->queue_sel = 0;
    atomic_store(&m->interrupt_status, 0);
}

/* The edge may have been lost on its way into the guest; one more is harmless. */
static void resume(struct virtio_device *v)
{
    struct virtio_mmio *m = mmio_of(v);
    if (atomic_load(&m->interrupt_status) != 0) {
        irq_edge_pulse(&m->irq);
    }
}

static const struct virtio_transport transport = {
    .queue_interrupt = queue_interrupt,
    .config_interrupt = config_interrupt,
    .set_doorbell = set_doorbell,
    .reset = reset,
    .resume = resume,
};

/* --- life ---------------------------------------------------------------- */

int virtio_mmio_realize(struct virtio_device *v, struct virtio_mmio *m, uint64_t features,
                        struct err *e)
{
    const struct device_env *env = v->dev.env;
    if (m->addr == 0) {
        return err_set(e, EINVAL, "device '%s' has no place: addr and gsi are not set", v->dev.id);
    }
    v->transport = &transport;
    v->transport_state = m;
    int ret = env->irq_edge_get(env->opaque, m->gsi, &m->irq, e);
    if (ret < 0) {
        return ret;
    }
    ret = virtio_realize(v, features, e);
    if (ret < 0) {
        env->irq_edge_put(env->opaque, m->gsi, &m->irq);
        return ret;
    }
    ret = device_map_block(&v->dev, 0, env->mem_root, m->addr, &m->region, e);
    if (ret < 0) {
        virtio_mmio_unrealize(v);
    }
    return ret;
}

void virtio_mmio_unrealize(struct virtio_device *v)
{
    struct virtio_mmio *m = mmio_of(v);
    virtio_unrealize(v);
    v->dev.env->irq_edge_put(v->dev.env->opaque, m->gsi, &m->irq);
}
