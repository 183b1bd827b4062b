/*
 * pci-host: the bridge between the machine and its one PCI bus, and itself the
 * function 00:00.0 on it.
 *
 * It shows the configuration space of all functions at a place in memory (ECAM:
 * 4 KiB each, of which conventional functions have 256 bytes), and has windows in
 * memory and ports where BARs can be. A window lies below all else (priority -1)
 * and a BAR is decoded only wholly inside one, so that no BAR can cover RAM, ECAM
 * or an interrupt controller. Functions have number 0 only; what is not there
 * reads all ones. INTA of slot n reaches line n % 4, which its slots share.
 *
 * Source: PCI Local Bus Specification 3.0, PCI Express Base Specification 3.0,
 * section 7.2.2 (ECAM). Ids are those of QEMU's generic host bridge.
 *
 * Locking: a configuration access takes the lock of the function it is for; slots,
 * windows and lines do not change while vCPUs run, so ECAM needs no lock itself.
 */
#include "devices/pci_function.h"
#include "src/base/range.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ECAM_SIZE (PCI_SLOTS << 15)
#define PORTS     0x10000

enum {
    WINDOW_IO,
    WINDOW_MEM32,
    WINDOW_MEM64,
    WINDOWS,
};

struct pin {
    bool taken;
    struct irq_or line;
};

struct pci_host {
    struct device dev;
    uint64_t ecam;
    uint32_t io, io_size;
    uint64_t io_gpa;
    uint64_t mem32, mem32_size;
    uint64_t mem64, mem64_size;
    uint32_t intx_gsi;
    struct pci_function self;
    struct pci_function *functions[PCI_SLOTS];
    struct region windows[WINDOWS]; /* without a parent: there is no such window */
    struct region ecam_region;
    struct region ports; /* where io_gpa is set: what holds the I/O window */
    struct pin pins[PCI_PINS];
};

static const struct pci_info bridge_info = {
    .vendor = 0x1b36,
    .device = 0x0008,
    .class_code = 0x060000,
};

/* --- slots --------------------------------------------------------------- */

struct pci_function *pci_host_function(const struct pci_host *h, unsigned slot)
{
    return h->functions[slot];
}

const struct device *pci_host_device(const struct pci_host *h)
{
    return &h->dev;
}

unsigned pci_host_gsi(const struct pci_host *h, unsigned slot)
{
    return h->intx_gsi + slot % PCI_PINS;
}

static unsigned first_free_slot(const struct pci_host *h)
{
    unsigned slot = 0;
    while (slot < PCI_SLOTS && h->functions[slot] != NULL) {
        slot++;
    }
    return slot;
}

/* The slot for a device that asks for `wanted`, or -errno. */
static int choose_slot(const struct pci_host *h, const char *id, unsigned wanted, struct err *e)
{
    const unsigned free_slot = first_free_slot(h);
    int ret;

    if (free_slot == PCI_SLOTS) {
        ret = err_set(e, ENOSPC, "no PCI slot for %s, all %d are taken", id, PCI_SLOTS - 1);
        err_hint(e, "leave a device out, or give one bus=mmio if it can");
    } else if (wanted != 0 && h->functions[wanted] != NULL) {
        ret = err_set(e, EBUSY, "PCI slot %u for %s is taken by %s", wanted, id,
                      h->functions[wanted]->dev->id);
        err_hint(e, "addr=%u is free; without addr= it gets a free one", free_slot);
    } else {
        return (int)(wanted != 0 ? wanted : free_slot);
    }
    err_status(e, EXIT_USAGE);
    return ret;
}

static int wire_pin(struct pci_host *h, struct pci_function *f, struct err *e)
{
    const struct device_env *env = h->dev.env;
    struct pin *pin = &h->pins[f->slot % PCI_PINS];
    struct irq line;

    if (!pin->taken) {
        int ret = env->irq_level_get(env->opaque, pci_host_gsi(h, f->slot), &line, e);
        if (ret < 0) {
            return ret;
        }
        irq_or_init(&pin->line, line);
        pin->taken = true;
    }
    f->intx = irq_or_source(&pin->line, f->slot);
    return 0;
}

int pci_host_plug(struct pci_host *h, struct pci_function *f, unsigned wanted, struct err *e)
{
    assert(wanted < PCI_SLOTS);
    int slot = choose_slot(h, f->dev->id, wanted, e);
    int ret = 0;

    if (slot < 0) {
        return slot;
    }
    f->host = h;
    f->slot = (unsigned)slot;
    if (f->config[PCI_INTERRUPT_PIN] != 0) {
        ret = wire_pin(h, f, e);
    }
    if (ret == 0) {
        h->functions[slot] = f;
    }
    return ret;
}

