/*
 * The option --machine: which machines there are, and their properties. A build
 * has one of them, that of its architecture.
 */
#include "src/arch/board.h"
#include "src/base/opts.h"
#include "src/config.h"

#include <errno.h>
#include <string.h>

#define PROPS_MAX 4

struct machine_prop {
    const char *name;
    const char *values;
    const char *meaning;
    int (*set)(struct config *c, const char *value, struct err *e);
};

struct machine_type {
    const char *name;
    const char *arch;
    const char *meaning;
    struct machine_prop props[PROPS_MAX];
};

static int set_acpi(struct config *c, const char *value, struct err *e)
{
    return opt_bool(value, &c->acpi, e);
}

static int set_pci(struct config *c, const char *value, struct err *e)
{
    return opt_bool(value, &c->pci, e);
}

static int set_pm(struct config *c, const char *value, struct err *e)
{
    return opt_bool(value, &c->pm, e);
}

static int set_testdev(struct config *c, const char *value, struct err *e)
{
    return opt_bool(value, &c->testdev, e);
}

static int set_gic(struct config *c, const char *value, struct err *e)
{
    uint64_t version;
    int ret = opt_u64(value, 2, 3, &version, e);

    if (ret == 0) {
        c->gic = (unsigned)version;
    }
    return ret;
}

#define TESTDEV_TEXT "devices that kvm-unit-tests expects (off)"

static const struct machine_type machines[] = {
    {"pc",
     "x86-64",
     "virtio-mmio, PCI, COM1, RTC, PIT, IOAPIC, ACPI",
     {{"acpi", "on|off", "ACPI tables, or an MP table and virtio_mmio.device= (on)", set_acpi},
      {"pci", "on|off", "PCI host bridge with one bus (on)", set_pci},
      {"pm", "on|off", "ACPI's fixed hardware: PM timer, sleep state S3 (off)", set_pm},
      {"testdev", "on|off", TESTDEV_TEXT ", with pm=on", set_testdev}}},
    {"virt",
     "arm64",
     "virtio-mmio, PCI, PL011, PL031, GIC, device tree",
     {{"gic", "2|3", "interrupt controller (3 if the host has it, else 2)", set_gic},
      {"pci", "on|off", "PCI host bridge with one bus (on)", set_pci},
      {"testdev", "on|off", TESTDEV_TEXT, set_testdev}}},
};

#define MACHINES (sizeof(machines) / sizeof(machines[0]))

static int no_such_prop(const struct machine_type *t, const char *name, struct err *e)
{
    char known[160];
    size_t len = 0;

    for (size_t i = 0; i < PROPS_MAX && t->props[i].name != NULL; i++) {
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s=%s", i > 0 ? ", " : "",
                                t->props[i].name, t->props[i].values);
    }
    err_set(e, EINVAL, "machine %s has no property '%s'", t->name, name);
    err_hint(e, "it has: %s", known);
    return -EINVAL;
}

static int set_machine_prop(const struct machine_type *t, struct config *c, const struct opt *o,
                            struct err *e)
{
    for (size_t i = 0; i < PROPS_MAX && t->props[i].name != NULL; i++) {
        if (strcmp(o->key, t->props[i].name) == 0) {
            int ret = t->props[i].set(c, o->value ? o->value : "", e);
            if (ret < 0) {
                err_prefix(e, "%s", o->key);
            }
            return ret;
        }
    }
    return no_such_prop(t, o->key, e);
}

/* The machine called name, if this build has it. */
static const struct machine_type *find_machine(const char *name, struct err *e)
{
    const struct machine_type *found = NULL;

    for (size_t i = 0; i < MACHINES; i++) {
        if (strcmp(machines[i].name, name) == 0) {
            found = &machines[i];
        }
    }
    if (found != NULL && strcmp(name, board_machine) == 0) {
        return found;
    }
    if (found != NULL) {
        err_set(e, EINVAL, "the machine '%s' is for %s hosts", name, found->arch);
    } else {
        err_set(e, EINVAL, "no machine is called '%s'", name);
    }
    err_hint(e, "this build has: %s", board_machine);
    return NULL;
}

int config_set_machine(struct config *c, const char *value, struct err *e)
{
    const struct machine_type *t;
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
    c->machine_given = true;
    t = find_machine(list.name, e);
    ret = t != NULL ? 0 : -EINVAL;
    for (size_t i = 0; i < list.count && ret == 0; i++) {
        ret = set_machine_prop(t, c, &list.opts[i], e);
    }
    opt_list_free(&list);
    return ret;
}

int config_check_machine(const char *option, struct err *e)
{
    static const struct {
        const char *option, *machine;
    } only[] = {{"dump-acpi", "pc"}, {"dump-fdt", "virt"}, {"dtb", "virt"}};

    for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
        if (strcmp(option, only[i].option) == 0 && strcmp(only[i].machine, board_machine) != 0) {
            err_set(e, EINVAL, "--%s is for the machine '%s'", option, only[i].machine);
            err_hint(e, "this build has: %s", board_machine);
            return -EINVAL;
        }
    }
    return 0;
}

void config_machine_help(FILE *out)
{
    const struct machine_type *t = find_machine(board_machine, NULL);

    fprintf(out, "%-5s %s: %s\n", t->name, t->arch, t->meaning);
    for (size_t i = 0; i < PROPS_MAX && t->props[i].name != NULL; i++) {
        const struct machine_prop *p = &t->props[i];
        char text[32];

        snprintf(text, sizeof(text), "%s=%s", p->name, p->values);
        fprintf(out, "      %-15s %s\n", text, p->meaning);
    }
}
