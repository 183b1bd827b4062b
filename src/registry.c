/*
 * The list of all device classes, in the order `--device help` shows them.
 * An explicit list: what is registered does not depend on link order. X(uart16550)
 * stands for uart16550_class, defined in the device's file.
 */
#include "src/device.h"

#define DEVICE_CLASSES(X)                                                                          \
    X(uart16550)                                                                                   \
    X(rtc_cmos)                                                                                    \
    X(i8042)                                                                                       \
    X(acpi_pm)                                                                                     \
    X(acpi_fixed)                                                                                  \
    X(pc_ports)                                                                                    \
    X(pl011)                                                                                       \
    X(pl031)                                                                                       \
    X(pci_host)                                                                                    \
    X(pci_ports)                                                                                   \
    X(debug_exit)                                                                                  \
    X(pc_testdev)                                                                                  \
    X(pci_testdev)                                                                                 \
    X(hyperv_testdev)                                                                              \
    X(fw_cfg)                                                                                      \
    X(snapshot_ready)                                                                              \
    X(vmgenid)                                                                                     \
    X(pvpanic)                                                                                     \
    X(virtio_blk)                                                                                  \
    X(edu)                                                                                         \
    X(dma_engine)

#define DECLARE(name) extern const struct device_class name##_class;
DEVICE_CLASSES(DECLARE)

#define LIST(name) &name##_class,
const struct device_class *const device_classes[] = {DEVICE_CLASSES(LIST) NULL};
