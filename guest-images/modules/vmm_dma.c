// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * vmm_dma: a Linux driver for dma-engine: PCI 1234:3456, and the same registers as a platform
 * device "vmm,dma-engine". Source: the device's data sheet (docs/devices/dma-engine.md).
 *
 * Files in the device's sysfs folder:
 *   id, channels   what the device says of itself
 *   irq_mode       how it interrupts: msi, intx, line, or none where the driver polls
 *   irq_count      interrupts that were the device's
 *   channel        of the copies to come
 *   copy_size      write a size: one copy of so many bytes, compared byte by byte
 *   error_test     write anything: every error the device knows, each without a byte copied
 * A write fails with -ETIMEDOUT where the device is silent, and with -EIO where it is wrong.
 *
 * A copy needs contiguous memory, which the kernel has up to 4 MiB of. For more, keep a piece of
 * RAM from the kernel (memmap=SIZE$ADDRESS on its command line) and give it to the module as
 * reserved=ADDRESS reserved_size=SIZE.
 *
 * Locking: engine.lock makes one request at a time, reserved_lock one user of the reserved memory,
 * inside of it. The interrupt handler takes no lock.
 */
#include "bus.h"

#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

enum {
    DMA_ID = 0x00,
    DMA_CAPS = 0x04,
    DMA_MAX_SIZE = 0x08,
    DMA_IRQ_STATUS = 0x0c,
    DMA_IRQ_ENABLE = 0x10,
    DMA_CHANNEL = 0x1000, /* of channel 0, and the stride of the others */
};

enum {
    CHANNEL_SRC = 0x00,
    CHANNEL_DST = 0x08,
    CHANNEL_FLAGS = 0x10,
    CHANNEL_SIZE = 0x14,
    CHANNEL_START = 0x18,
    CHANNEL_DONE = 0x1c,
    CHANNEL_ERROR = 0x20,
    CHANNEL_COPIED = 0x24,
};

enum {
    ERROR_NONE,
    ERROR_SIZE,
    ERROR_SRC,
    ERROR_DST,
    ERROR_MASTER,
    ERROR_FLAGS,
};

#define DMA_ID_VALUE 0x34560100
#define DONE_FAILED  BIT(31)

#define GUARD   64 /* bytes behind the source and behind the destination that must not change */
#define UNTOLD  0xa5
#define TIMEOUT 10000 /* milliseconds; 64 MiB take long under emulation */

static char *irq = "auto";
module_param(irq, charp, 0444);
MODULE_PARM_DESC(irq, "auto, msi, intx, or none: poll");

static ulong reserved;
module_param(reserved, ulong, 0444);
MODULE_PARM_DESC(reserved, "physical address of memory that the kernel does not use");

static ulong reserved_size;
module_param(reserved_size, ulong, 0444);
MODULE_PARM_DESC(reserved_size, "and its size in bytes");

static DEFINE_MUTEX(reserved_lock);

struct engine {
    struct bus bus;
    struct mutex lock;
    u32 channel, copy_size;
};

/* Contiguous memory: source, guard, destination, guard. */
struct buffer {
    size_t size;
    u8 *bytes;
    dma_addr_t bus;
    bool is_reserved;
};

/* One transfer. */
struct transfer {
    u64 src, dst;
    u32 size, flags;
    bool poll; /* even where the driver uses interrupts */
};

static irqreturn_t engine_interrupt(int line, void *opaque)
{
    struct engine *e = opaque;
    u32 finished = readl(e->bus.regs + DMA_IRQ_STATUS) & readl(e->bus.regs + DMA_IRQ_ENABLE);

    if (finished == 0)
        return IRQ_NONE; /* of another device on this line */
    writel(finished, e->bus.regs + DMA_IRQ_STATUS);
    return bus_events(&e->bus, finished);
}

/* --- transfers -------------------------------------------------------- */

static void __iomem *channel_reg(const struct engine *e, unsigned int reg)
{
    return e->bus.regs + DMA_CHANNEL * (e->channel + 1) + reg;
}

