/*
 * The option --machine: which machines there are, and their properties.
 */
#include "src/base/opts.h"
#include "src/config.h"

#include <errno.h>
#include <string.h>

static int set_machine_prop(struct config *c, const struct opt *o, struct err *e)
{
    bool *prop = strcmp(o->key, "acpi") == 0  ? &c->acpi
                 : strcmp(o->key, "pci") == 0 ? &c->pci
                                              : NULL;
    if (prop == NULL) {
        err_set(e, EINVAL, "machine pc has no property '%s'", o->key);
        err_hint(e, "it has: acpi=on|off, pci=on|off");
        return -EINVAL;
    }
    if (opt_bool(o->value ? o->value : "", prop, e) < 0) {
        err_prefix(e, "%s", o->key);
        return -EINVAL;
    }
    return 0;
}

int config_set_machine(struct config *c, const char *value, struct err *e)
{
    struct opt_list list;
    int ret;

    if (strcmp(value, "help") == 0) {
        c->action = ACTION_LIST_MACHINES;
        return 0;
    }
    ret = opt_list_parse(&list, value, e);
    if (ret < 0) {
        return ret;
    }
    if (strcmp(list.name, "pc") != 0) {
        ret = err_set(e, EINVAL, "no machine is called '%s'", list.name);
        err_hint(e, "this build has: pc");
    }
    for (size_t i = 0; i < list.count && ret == 0; i++) {
        ret = set_machine_prop(c, &list.opts[i], e);
    }
    opt_list_free(&list);
    return ret;
}

void config_machine_help(FILE *out)
{
    fputs("pc    x86-64: virtio-mmio, PCI, COM1, RTC, PIT, IOAPIC, ACPI\n"
          "      acpi=on|off  ACPI tables, or an MP table and virtio_mmio.device= (on)\n"
          "      pci=on|off   PCI host bridge with one bus (on)\n",
          out);
}
