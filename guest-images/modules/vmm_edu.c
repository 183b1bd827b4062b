// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * vmm_edu: a Linux driver for edu, the educational device: PCI 1234:11e8, and the same registers as
 * a platform device "vmm,edu". Source: the device's data sheet (docs/devices/edu.md).
 *
 * Every feature is a file in the device's sysfs folder:
 *   id, liveness   the registers; liveness shows the complement of what was written
 *   factorial      write n, which waits for the end; read n! mod 2^32
 *   irq_mode       how it interrupts: msi, intx, line, or none where the driver polls
 *   irq_raise      write reasons, which waits until the interrupt handler saw them
 *   irq_count      interrupts that were the device's
 *   dma_test       write "FIRST LAST": round trips of FIRST to LAST bytes through the device's
 *                  buffer; read how many were right
 * A write fails with -ETIMEDOUT where the device is silent, and with -EIO where it is wrong.
 *
 * Locking: edu.lock makes one request at a time. The interrupt handler takes no lock (bus.h).
 */
#include "bus.h"

#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/mutex.h>

enum {
    EDU_ID = 0x00,
    EDU_LIVENESS = 0x04,
    EDU_FACTORIAL = 0x08,
    EDU_STATUS = 0x20,
    EDU_IRQ_STATUS = 0x24,
    EDU_IRQ_RAISE = 0x60,
    EDU_IRQ_ACK = 0x64,
    EDU_DMA_SRC = 0x80,
    EDU_DMA_DST = 0x88,
    EDU_DMA_COUNT = 0x90,
    EDU_DMA_CMD = 0x98,
};

#define EDU_ID_VALUE 0x010000ed

#define EDU_COMPUTING BIT(0)
#define EDU_IRQ_AFTER BIT(7)

#define EDU_REASON_FACTORIAL BIT(0)
#define EDU_REASON_DMA       BIT(8)

#define EDU_DMA_RUN         BIT(0)
#define EDU_DMA_FROM_DEVICE BIT(1)
#define EDU_DMA_IRQ         BIT(2)

#define EDU_BUFFER      0x40000
#define EDU_BUFFER_SIZE 4096u

/* Each side of a round trip: any offset in a page plus the longest transfer. */
#define EDU_AREA    (2 * EDU_BUFFER_SIZE)
#define EDU_UNTOLD  0xa5
#define EDU_TIMEOUT 2000 /* milliseconds */

static char *irq = "auto";
module_param(irq, charp, 0444);
MODULE_PARM_DESC(irq, "auto, msi, intx, or none: poll");

/* QEMU 7.2 ends itself when a transfer reaches the last byte: 4095 keeps away from it. */
static uint buffer = EDU_BUFFER_SIZE;
module_param(buffer, uint, 0444);
MODULE_PARM_DESC(buffer, "bytes of the device's buffer to use");

/* Where all of RAM is above 256 MiB, the device needs a wider dma_mask than it comes with, too. */
static uint dma_bits = 28;
module_param(dma_bits, uint, 0444);
MODULE_PARM_DESC(dma_bits, "bits of the addresses that the device's dma_mask lets through");

struct edu {
    struct bus bus;
    struct mutex lock;
    u8 *out, *in; /* EDU_AREA bytes each */
    dma_addr_t out_bus, in_bus;
    unsigned int right; /* round trips of the last dma_test */
};

static irqreturn_t edu_interrupt(int line, void *opaque)
{
    struct edu *edu = opaque;
    u32 reasons = readl(edu->bus.regs + EDU_IRQ_STATUS);

    if (reasons == 0)
        return IRQ_NONE; /* of another device on this line */
    writel(reasons, edu->bus.regs + EDU_IRQ_ACK);
    return bus_events(&edu->bus, reasons);
}

/* Wait until bit of a register is 0: by the interrupt of reason where there is one. */
static int edu_wait(struct edu *edu, u32 reason, unsigned int reg, u32 bit)
{
    u32 value;

    if (edu->bus.irq_mode == NULL)
        return readl_poll_timeout(edu->bus.regs + reg, value, !(value & bit), 20,
                                  EDU_TIMEOUT * 1000);
    if (bus_wait(&edu->bus, reason, EDU_TIMEOUT) != 0)
        return -ETIMEDOUT;
    return readl(edu->bus.regs + reg) & bit ? -EIO : 0;
}

/* --- registers -------------------------------------------------------- */

static ssize_t id_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct edu *edu = dev_get_drvdata(dev);

    return sysfs_emit(text, "0x%08x\n", readl(edu->bus.regs + EDU_ID));
}
static DEVICE_ATTR_RO(id);

static ssize_t liveness_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct edu *edu = dev_get_drvdata(dev);

    return sysfs_emit(text, "0x%08x\n", readl(edu->bus.regs + EDU_LIVENESS));
}

