/*
 * --info: what the guest would see, as text. The layouts of mtree, flatview
 * and qtree follow QEMU's `info` commands of those names.
 */
#include "src/machine.h"

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

static void print_prop(const struct device *d, const struct prop *p, FILE *out)
{
    const char *text;

    switch (p->type) {
    case PROP_BOOL:
        fprintf(out, "    %s = %s\n", p->name, *(const bool *)prop_field(d, p) ? "true" : "false");
        break;
    case PROP_U32:
    case PROP_U64:
    case PROP_SIZE:
        fprintf(out, "    %s = %" PRIu64 " (0x%" PRIx64 ")\n", p->name, prop_number(d, p),
                prop_number(d, p));
        break;
    case PROP_STRING:
        text = *(char *const *)prop_field(d, p);
        fprintf(out, "    %s = \"%s\"\n", p->name, text ? text : "");
        break;
    }
}

static void print_qtree(const struct machine *m, FILE *out)
{
    fputs("bus: main-system-bus\n  type System\n", out);
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        fprintf(out, "  dev: %s, id \"%s\"\n", d->cls->name, d->id);
        const struct prop *p;
        for (size_t i = 0; (p = device_prop(d->cls, i)) != NULL; i++) {
            print_prop(d, p, out);
        }
        for (size_t i = 0; i < d->region_count; i++) {
            const struct region *r = &d->regions[i].region;

            fprintf(out, "    %s %016" PRIx64 "/%016" PRIx64 "\n",
                    r->parent == m->env.io_root ? "io" : "mmio", r->offset, r->last + 1);
        }
    }
}

/* Devices say their line by a property called irq or gsi. */
static void print_irqs(const struct machine *m, FILE *out)
{
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        for (size_t i = 0; i < d->cls->prop_count; i++) {
            const struct prop *p = &d->cls->props[i];

            if (strcmp(p->name, "irq") == 0 || strcmp(p->name, "gsi") == 0) {
                fprintf(out, "gsi %2" PRIu64 ": %s\n", prop_number(d, p), d->id);
            }
        }
    }
}

void machine_info(struct machine *m, const char *topic, FILE *out)
{
    if (strcmp(topic, "mtree") == 0) {
        aspace_print_tree(m->mem, out);
        aspace_print_tree(m->io, out);
    } else if (strcmp(topic, "flatview") == 0) {
        aspace_print_view(m->mem, out);
        aspace_print_view(m->io, out);
    } else if (strcmp(topic, "qtree") == 0) {
        print_qtree(m, out);
    } else {
        print_irqs(m, out);
    }
}