void pci_host_unplug(struct pci_function *f)
{
    f->host->functions[f->slot] = NULL;
}

/* --- configuration accesses ------------------------------------------------ */

static struct pci_function *find(const struct pci_host *h, unsigned slot, unsigned function,
                                 unsigned reg)
{
    return function == 0 && reg < PCI_CONFIG_SIZE ? h->functions[slot] : NULL;
}

uint32_t pci_host_read(struct pci_host *h, unsigned slot, unsigned function, unsigned reg,
                       unsigned size)
{
    struct pci_function *f = find(h, slot, function, reg);
    uint32_t value;

    if (f == NULL) {
        return UINT32_MAX;
    }
    device_lock(f->dev);
    value = pci_config_read(f, reg, size);
    device_unlock(f->dev);
    return value;
}

void pci_host_write(struct pci_host *h, unsigned slot, unsigned function, unsigned reg,
                    uint32_t value, unsigned size)
{
    struct pci_function *f = find(h, slot, function, reg);

    if (f != NULL) {
        device_lock(f->dev);
        pci_config_write(f, reg, value, size);
        device_unlock(f->dev);
    }
}

static bool ecam_accepts(struct pci_host *h, uint64_t offset, unsigned size)
{
    const bool fits = size <= 4 && offset % size == 0;
    if (!fits) {
        guest_error(&h->dev.guest_errors,
                    "%s: a configuration access of %u bytes at 0x%" PRIx64
                    " is too wide or misaligned",
                    h->dev.id, size, offset);
    }
    return fits;
}

static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned size)
{
    struct pci_host *h = opaque;

    if (!ecam_accepts(h, offset, size)) {
        return UINT64_MAX;
    }
    return pci_host_read(h, offset >> 15 & 0x1f, offset >> 12 & 7, offset & 0xfff, size);
}

static void ecam_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct pci_host *h = opaque;

    if (ecam_accepts(h, offset, size)) {
        pci_host_write(h, offset >> 15 & 0x1f, offset >> 12 & 7, offset & 0xfff, (uint32_t)value,
                       size);
    }
}

/* All sizes and alignments come through whole: ecam_accepts() judges them. */
static const struct region_ops ecam_ops = {
    .read = ecam_read,
    .write = ecam_write,
    .guest = {.min = 1, .max = 8, .unaligned = true},
    .impl = {.min = 1, .max = 8, .unaligned = true},
    .endian = ENDIAN_LITTLE,
};

/* --- windows --------------------------------------------------------------- */

static struct range window_range(const struct region *w)
{
    return (struct range){w->offset, w->offset + w->last};
}

static bool window_holds(const struct region *w, uint64_t address, uint64_t size)
{
    return w->parent != NULL && range_contains_len(window_range(w), address, size);
}

struct region *pci_host_window(struct pci_host *h, enum pci_bar_kind kind, uint64_t address,
                               uint64_t size)
{
    const unsigned first = kind == PCI_BAR_IO ? WINDOW_IO : WINDOW_MEM32;
    const unsigned last = kind == PCI_BAR_IO      ? WINDOW_IO
                          : kind == PCI_BAR_MEM64 ? WINDOW_MEM64
                                                  : WINDOW_MEM32;
    for (unsigned i = first; i <= last; i++) {
        if (window_holds(&h->windows[i], address, size)) {
            return &h->windows[i];
        }
    }
    return NULL;
}

static int add_window(struct pci_host *h, unsigned i, struct region *root, uint64_t base,
                      uint64_t size, struct err *e)
{
    static const char *const names[WINDOWS] = {"pci.io", "pci.mem32", "pci.mem64"};
    int ret;

    if (size == 0) {
        return 0;
    }
    region_init_container(&h->windows[i], h->dev.env->topo, names[i], size);
    ret = region_add(root, base, &h->windows[i], -1);
    return ret < 0 ? err_set(e, -ret, "cannot map the window %s: %s", names[i], strerror(-ret)) : 0;
}

struct region *pci_host_firmware_window(struct pci_host *h, enum pci_bar_kind kind)
{
    unsigned i = kind == PCI_BAR_IO ? WINDOW_IO : WINDOW_MEM32;

    if (kind == PCI_BAR_MEM64 && h->windows[WINDOW_MEM64].parent != NULL) {
        i = WINDOW_MEM64;
    }
    return h->windows[i].parent != NULL ? &h->windows[i] : NULL;
}

/* --- the device ---------------------------------------------------------------- */

