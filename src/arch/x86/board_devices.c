/*
 * The devices of the `pc` machine: those that are built in, and where the others
 * are plugged in. What a guest must be told of them goes into the inventory.
 *
 * Locking: main thread, while no vCPU runs.
 */
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

static int refuse(struct device *d, const char *why, const char *hint, struct err *e)
{
    err_set(e, EINVAL, "device '%s' %s", d->cls->name, why);
    err_hint(e, "%s", hint);
    err_status(e, EXIT_USAGE);
    return -EINVAL;
}

static int plug_platform(struct machine *m, struct device *d, struct err *e)
{
    static const uint8_t gsis[] = PC_GSI_PLATFORM;
    struct pc_inventory *has = &m->board->has;
    const unsigned slot = has->platform_count;
    struct pc_platform *p;

    if (d->cls->compatible == NULL) {
        return refuse(d, "is no platform device", "bus=pci takes it", e);
    }
    if (d->place.addr != 0) {
        return refuse(d, "has addr=, a slot on the PCI bus, but is not on that bus",
                      "leave addr= out, or take bus=pci if the device has it", e);
    }
    if (slot == PC_PLATFORM_SLOTS) {
        return refuse(d, "finds all slots for platform devices taken",
                      "this machine has 8; bus=pci has more", e);
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

int board_place(struct machine *m, struct device *d, struct err *e)
{
    if (d->cls->virtio) {
        return place_virtio(m, d, e);
    }
    return d->cls->compatible != NULL ? plug_platform(m, d, e) : 0;
}