static ssize_t liveness_store(struct device *dev, struct device_attribute *attr, const char *text,
                              size_t len)
{
    struct edu *edu = dev_get_drvdata(dev);
    u32 value;

    if (kstrtou32(text, 0, &value) != 0)
        return -EINVAL;
    writel(value, edu->bus.regs + EDU_LIVENESS);
    return len;
}
static DEVICE_ATTR_RW(liveness);

static ssize_t factorial_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct edu *edu = dev_get_drvdata(dev);

    return sysfs_emit(text, "%u\n", readl(edu->bus.regs + EDU_FACTORIAL));
}

static ssize_t factorial_store(struct device *dev, struct device_attribute *attr, const char *text,
                               size_t len)
{
    struct edu *edu = dev_get_drvdata(dev);
    int error = -EBUSY;
    u32 n;

    if (kstrtou32(text, 0, &n) != 0)
        return -EINVAL;
    mutex_lock(&edu->lock);
    if (!(readl(edu->bus.regs + EDU_STATUS) & EDU_COMPUTING)) {
        bus_forget(&edu->bus, EDU_REASON_FACTORIAL);
        writel(edu->bus.irq_mode != NULL ? EDU_IRQ_AFTER : 0, edu->bus.regs + EDU_STATUS);
        writel(n, edu->bus.regs + EDU_FACTORIAL);
        error = edu_wait(edu, EDU_REASON_FACTORIAL, EDU_STATUS, EDU_COMPUTING);
    }
    mutex_unlock(&edu->lock);
    return error != 0 ? error : len;
}
static DEVICE_ATTR_RW(factorial);

/* --- interrupts ------------------------------------------------------- */

static ssize_t irq_raise_store(struct device *dev, struct device_attribute *attr, const char *text,
                               size_t len)
{
    struct edu *edu = dev_get_drvdata(dev);
    u32 reasons;
    int error;

    if (kstrtou32(text, 0, &reasons) != 0)
        return -EINVAL;
    if (edu->bus.irq_mode == NULL)
        return -EOPNOTSUPP;
    mutex_lock(&edu->lock);
    bus_forget(&edu->bus, reasons);
    writel(reasons, edu->bus.regs + EDU_IRQ_RAISE);
    error = bus_wait(&edu->bus, reasons, EDU_TIMEOUT);
    mutex_unlock(&edu->lock);
    return error != 0 ? error : len;
}
static DEVICE_ATTR_WO(irq_raise);

/* --- DMA -------------------------------------------------------------- */

static int edu_transfer(struct edu *edu, u64 src, u64 dst, u64 count, u32 direction)
{
    u32 command = EDU_DMA_RUN | direction;

    if (edu->bus.irq_mode != NULL)
        command |= EDU_DMA_IRQ;
    bus_forget(&edu->bus, EDU_REASON_DMA);
    writeq(src, edu->bus.regs + EDU_DMA_SRC);
    writeq(dst, edu->bus.regs + EDU_DMA_DST);
    writeq(count, edu->bus.regs + EDU_DMA_COUNT);
    writel(command, edu->bus.regs + EDU_DMA_CMD);
    return edu_wait(edu, EDU_REASON_DMA, EDU_DMA_CMD, EDU_DMA_RUN);
}

/*
 * size bytes to the device's buffer and back to another place. While size goes from 1 to 4096, the
 * offset in the device's buffer and both offsets in a page of memory take every value too.
 */
static int edu_round_trip(struct edu *edu, unsigned int size)
{
    unsigned int from = size - 1;
    unsigned int device = buffer - size;
    unsigned int to = size * 7 % EDU_BUFFER_SIZE; /* 7 and 4096 have no common divisor */
    unsigned int i;
    int error;

    for (i = 0; i < size; i++)
        edu->out[from + i] = (u8)(i * 31 + size + (size >> 8));
    memset(edu->in, EDU_UNTOLD, EDU_AREA);
    error = edu_transfer(edu, edu->out_bus + from, EDU_BUFFER + device, size, 0);
    if (error == 0)
        error = edu_transfer(edu, EDU_BUFFER + device, edu->in_bus + to, size, EDU_DMA_FROM_DEVICE);
    if (error != 0) {
        dev_err(edu->bus.dev, "DMA of %u bytes: no end (%d)\n", size, error);
        return error;
    }
    if (memcmp(edu->out + from, edu->in + to, size) != 0 ||
        memchr_inv(edu->in, EDU_UNTOLD, to) != NULL ||
        memchr_inv(edu->in + to + size, EDU_UNTOLD, EDU_AREA - to - size) != NULL) {
        dev_err(edu->bus.dev, "DMA of %u bytes: not the bytes that were sent\n", size);
        return -EIO;
    }
    return 0;
}

static ssize_t dma_test_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct edu *edu = dev_get_drvdata(dev);

    return sysfs_emit(text, "%u\n", edu->right);
}