/* Start a transfer and wait for its end, which may be an error of the device's. */
static int run(struct engine *e, const struct transfer *t)
{
    bool poll = e->bus.irq_mode == NULL || t->poll;
    u32 bit = BIT(e->channel);
    u32 done;

    writel(bit, e->bus.regs + DMA_IRQ_STATUS); /* from a transfer that was polled */
    bus_forget(&e->bus, bit);
    writel(poll ? 0 : bit, e->bus.regs + DMA_IRQ_ENABLE);
    writeq(t->src, channel_reg(e, CHANNEL_SRC));
    writeq(t->dst, channel_reg(e, CHANNEL_DST));
    writel(t->flags, channel_reg(e, CHANNEL_FLAGS));
    writel(t->size, channel_reg(e, CHANNEL_SIZE));
    writel(1, channel_reg(e, CHANNEL_START));
    if (poll)
        return readl_poll_timeout(channel_reg(e, CHANNEL_DONE), done, done != 0, 20,
                                  TIMEOUT * 1000);
    if (bus_wait(&e->bus, bit, TIMEOUT) != 0)
        return -ETIMEDOUT;
    return readl(channel_reg(e, CHANNEL_DONE)) == 0 ? -EIO : 0;
}

/* Run a transfer that must end with this error, or without one. */
static int run_expecting(struct engine *e, const struct transfer *t, u32 expected, const char *what)
{
    u32 expected_done = expected == ERROR_NONE ? 1 : DONE_FAILED;
    u32 expected_copied = expected == ERROR_NONE ? t->size : 0;
    u32 done, error, copied;
    int result = run(e, t);

    if (result != 0) {
        dev_err(e->bus.dev, "%s: no end (%d)\n", what, result);
        return result;
    }
    done = readl(channel_reg(e, CHANNEL_DONE));
    error = readl(channel_reg(e, CHANNEL_ERROR));
    copied = readl(channel_reg(e, CHANNEL_COPIED));
    if (done == expected_done && error == expected && copied == expected_copied)
        return 0;
    dev_err(e->bus.dev, "%s: DONE 0x%x, ERROR %u, COPIED %u\n", what, done, error, copied);
    return -EIO;
}

/* No interrupt any more. */
static void engine_quiesce(struct engine *e)
{
    writel(0, e->bus.regs + DMA_IRQ_ENABLE);
    writel(U32_MAX, e->bus.regs + DMA_IRQ_STATUS);
}

/* --- memory ----------------------------------------------------------- */

static int get_buffer(struct engine *e, size_t size, struct buffer *b)
{
    *b = (struct buffer){.size = size};
    b->bytes = dma_alloc_coherent(e->bus.dev, size, &b->bus, GFP_KERNEL | __GFP_NOWARN);
    if (b->bytes != NULL)
        return 0;
    if (size > reserved_size)
        return -ENOMEM;
    b->is_reserved = true;
    b->bytes = memremap(reserved, size, MEMREMAP_WB);
    if (b->bytes == NULL)
        return -ENOMEM;
    b->bus = dma_map_resource(e->bus.dev, reserved, size, DMA_BIDIRECTIONAL, 0);
    if (dma_mapping_error(e->bus.dev, b->bus)) {
        memunmap(b->bytes);
        return -ENOMEM;
    }
    mutex_lock(&reserved_lock);
    return 0;
}

/* result: of the transfers with it. */
static void put_buffer(struct engine *e, struct buffer *b, int result)
{
    if (b->is_reserved) {
        mutex_unlock(&reserved_lock);
        dma_unmap_resource(e->bus.dev, b->bus, b->size, DMA_BIDIRECTIONAL, 0);
        memunmap(b->bytes);
    } else if (result != -ETIMEDOUT) { /* a device that is late may still write there */
        dma_free_coherent(e->bus.dev, b->size, b->bytes, b->bus);
    }
}

/* No short run of these repeats, so that a copy to a wrong place shows. */
static u8 pattern(size_t i)
{
    return (u8)((u32)i * 0x9e3779b1u >> 24);
}

static void fill(u8 *bytes, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        bytes[i] = pattern(i);
        if (i % SZ_1M == 0)
            cond_resched();
    }
}

/* The first byte that is not as fill() made it; size: there is none. */
static size_t differs(const u8 *bytes, size_t size)
{
    size_t i;

    for (i = 0; i < size && bytes[i] == pattern(i); i++) {
        if (i % SZ_1M == 0)
            cond_resched();
    }
    return i;
}

/* --- copies ----------------------------------------------------------- */

