/*
 * See plug.h.
 */
#include "src/arch/plug.h"

#include "devices/pci.h"
#include "devices/platform.h"
#include "src/base/opts.h"
#include "src/boot/cmdline.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- buses ------------------------------------------------------------------ */

/* "device 'NAME' why", with a hint and status EXIT_USAGE. */
static int refuse(const struct device *d, const char *why, const char *hint, struct err *e)
{
    int ret = err_set(e, EINVAL, "device '%s' %s", d->cls->name, why);
    err_hint(e, "%s", hint);
    err_status(e, EXIT_USAGE);
    return ret;
}

static int refuse_bus(const struct device *d, const char *bus, bool isa, struct err *e)
{
    const bool pci = d->cls->pci != NULL;
    char why[64];

    snprintf(why, sizeof(why), "is not for a bus '%.20s'", bus);
    return refuse(d, why,
                  isa                                 ? "bus=isa or bus=mmio"
                  : pci && d->cls->compatible != NULL ? "bus=pci or bus=mmio"
                  : pci                               ? "bus=pci"
                                                      : "bus=mmio",
                  e);
}

int plug_pci(struct device *host, struct device *d, struct err *e)
{
    if (host == NULL) {
        return refuse(d, "is a PCI device and this machine has no PCI (pci=off)",
                      d->cls->compatible != NULL ? "bus=mmio puts it into the memory map"
                                                 : "leave pci=off out",
                      e);
    }
    return pci_plug(host, d, e);
}

int plug_mmio(struct device *d, const struct plug_slots *slots, unsigned n, unsigned gsi,
              struct err *e)
{
    if (d->place.addr != 0) {
        return refuse(d, "has addr=, which is a PCI slot, and is in the memory map (mmio)",
                      "leave addr= out: the machine chooses the address", e);
    }
    if (n == slots->count) {
        return refuse(d, "finds no place, all those for platform devices are taken",
                      "give the guest fewer, or some with bus=pci", e);
    }
    assert(d->cls->blocks[0].size <= slots->stride);
    return platform_plug(d, slots->gpa + n * slots->stride, gsi, e);
}

int plug_device(struct machine *m, struct device *d, const struct plug_buses *buses, struct err *e)
{
    const struct device_class *cls = d->cls;
    const bool isa = cls->isa && buses->isa;
    const char *bus = d->place.bus;

    if (cls->virtio) {
        return buses->virtio(m, d, e);
    }
    if (cls->pci == NULL && cls->compatible == NULL) {
        return 0;
    }
    if (bus == NULL) {
        bus = isa ? "isa" : cls->pci != NULL ? "pci" : "mmio";
    }
    if (isa && strcmp(bus, "isa") == 0) {
        return 0;
    }
    if (cls->pci != NULL && strcmp(bus, "pci") == 0) {
        return buses->pci(m, d, e);
    }
    if (cls->compatible != NULL && strcmp(bus, "mmio") == 0) {
        return buses->mmio(m, d, e);
    }
    return refuse_bus(d, bus, isa, e);
}

static int set_number(struct device *d, const char *prop, uint64_t value, struct err *e)
{
    char text[24];

    snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return device_set(d, prop, text, e);
}

int plug_virtio(struct device *d, uint64_t gpa, unsigned gsi, struct err *e)
{
    int ret = set_number(d, "addr", gpa, e);

    return ret == 0 ? set_number(d, "gsi", gsi, e) : ret;
}

/* --- PCI ---------------------------------------------------------------------- */

struct device *plug_pci_host(struct machine *m, const struct pci_windows *w, struct err *e)
{
    char text[320];

    snprintf(text, sizeof(text),
             "pci-host,ecam=%" PRIu64 ",io=%" PRIu64 ",io_size=%" PRIu64 ",io_gpa=%" PRIu64
             ",mem32=%" PRIu64 ",mem32_size=%" PRIu64 ",mem64=%" PRIu64 ",mem64_size=%" PRIu64
             ",intx_gsi=%u",
             w->ecam, w->io, w->io_size, w->io_gpa, w->mem32, w->mem32_size, w->mem64,
             w->mem64_size, w->intx_gsi);
    return machine_add_device(m, text, NULL, e);
}

/* --- disks ------------------------------------------------------------------- */

static int add_disk(struct machine *m, const char *text, struct err *e)
{
    char *device;
    int ret = 0;

    /* Machines from one snapshot must not write to the same disk. */
    if (asprintf(&device, "virtio-blk,file=%s%s", text,
                 m->config->snapshot != NULL ? ",overlay" : "") < 0) {
        return err_set(e, ENOMEM, "out of memory");
    }
    if (machine_add_device(m, device, NULL, e) == NULL) {
        err_prefix(e, "--disk %s", text);
        ret = -EINVAL;
    }
    free(device);
    return ret;
}

int plug_disks(struct machine *m, struct err *e)
{
    int ret = 0;

    for (size_t i = 0; i < m->config->disks.count && ret == 0; i++) {
        ret = add_disk(m, m->config->disks.items[i], e);
    }
    return ret;
}

/* "FILE,ro": through the parser, because a comma may belong to the name. */
static bool disk_is_readonly(const char *text)
{
    struct opt_list list;
    bool ro = false;

    if (opt_list_parse(&list, text, NULL) < 0) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (strcmp(list.opts[i].key, "ro") == 0) {
            ro = true;
            if (list.opts[i].value != NULL) {
                opt_bool(list.opts[i].value, &ro, NULL);
            }
        }
    }
    opt_list_free(&list);
    return ro;
}

/* root=... if the first disk is to be the root; else NULL. */
static const char *root_words(const struct config *c)
{
    if (c->disks.count == 0 || c->initrds.count != 0 || c->exec.program != NULL) {
        return NULL;
    }
    return disk_is_readonly(c->disks.items[0]) ? "root=/dev/vda ro" : "root=/dev/vda rw";
}

/* --- words for a kernel --------------------------------------------------------- */

/* With --exec: reset after a panic, and where nobody reads the log, write none. */
static const char *exec_words(const struct config *c)
{
    if (c->exec.program == NULL) {
        return NULL;
    }
    return strcmp(c->console, "null") == 0 ? "quiet panic=-1" : "panic=-1";
}

int plug_words_make(struct plug_words *w, const struct config *c, const char *console,
                    const char *devices, struct err *e)
{
    const struct cmdline_defaults defaults = {
        .console = console, .root = root_words(c), .devices = devices, .exec = exec_words(c)};

    w->append = cmdline_join(c->appends.items, c->appends.count);
    w->cmdline = w->append != NULL ? cmdline_linux(w->append, &defaults) : NULL;
    return w->cmdline != NULL ? 0 : err_set(e, ENOMEM, "out of memory for the command line");
}

void plug_words_free(struct plug_words *w)
{
    free(w->append);
    free(w->cmdline);
    *w = (struct plug_words){0};
}
