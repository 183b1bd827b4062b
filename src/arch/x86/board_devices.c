/*
 * The devices of the `pc` machine: those that are built in, and where the others
 * are plugged in. What a guest must be told of them goes into the inventory.
 *
 * Locking: main thread, while no vCPU runs.
 */
#include "devices/acpi_fixed.h"
#include "devices/pci.h"
#include "devices/platform.h"
#include "devices/rtc_cmos.h"
#include "src/arch/x86/bios.h"
#include "src/arch/x86/mptable.h"
#include "src/arch/x86/pc.h"
#include "src/vm.h"

#include <errno.h>
#include <string.h>

/* --- built-in devices ---------------------------------------------------- */

/* The ports are there without a bridge too: one of them resets the machine. */
static int add_pci(struct machine *m, struct err *e)
{
    struct board *b = m->board;
    struct device *ports = machine_add_device(m, "pci-ports", NULL, e);
    const struct pci_windows windows = {
        .ecam = PC_ECAM_GPA,
        .io = PC_PCI_IO_BASE,
        .io_size = PC_PCI_IO_SIZE,
        .mem32 = PC_PCI_MEM32_GPA,
        .mem32_size = PC_PCI_MEM32_SIZE,
        .mem64 = b->has.pci_mem64,
        .mem64_size = b->has.pci_mem64 != 0 ? PC_PCI_MEM64_SIZE : 0,
        .intx_gsi = PC_GSI_INTX,
    };

    if (ports == NULL || !m->config->pci) {
        return ports != NULL ? 0 : -EINVAL;
    }
    b->pci_host = plug_pci_host(m, &windows, e);
    if (b->pci_host == NULL) {
        return -EINVAL;
    }
    pci_ports_connect(ports, b->pci_host);
    return 0;
}

/* The RTC's alarm wakes it. */
static int add_fixed_hardware(struct machine *m, struct err *e)
{
    struct device *fixed = machine_add_device(m, "acpi-fixed", NULL, e);
    struct device *rtc = m->devices;

    while (rtc != NULL && strcmp(rtc->cls->name, "rtc-cmos") != 0) {
        rtc = rtc->next;
    }
    if (fixed != NULL && rtc != NULL) {
        rtc_cmos_on_alarm(rtc, acpi_fixed_alarm(fixed));
    }
    return fixed != NULL ? 0 : -EINVAL;
}

/* What kvm-unit-tests finds on a PC of QEMU's that was started for it. */
static int add_test_devices(struct machine *m, struct err *e)
{
    static const char *const devices[] = {"pc-testdev", "debug-exit,iobase=0xf4,iosize=4",
                                          "fw-cfg"};

    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        if (machine_add_device(m, devices[i], NULL, e) == NULL) {
            return -EINVAL;
        }
    }
    return m->config->pci && machine_add_device(m, "pci-testdev", NULL, e) == NULL ? -EINVAL : 0;
}

/* COM2, which is Linux's ttyS1. */
static int add_channel(struct machine *m, struct err *e)
{
    char text[64];

    snprintf(text, sizeof(text), "uart16550,iobase=%d,irq=%d,channel=on", PC_PORT_COM2,
             PC_GSI_COM2);
    return machine_add_device(m, text, NULL, e) != NULL ? 0 : -EINVAL;
}

int board_add_devices(struct machine *m, struct err *e)
{
    static const char *const built_in[] = {"uart16550", "rtc-cmos", "i8042",
                                           "pc-ports",  "acpi-pm",  "pvpanic"};
    int ret = 0;

    for (size_t i = 0; i < ARRAY_LEN(built_in) && ret == 0; i++) {
        if (machine_add_device(m, built_in[i], NULL, e) == NULL) {
            ret = -EINVAL;
        }
    }
    if (ret == 0 && m->board->has.com2) {
        ret = add_channel(m, e);
    }
    if (ret == 0) {
        ret = add_pci(m, e);
    }
    if (ret == 0 && m->board->has.pm) {
        ret = add_fixed_hardware(m, e);
    }
    if (ret == 0 && m->config->testdev) {
        ret = add_test_devices(m, e);
    }
    return ret == 0 ? plug_disks(m, e) : ret;
}

/* --- virtio transports ------------------------------------------------------ */

/* They take the slots in order, so that the first disk is vda. */
static int place_virtio(struct machine *m, struct device *d, struct err *e)
{
    struct pc_inventory *has = &m->board->has;
    const unsigned slot = has->virtio_count;
    struct pc_virtio *v;
    int ret;

    if (slot == PC_VIRTIO_SLOTS) {
        return err_set(e, ENOSPC, "there are only %d virtio slots", PC_VIRTIO_SLOTS);
    }
    v = &has->virtio[slot];
    v->slot = slot;
    v->gpa = (uint32_t)(PC_VIRTIO_GPA + slot * PC_VIRTIO_STRIDE);
    v->gsi = m->config->acpi ? PC_GSI_VIRTIO + slot % PC_GSI_VIRTIO_PINS : mptable_virtio_irq(slot);
    ret = plug_virtio(d, v->gpa, v->gsi, e);
    if (ret == 0) {
        has->virtio_count++;
    }
    return ret;
}

/* --- devices of a bus --------------------------------------------------------- */

static int place_pci(struct machine *m, struct device *d, struct err *e)
{
    struct board *b = m->board;
    const int ret = plug_pci(b->pci_host, d, e);
    const int gsi = ret == 0 ? pci_intx_gsi(d) : -1;

    if (gsi >= 0) {
        b->has.intx[b->has.intx_count++] = (struct pc_intx){pci_slot(d), (uint32_t)gsi};
    }
    return ret;
}

static int place_platform(struct machine *m, struct device *d, struct err *e)
{
    static const uint8_t gsis[] = PC_GSI_PLATFORM;
    static const struct plug_slots slots = {PC_PLATFORM_GPA, PC_PLATFORM_STRIDE, PC_PLATFORM_SLOTS};
    struct pc_inventory *has = &m->board->has;
    const unsigned n = has->platform_count;
    const unsigned gsi = gsis[n % ARRAY_LEN(gsis)];
    const int ret = plug_mmio(d, &slots, n, gsi, e);

    if (ret == 0) {
        has->platform[has->platform_count++] = (struct pc_platform){
            .compatible = d->cls->compatible,
            .gpa = (uint32_t)platform_gpa(d),
            .size = (uint32_t)d->cls->blocks[0].size,
            .gsi = gsi,
        };
    }
    return ret;
}

int board_place(struct machine *m, struct device *d, struct err *e)
{
    static const struct plug_buses buses = {
        .pci = place_pci,
        .mmio = place_platform,
        .virtio = place_virtio,
        .isa = true,
    };

    return plug_device(m, d, &buses, e);
}

int board_assign(struct machine *m, struct err *e)
{
    struct device *host = m->board->pci_host;
    int ret = host != NULL ? pci_assign(host, e) : 0;

    if (ret == 0 && m->config->testdev && m->vm != NULL) {
        ret = bios_start_timer(&m->vm->kvm, e);
    }
    return ret;
}