static int copy(struct engine *e, u32 size)
{
    size_t half = (size_t)size + GUARD;
    struct transfer t = {.size = size};
    struct buffer b;
    int error = get_buffer(e, 2 * half, &b);

    if (error != 0)
        return error;
    fill(b.bytes, size);
    memset(b.bytes + size, UNTOLD, GUARD + half);
    t.src = b.bus;
    t.dst = b.bus + half;
    error = run_expecting(e, &t, ERROR_NONE, "copy");
    if (error == 0 && (differs(b.bytes, size) != size || differs(b.bytes + half, size) != size ||
                       memchr_inv(b.bytes + size, UNTOLD, GUARD) != NULL ||
                       memchr_inv(b.bytes + half + size, UNTOLD, GUARD) != NULL)) {
        dev_err(e->bus.dev, "copy of %u bytes: wrong bytes: source at %zu, destination at %zu\n",
                size, differs(b.bytes, size), differs(b.bytes + half, size));
        error = -EIO;
    }
    put_buffer(e, &b, error);
    return error;
}

static ssize_t copy_size_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct engine *e = dev_get_drvdata(dev);

    return sysfs_emit(text, "0x%x\n", e->copy_size);
}

static ssize_t copy_size_store(struct device *dev, struct device_attribute *attr, const char *text,
                               size_t len)
{
    struct engine *e = dev_get_drvdata(dev);
    u32 size;
    int error;

    if (kstrtou32(text, 0, &size) != 0)
        return -EINVAL;
    mutex_lock(&e->lock);
    e->copy_size = size;
    error = copy(e, size);
    mutex_unlock(&e->lock);
    return error != 0 ? error : len;
}
static DEVICE_ATTR_RW(copy_size);

/* --- errors ----------------------------------------------------------- */

static int try_errors(struct engine *e, const struct buffer *b)
{
    u64 good = b->bus, wraps = U64_MAX - 7, own = e->bus.address;
    u32 max_size = readl(e->bus.regs + DMA_MAX_SIZE);
    const struct {
        const char *what;
        u32 error;
        struct transfer transfer;
    } cases[] = {
        {"one byte too many", ERROR_SIZE, {good, good, max_size + 1, 0}},
        {"source that wraps", ERROR_SRC, {wraps, good, 16, 0}},
        {"destination that wraps", ERROR_DST, {good, wraps, 16, 0}},
        {"own registers as source", ERROR_SRC, {own, good, 16, 0}},
        {"own registers as destination", ERROR_DST, {good, own, 16, 0}},
        {"flags", ERROR_FLAGS, {good, good + 16, 16, 1}},
    };
    int error = 0;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases) && error == 0; i++)
        error = run_expecting(e, &cases[i].transfer, cases[i].error, cases[i].what);
    if (error == 0 && dev_is_pci(e->bus.dev)) {
        /* A message is a write to memory as well, so there will be none. */
        const struct transfer t = {good, good + 16, 16, 0, true};

        pci_clear_master(to_pci_dev(e->bus.dev));
        error = run_expecting(e, &t, ERROR_MASTER, "bus master off");
        pci_set_master(to_pci_dev(e->bus.dev));
    }
    return error;
}

static ssize_t error_test_store(struct device *dev, struct device_attribute *attr, const char *text,
                                size_t len)
{
    struct engine *e = dev_get_drvdata(dev);
    struct buffer b;
    int error;

    mutex_lock(&e->lock);
    error = get_buffer(e, PAGE_SIZE, &b);
    if (error == 0) {
        fill(b.bytes, b.size);
        error = try_errors(e, &b);
        if (error == 0 && differs(b.bytes, b.size) != b.size) {
            dev_err(dev, "a refused copy wrote memory\n");
            error = -EIO;
        }
        writel(0, channel_reg(e, CHANNEL_FLAGS));
        put_buffer(e, &b, error);
    }
    mutex_unlock(&e->lock);
    return error != 0 ? error : len;
}
static DEVICE_ATTR_WO(error_test);

/* --- other files ------------------------------------------------------ */

static ssize_t id_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct engine *e = dev_get_drvdata(dev);

    return sysfs_emit(text, "0x%08x\n", readl(e->bus.regs + DMA_ID));
}
static DEVICE_ATTR_RO(id);

static ssize_t channels_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct engine *e = dev_get_drvdata(dev);

    return sysfs_emit(text, "%u\n", readl(e->bus.regs + DMA_CAPS) & 0xff);
}
static DEVICE_ATTR_RO(channels);