static void remove_regions(struct pci_host *h)
{
    for (unsigned i = 0; i < WINDOWS; i++) {
        if (h->windows[i].topo != NULL) {
            region_fini(&h->windows[i]);
        }
    }
    if (h->ports.topo != NULL) {
        region_fini(&h->ports);
    }
    if (h->ecam_region.topo != NULL) {
        region_fini(&h->ecam_region);
    }
}

/* The window in ports. A CPU without ports reaches it in memory: port n at io_gpa + n. */
static int add_ports(struct pci_host *h, struct err *e)
{
    const struct device_env *env = h->dev.env;
    int ret;

    if (h->io_gpa == 0) {
        return add_window(h, WINDOW_IO, env->io_root, h->io, h->io_size, e);
    }
    region_init_container(&h->ports, env->topo, "pci.ports", PORTS);
    ret = add_window(h, WINDOW_IO, &h->ports, h->io, h->io_size, e);
    if (ret == 0) {
        ret = region_add(env->mem_root, h->io_gpa, &h->ports, 0);
        ret = ret < 0 ? err_set(e, -ret, "cannot map %s: %s", h->ports.name, strerror(-ret)) : 0;
    }
    return ret;
}

static int add_regions(struct pci_host *h, struct err *e)
{
    const struct device_env *env = h->dev.env;
    int ret;

    region_init_io(&h->ecam_region, env->topo, "pci.ecam", ECAM_SIZE, &ecam_ops, h, NULL);
    ret = region_add(env->mem_root, h->ecam, &h->ecam_region, 0);
    if (ret < 0) {
        return err_set(e, -ret, "cannot map %s: %s", h->ecam_region.name, strerror(-ret));
    }
    ret = add_ports(h, e);
    if (ret == 0) {
        ret = add_window(h, WINDOW_MEM32, env->mem_root, h->mem32, h->mem32_size, e);
    }
    if (ret == 0) {
        ret = add_window(h, WINDOW_MEM64, env->mem_root, h->mem64, h->mem64_size, e);
    }
    return ret;
}

static int pci_host_realize(struct device *d, struct err *e)
{
    struct pci_host *h = DEVICE_STATE(struct pci_host, d);

    h->self.dev = d;
    h->self.host = h;
    pci_config_init(&h->self, &bridge_info);
    h->functions[0] = &h->self;
    int ret = add_regions(h, e);
    if (ret < 0) {
        remove_regions(h);
    }
    return ret;
}

static void pci_host_unrealize(struct device *d)
{
    remove_regions(DEVICE_STATE(struct pci_host, d));
}

static void pci_host_reset(struct device *d)
{
    pci_config_reset(&DEVICE_STATE(struct pci_host, d)->self);
}

static const struct prop pci_host_props[] = {
    PROP(struct pci_host, ecam, PROP_U64, NULL, 0, 0, "gpa of the configuration space, 1 MiB"),
    PROP(struct pci_host, io, PROP_U32, NULL, 0, 0xffff, "window for I/O BARs: first port"),
    PROP(struct pci_host, io_size, PROP_U32, NULL, 0, 0x10000, "how many ports; 0: no window"),
    PROP(struct pci_host, io_gpa, PROP_U64, NULL, 0, 0, "gpa of port 0 on a machine without ports"),
    PROP(struct pci_host, mem32, PROP_U64, NULL, 0, UINT32_MAX, "window below 4 GiB: gpa"),
    PROP(struct pci_host, mem32_size, PROP_SIZE, NULL, 0, UINT32_MAX, "its size; 0: no window"),
    PROP(struct pci_host, mem64, PROP_U64, NULL, 0, 0, "window above 4 GiB: gpa"),
    PROP(struct pci_host, mem64_size, PROP_SIZE, NULL, 0, 0, "its size; 0: no window"),
    PROP(struct pci_host, intx_gsi, PROP_U32, NULL, 0, 252,
         "of INTA of slots 0, 4, 8...; the first of 4"),
};

static int pci_host_loaded(struct device *d, struct err *e)
{
    (void)e;
    pci_config_loaded(&DEVICE_STATE(struct pci_host, d)->self);
    return 0;
}

static const struct field pci_host_fields[] = {
    FIELD_ARRAY(struct pci_host, self.config, 1),
};

const struct device_class pci_host_class = {
    .name = "pci-host",
    .summary = "PCI host bridge with one bus",
    .state_size = sizeof(struct pci_host),
    .props = TABLE(pci_host_props),
    .fields = TABLE(pci_host_fields),
    .version = 1,
    .internal = true,
    .realize = pci_host_realize,
    .unrealize = pci_host_unrealize,
    .reset = pci_host_reset,
    .loaded = pci_host_loaded,
};
