/*
 * The devices of the `pc` machine: those that are built in, and where the others
 * are plugged in. What a guest must be told of them goes into the inventory.
 *
 * Locking: main thread, while no vCPU runs.
 */
#include "devices/pci.h"
#include "devices/platform.h"
#include "src/arch/x86/mptable.h"
#include "src/arch/x86/pc.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- built-in devices ---------------------------------------------------- */

static int add_disk(struct machine *m, const char *text, struct err *e)
{
    char *device;
    int ret = 0;

    if (asprintf(&device, "virtio-blk,file=%s", text) < 0) {
        return err_set(e, ENOMEM, "out of memory");
    }
    if (machine_add_device(m, device, NULL, e) == NULL) {
        err_prefix(e, "--disk %s", text);
        ret = -EINVAL;
    }
    free(device);
    return ret;
}

/* The ports are there without a bridge too: one of them resets the machine. */
static int add_pci(struct machine *m, struct err *e)
{
    struct board *b = m->board;
    struct device *ports = machine_add_device(m, "pci-ports", NULL, e);
    char text[256];

    if (ports == NULL || !m->config->pci) {
        return ports != NULL ? 0 : -EINVAL;
    }
    snprintf(text, sizeof(text),
             "pci-host,ecam=%llu,io=%u,io_size=%u,mem32=%llu,mem32_size=%llu,mem64=%" PRIu64
             ",mem64_size=%llu,intx_gsi=%u",
             PC_ECAM_GPA, PC_PCI_IO_BASE, PC_PCI_IO_SIZE, PC_PCI_MEM32_GPA, PC_PCI_MEM32_SIZE,
             b->has.pci_mem64, b->has.pci_mem64 != 0 ? PC_PCI_MEM64_SIZE : 0, PC_GSI_INTX);
    b->pci_host = machine_add_device(m, text, NULL, e);
    if (b->pci_host == NULL) {
        return -EINVAL;
    }
    pci_ports_connect(ports, b->pci_host);
    return 0;
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
    if (ret == 0) {
        ret = add_pci(m, e);
    }
    for (size_t i = 0; i < m->config->disks.count && ret == 0; i++) {
        ret = add_disk(m, m->config->disks.items[i], e);
    }
    return ret;
}

/* --- virtio transports ------------------------------------------------------ */

static int set_number(struct device *d, const char *prop, uint32_t value, struct err *e)
{
    char text[16];

    snprintf(text, sizeof(text), "0x%" PRIx32, value);
    return device_set(d, prop, text, e);
}

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
    ret = set_number(d, "addr", v->gpa, e);
    if (ret == 0) {
        ret = set_number(d, "gsi", v->gsi, e);
    }
    if (ret == 0) {
        has->virtio_count++;
    }
    return ret;
}

/* --- devices of a bus --------------------------------------------------------- */

static int refuse(const struct device *d, const char *why, const char *hint, struct err *e)
{
    int ret = err_set(e, EINVAL, "device '%s' %s", d->cls->name, why);
    err_hint(e, "%s", hint);
    err_status(e, EXIT_USAGE);
    return ret;
}

static int plug_pci(struct machine *m, struct device *d, struct err *e)
{
    struct board *b = m->board;
    int ret, gsi;

    if (b->pci_host == NULL) {
        return refuse(d, "is a PCI device and this machine has no PCI (pci=off)",
                      d->cls->compatible != NULL ? "bus=mmio puts it into the memory map"
                                                 : "leave pci=off out",
                      e);
    }
    ret = pci_plug(b->pci_host, d, e);
    gsi = ret == 0 ? pci_intx_gsi(d) : -1;
    if (gsi >= 0) {
        b->has.intx[b->has.intx_count++] = (struct pc_intx){pci_slot(d), (uint32_t)gsi};
    }
    return ret;
}

static int plug_platform(struct machine *m, struct device *d, struct err *e)
{
    static const uint8_t gsis[] = PC_GSI_PLATFORM;
    struct pc_inventory *has = &m->board->has;
    const unsigned slot = has->platform_count;
    struct pc_platform *p;

    if (d->place.addr != 0) {
        return refuse(d, "has addr=, which is a PCI slot, and is in the memory map (mmio)",
                      "leave addr= out: the machine chooses the address", e);
    }
    if (slot == PC_PLATFORM_SLOTS) {
        return refuse(d, "finds no place, all those for platform devices are taken",
                      "give the guest fewer, or some with bus=pci", e);
    }
    assert(d->cls->blocks[0].size <= PC_PLATFORM_STRIDE);
    p = &has->platform[slot];
    p->compatible = d->cls->compatible;
    p->gpa = (uint32_t)(PC_PLATFORM_GPA + slot * PC_PLATFORM_STRIDE);
    p->size = (uint32_t)d->cls->blocks[0].size;
    p->gsi = gsis[slot % ARRAY_LEN(gsis)];
    has->platform_count++;
    return platform_plug(d, p->gpa, p->gsi, e);
}

/* On the bus the user names, else at ports or on PCI if the class can be there. */
static int plug(struct machine *m, struct device *d, struct err *e)
{
    const bool pci = d->cls->pci != NULL, platform = d->cls->compatible != NULL;
    const char *bus = d->place.bus;

    if (bus == NULL) {
        bus = d->cls->isa ? "isa" : pci ? "pci" : "mmio";
    }
    if (d->cls->isa && strcmp(bus, "isa") == 0) {
        return 0;
    }
    if (pci && strcmp(bus, "pci") == 0) {
        return plug_pci(m, d, e);
    }
    if (platform && strcmp(bus, "mmio") == 0) {
        return plug_platform(m, d, e);
    }
    char why[64];
    snprintf(why, sizeof(why), "is not for a bus '%.20s'", bus);
    return refuse(d, why,
                  d->cls->isa       ? "bus=isa or bus=mmio"
                  : pci && platform ? "bus=pci or bus=mmio"
                  : pci             ? "bus=pci"
                                    : "bus=mmio",
                  e);
}

int board_place(struct machine *m, struct device *d, struct err *e)
{
    if (d->cls->virtio) {
        return place_virtio(m, d, e);
    }
    return d->cls->pci != NULL || d->cls->compatible != NULL ? plug(m, d, e) : 0;
}

int board_assign(struct machine *m, struct err *e)
{
    struct device *host = m->board->pci_host;

    return host != NULL ? pci_assign(host, e) : 0;
}