static ssize_t channel_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct engine *e = dev_get_drvdata(dev);

    return sysfs_emit(text, "%u\n", e->channel);
}

static ssize_t channel_store(struct device *dev, struct device_attribute *attr, const char *text,
                             size_t len)
{
    struct engine *e = dev_get_drvdata(dev);
    u32 channel;

    if (kstrtou32(text, 0, &channel) != 0 || channel >= (readl(e->bus.regs + DMA_CAPS) & 0xff))
        return -EINVAL;
    mutex_lock(&e->lock);
    e->channel = channel;
    mutex_unlock(&e->lock);
    return len;
}
static DEVICE_ATTR_RW(channel);

static struct attribute *engine_attrs[] = {
    &dev_attr_id.attr,         &dev_attr_channels.attr,
    &dev_attr_irq_mode.attr,   &dev_attr_irq_count.attr,
    &dev_attr_channel.attr,    &dev_attr_copy_size.attr,
    &dev_attr_error_test.attr, NULL,
};
ATTRIBUTE_GROUPS(engine);

/* --- life ------------------------------------------------------------- */

static int engine_setup(const struct bus *bus)
{
    struct engine *e = devm_kzalloc(bus->dev, sizeof(*e), GFP_KERNEL);
    int error;

    if (e == NULL)
        return -ENOMEM;
    e->bus = *bus;
    mutex_init(&e->lock);
    if (readl(bus->regs + DMA_ID) != DMA_ID_VALUE)
        return dev_err_probe(bus->dev, -ENODEV, "no dma-engine: its ID is 0x%08x\n",
                             readl(bus->regs + DMA_ID));
    error = dma_set_mask_and_coherent(bus->dev, DMA_BIT_MASK(64));
    if (error != 0)
        return dev_err_probe(bus->dev, error, "no DMA to 64 bits of addresses\n");

    dev_set_drvdata(bus->dev, e);
    engine_quiesce(e); /* whatever the last driver left */
    return bus_request_irq(&e->bus, engine_interrupt);
}

static int engine_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
    struct bus bus;
    int error = bus_get_pci(pdev, irq, &bus);

    return error != 0 ? error : engine_setup(&bus);
}

static void engine_pci_remove(struct pci_dev *pdev)
{
    engine_quiesce(pci_get_drvdata(pdev));
    pci_clear_master(pdev);
}

static const struct pci_device_id engine_pci_ids[] = {{PCI_DEVICE(0x1234, 0x3456)}, {0}};
MODULE_DEVICE_TABLE(pci, engine_pci_ids);

static struct pci_driver engine_pci_driver = {
    .name = KBUILD_MODNAME,
    .id_table = engine_pci_ids,
    .probe = engine_pci_probe,
    .remove = engine_pci_remove,
    .dev_groups = engine_groups,
};

static int engine_platform_probe(struct platform_device *pdev)
{
    struct bus bus;
    int error = bus_get_platform(pdev, irq, &bus);

    return error != 0 ? error : engine_setup(&bus);
}

static int engine_platform_remove(struct platform_device *pdev)
{
    engine_quiesce(platform_get_drvdata(pdev));
    return 0;
}

/* ACPI's PRP0001 gives a compatible string as well. */
static const struct of_device_id engine_of_ids[] = {{.compatible = "vmm,dma-engine"}, {}};
MODULE_DEVICE_TABLE(of, engine_of_ids);

static struct platform_driver engine_platform_driver = {
    .driver = {.name = KBUILD_MODNAME,
               .of_match_table = engine_of_ids,
               .dev_groups = engine_groups},
    .probe = engine_platform_probe,
    .remove = engine_platform_remove,
};

static int __init engine_init(void)
{
    int error = pci_register_driver(&engine_pci_driver);

    if (error != 0)
        return error;
    error = platform_driver_register(&engine_platform_driver);
    if (error != 0)
        pci_unregister_driver(&engine_pci_driver);
    return error;
}
module_init(engine_init);

static void __exit engine_exit(void)
{
    platform_driver_unregister(&engine_platform_driver);
    pci_unregister_driver(&engine_pci_driver);
}
module_exit(engine_exit);

MODULE_DESCRIPTION("Driver for dma-engine, a device that copies memory");
MODULE_AUTHOR("The vmm authors");
MODULE_LICENSE("Dual MIT/GPL");