static ssize_t dma_test_store(struct device *dev, struct device_attribute *attr, const char *text,
                              size_t len)
{
    struct edu *edu = dev_get_drvdata(dev);
    unsigned int size, last;
    int error = 0;

    if (sscanf(text, "%u %u", &size, &last) != 2 || size == 0 ||
        last > min(buffer, EDU_BUFFER_SIZE))
        return -EINVAL;
    mutex_lock(&edu->lock);
    for (edu->right = 0; size <= last && error == 0; size++) {
        error = edu_round_trip(edu, size);
        if (error == 0)
            edu->right++;
    }
    mutex_unlock(&edu->lock);
    return error != 0 ? error : len;
}
static DEVICE_ATTR_RW(dma_test);

static struct attribute *edu_attrs[] = {
    &dev_attr_id.attr,        &dev_attr_liveness.attr,
    &dev_attr_factorial.attr, &dev_attr_irq_mode.attr,
    &dev_attr_irq_raise.attr, &dev_attr_irq_count.attr,
    &dev_attr_dma_test.attr,  NULL,
};
ATTRIBUTE_GROUPS(edu);

/* --- life ------------------------------------------------------------- */

/* A transfer that nobody waits for any more must end before others have its memory. */
static void edu_quiesce(struct edu *edu)
{
    u32 command;

    readl_poll_timeout(edu->bus.regs + EDU_DMA_CMD, command, !(command & EDU_DMA_RUN), 20,
                       EDU_TIMEOUT * 1000);
    writel(0, edu->bus.regs + EDU_STATUS);
    writel(U32_MAX, edu->bus.regs + EDU_IRQ_ACK);
}

static int edu_setup(const struct bus *bus)
{
    struct edu *edu = devm_kzalloc(bus->dev, sizeof(*edu), GFP_KERNEL);
    int error;

    if (edu == NULL)
        return -ENOMEM;
    edu->bus = *bus;
    mutex_init(&edu->lock);
    if (readl(bus->regs + EDU_ID) != EDU_ID_VALUE)
        return dev_err_probe(bus->dev, -ENODEV, "no edu: its ID is 0x%08x\n",
                             readl(bus->regs + EDU_ID));
    error = dma_set_mask_and_coherent(bus->dev, DMA_BIT_MASK(dma_bits));
    if (error != 0)
        return dev_err_probe(bus->dev, error, "no DMA to %u bits of addresses\n", dma_bits);
    edu->out = dmam_alloc_coherent(bus->dev, EDU_AREA, &edu->out_bus, GFP_KERNEL);
    edu->in = dmam_alloc_coherent(bus->dev, EDU_AREA, &edu->in_bus, GFP_KERNEL);
    if (edu->out == NULL || edu->in == NULL)
        return -ENOMEM;

    dev_set_drvdata(bus->dev, edu);
    edu_quiesce(edu); /* whatever the last driver left */
    return bus_request_irq(&edu->bus, edu_interrupt);
}

static int edu_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
    struct bus bus;
    int error = bus_get_pci(pdev, irq, &bus);

    return error != 0 ? error : edu_setup(&bus);
}

static void edu_pci_remove(struct pci_dev *pdev)
{
    edu_quiesce(pci_get_drvdata(pdev));
    pci_clear_master(pdev);
}

static const struct pci_device_id edu_pci_ids[] = {{PCI_DEVICE(0x1234, 0x11e8)}, {0}};
MODULE_DEVICE_TABLE(pci, edu_pci_ids);

static struct pci_driver edu_pci_driver = {
    .name = KBUILD_MODNAME,
    .id_table = edu_pci_ids,
    .probe = edu_pci_probe,
    .remove = edu_pci_remove,
    .dev_groups = edu_groups,
};

static int edu_platform_probe(struct platform_device *pdev)
{
    struct bus bus;
    int error = bus_get_platform(pdev, irq, &bus);

    return error != 0 ? error : edu_setup(&bus);
}

static int edu_platform_remove(struct platform_device *pdev)
{
    edu_quiesce(platform_get_drvdata(pdev));
    return 0;
}

/* ACPI's PRP0001 gives a compatible string as well. */
static const struct of_device_id edu_of_ids[] = {{.compatible = "vmm,edu"}, {}};
MODULE_DEVICE_TABLE(of, edu_of_ids);

static struct platform_driver edu_platform_driver = {
    .driver = {.name = KBUILD_MODNAME, .of_match_table = edu_of_ids, .dev_groups = edu_groups},
    .probe = edu_platform_probe,
    .remove = edu_platform_remove,
};

static int __init edu_init(void)
{
    int error = pci_register_driver(&edu_pci_driver);

    if (error != 0)
        return error;
    error = platform_driver_register(&edu_platform_driver);
    if (error != 0)
        pci_unregister_driver(&edu_pci_driver);
    return error;
}
module_init(edu_init);

static void __exit edu_exit(void)
{
    platform_driver_unregister(&edu_platform_driver);
    pci_unregister_driver(&edu_pci_driver);
}
module_exit(edu_exit);

MODULE_DESCRIPTION("Driver for edu, the educational device");
MODULE_AUTHOR("The vmm authors");
MODULE_LICENSE("Dual MIT/GPL");
