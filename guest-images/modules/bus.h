/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What the drivers of this folder share: how they get at their registers and their interrupt, on
 * PCI and as a platform device, how they wait for it, and the sysfs files irq_mode and irq_count.
 * All of it is undone by the core when a driver leaves its device (devm, pcim).
 *
 * Locking: none. The interrupt handler hands events over in an atomic and wakes the one that waits;
 * the driver sees to it that only one does.
 */
#ifndef BUS_H
#define BUS_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/wait.h>

/* The first member of a driver's state, which is the device's driver data. */
struct bus {
    struct device *dev;
    void __iomem *regs;
    u64 address; /* of the registers, on the bus */
    int irq;
    const char *irq_mode; /* msi, intx, line; NULL: the driver polls */
    wait_queue_head_t wait;
    atomic_t events; /* that the handler saw and nobody has waited for; the driver's bits */
    atomic_t irq_count;
};

/* BAR 0, and the interrupt of the kind wanted: auto, msi, intx or none. */
static inline int bus_get_pci(struct pci_dev *pdev, const char *wanted, struct bus *b)
{
    unsigned int kinds = PCI_IRQ_MSI | PCI_IRQ_LEGACY;
    int error = pcim_enable_device(pdev);

    if (error == 0)
        error = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
    if (error != 0)
        return dev_err_probe(&pdev->dev, error, "no BAR 0\n");
    *b = (struct bus){&pdev->dev, pcim_iomap_table(pdev)[0], pci_resource_start(pdev, 0)};
    pci_set_master(pdev);

    if (strcmp(wanted, "none") == 0)
        return 0;
    if (strcmp(wanted, "msi") == 0)
        kinds = PCI_IRQ_MSI;
    else if (strcmp(wanted, "intx") == 0)
        kinds = PCI_IRQ_LEGACY;
    error = pci_alloc_irq_vectors(pdev, 1, 1, kinds);
    if (error < 0)
        return dev_err_probe(&pdev->dev, error, "no interrupt of kind %s\n", wanted);
    b->irq = pci_irq_vector(pdev, 0);
    b->irq_mode = pdev->msi_enabled ? "msi" : "intx";
    return 0;
}

/* The device's first resource and its only interrupt, unless wanted is none. */
static inline int bus_get_platform(struct platform_device *pdev, const char *wanted, struct bus *b)
{
    struct resource *resource;

    *b = (struct bus){.dev = &pdev->dev};
    b->regs = devm_platform_get_and_ioremap_resource(pdev, 0, &resource);
    if (IS_ERR(b->regs))
        return PTR_ERR(b->regs);
    b->address = resource->start;
    if (strcmp(wanted, "none") == 0)
        return 0;
    b->irq = platform_get_irq(pdev, 0);
    b->irq_mode = "line";
    return b->irq < 0 ? b->irq : 0;
}

/* Wait for events with this handler, where the driver does not poll. opaque: the driver's state. */
static inline int bus_request_irq(struct bus *b, irq_handler_t handler)
{
    int error;

    init_waitqueue_head(&b->wait);
    if (b->irq_mode == NULL)
        return 0;
    error = devm_request_irq(b->dev, b->irq, handler, IRQF_SHARED, dev_name(b->dev), b);
    return error != 0 ? dev_err_probe(b->dev, error, "no interrupt %d\n", b->irq) : 0;
}

/* From the handler: an interrupt of the device's brought these events. */
static inline irqreturn_t bus_events(struct bus *b, u32 events)
{
    atomic_inc(&b->irq_count);
    atomic_or(events, &b->events);
    wake_up(&b->wait);
    return IRQ_HANDLED;
}

/* Before what will cause the events: older ones do not count. */
static inline void bus_forget(struct bus *b, u32 events)
{
    atomic_andnot(events, &b->events);
}

/* Wait until all of the events came. -ETIMEDOUT: they did not. */
static inline int bus_wait(struct bus *b, u32 events, unsigned int milliseconds)
{
    bool came = wait_event_timeout(b->wait, (atomic_read(&b->events) & events) == events,
                                   msecs_to_jiffies(milliseconds)) > 0;

    return came ? 0 : -ETIMEDOUT;
}

static ssize_t irq_mode_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct bus *b = dev_get_drvdata(dev);

    return sysfs_emit(text, "%s\n", b->irq_mode != NULL ? b->irq_mode : "none");
}
static DEVICE_ATTR_RO(irq_mode);

static ssize_t irq_count_show(struct device *dev, struct device_attribute *attr, char *text)
{
    struct bus *b = dev_get_drvdata(dev);

    return sysfs_emit(text, "%d\n", atomic_read(&b->irq_count));
}
static DEVICE_ATTR_RO(irq_count);

#endif
