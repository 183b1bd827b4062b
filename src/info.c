/*
 * --info: what the guest would see, as text. The layouts of mtree, flatview
 * and qtree follow QEMU's `info` commands of those names.
 */
#include "src/machine.h"

#include "devices/pci.h"
#include "devices/platform.h"

#include <inttypes.h>
#include <string.h>

static const void *prop_field(const struct device *d, const struct prop *p)
{
    return (const char *)d + p->offset;
}

static uint64_t prop_number(const struct device *d, const struct prop *p)
{
    return p->type == PROP_U32 ? *(const uint32_t *)prop_field(d, p)
                               : *(const uint64_t *)prop_field(d, p);
}

static void print_prop(const struct device *d, const struct prop *p, int indent, FILE *out)
{
    const char *text;

    fprintf(out, "%*s%s = ", indent, "", p->name);
    switch (p->type) {
    case PROP_BOOL:
        fprintf(out, "%s\n", *(const bool *)prop_field(d, p) ? "true" : "false");
        break;
    case PROP_U32:
    case PROP_U64:
    case PROP_SIZE:
        fprintf(out, "%" PRIu64 " (0x%" PRIx64 ")\n", prop_number(d, p), prop_number(d, p));
        break;
    case PROP_STRING:
        text = *(char *const *)prop_field(d, p);
        fprintf(out, "\"%s\"\n", text ? text : "");
        break;
    }
}

/* Where the registers of a device are that is no PCI function. */
static void print_places(const struct machine *m, const struct device *d, int indent, FILE *out)
{
    for (size_t i = 0; i < d->region_count; i++) {
        const struct region *r = &d->regions[i].region;

        fprintf(out, "%*s%s %016" PRIx64 "/%016" PRIx64 "\n", indent, "",
                r->parent == m->env.io_root ? "io" : "mmio", r->offset, r->last + 1);
    }
    if (platform_plugged(d)) {
        fprintf(out, "%*sirq %u\n", indent, "", platform_gsi(d));
    }
}

static void print_device(const struct machine *m, const struct device *d, int indent, FILE *out)
{
    const struct prop *p;

    fprintf(out, "%*sdev: %s, id \"%s\"\n", indent, "", d->cls->name, d->id);
    for (size_t i = 0; (p = device_prop(d->cls, i)) != NULL; i++) {
        print_prop(d, p, indent + 2, out);
    }
    if (pci_plugged(d)) {
        pci_print(d, indent + 2, out);
    } else {
        print_places(m, d, indent + 2, out);
    }
}

static void print_pci_bus(const struct machine *m, const struct device *host, FILE *out)
{
    bool any = false;

    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        if (pci_host_of(d) != host) {
            continue;
        }
        if (!any) {
            fputs("    bus: pci.0\n      type PCI\n", out);
            any = true;
        }
        print_device(m, d, 6, out);
    }
}

static void print_qtree(const struct machine *m, FILE *out)
{
    fputs("bus: main-system-bus\n  type System\n", out);
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        if (!pci_plugged(d)) {
            print_device(m, d, 2, out);
            print_pci_bus(m, d, out);
        }
    }
}

/* A device's line: as its bus knows it, or by a property called irq or gsi. */
static void print_irq(const struct device *d, FILE *out)
{
    if (platform_plugged(d)) {
        fprintf(out, "gsi %2u: %s\n", platform_gsi(d), d->id);
    } else if (pci_plugged(d) && pci_intx_gsi(d) >= 0) {
        fprintf(out, "gsi %2d: %s INTA\n", pci_intx_gsi(d), d->id);
    }
    for (size_t i = 0; i < d->cls->prop_count; i++) {
        const struct prop *p = &d->cls->props[i];

        if (strcmp(p->name, "irq") == 0 || strcmp(p->name, "gsi") == 0) {
            fprintf(out, "gsi %2" PRIu64 ": %s\n", prop_number(d, p), d->id);
        }
    }
}

static void print_irqs(const struct machine *m, FILE *out)
{
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        print_irq(d, out);
    }
}

void machine_info(struct machine *m, const char *topic, FILE *out)
{
    if (strcmp(topic, "mtree") == 0) {
        aspace_print_tree(m->mem, out);
        if (m->env.io != NULL) {
            aspace_print_tree(m->io, out);
        }
    } else if (strcmp(topic, "flatview") == 0) {
        aspace_print_view(m->mem, out);
        if (m->env.io != NULL) {
            aspace_print_view(m->io, out);
        }
    } else if (strcmp(topic, "qtree") == 0) {
        print_qtree(m, out);
    } else {
        print_irqs(m, out);
    }
}
