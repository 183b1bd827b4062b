/*
 * What a snapshot's machine is made of: see describe.h.
 */
#include "src/snapshot/describe.h"

#include "src/arch/board.h"
#include "src/base/opts.h"
#include "src/config_rows.h"
#include "src/machine.h"
#include "src/snapshot/disk.h"
#include "src/vm.h"
#include "virtio/blk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 64   /* devices, and disks */
#define TEXT_MAX 4096 /* of one of them, as typed */
#define CPUS_MAX 4096 /* no KVM has more */

/* --- saving ----------------------------------------------------------- */

static int save_disks(const struct machine *m, struct pack *out, struct err *e)
{
    int ret = 0;
    uint32_t count = 0;

    for (struct device *d = m->devices; d != NULL; d = d->next) {
        count += d->cls == &virtio_blk_class;
    }
    pack_u32(out, count);
    for (struct device *d = m->devices; d != NULL && ret == 0; d = d->next) {
        if (d->cls == &virtio_blk_class) {
            ret = disk_save(DEVICE_STATE(struct virtio_blk, d), out, e);
        }
    }
    return ret;
}

static bool all_fit(const struct config *c)
{
    for (size_t i = 0; i < c->devices.count; i++) {
        if (strlen(c->devices.items[i]) >= TEXT_MAX) {
            return false;
        }
    }
    return c->cpu == NULL || strlen(c->cpu) < TEXT_MAX;
}

int describe_save(const struct machine *m, struct pack *out, struct err *e)
{
    const struct config *c = m->config;

    if (c->devices.count > LIST_MAX || c->disks.count > LIST_MAX) {
        return err_set(e, E2BIG, "a snapshot takes up to %d devices", LIST_MAX);
    }
    if (!all_fit(c)) {
        return err_set(e, E2BIG, "a snapshot takes options of up to %d bytes", TEXT_MAX - 1);
    }
    pack_string(out, board_machine);
    pack_u64(out, c->memory);
    pack_u32(out, c->cpus);
    pack_string(out, c->cpu);
    pack_u32(out, c->acpi);
    pack_u32(out, c->pci);
    pack_u32(out, m->vm->kvm.irqchip_version); /* what it has, whatever was asked for */
    pack_u32(out, c->vmgenid);
    pack_u32(out, c->pm);
    pack_u32(out, c->testdev);
    pack_u32(out, (uint32_t)c->devices.count);
    for (size_t i = 0; i < c->devices.count; i++) {
        pack_string(out, c->devices.items[i]);
    }
    return save_disks(m, out, e);
}

/* --- loading ---------------------------------------------------------- */

/* What the command line says and the snapshot does not, one after the other. */
struct differences {
    char text[400];
};

static void __attribute__((format(printf, 2, 3)))
differ(struct differences *d, const char *fmt, ...)
{
    const size_t used = strlen(d->text);
    char part[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(part, sizeof(part), fmt, ap);
    va_end(ap);
    snprintf(d->text + used, sizeof(d->text) - used, "%s%s", used != 0 ? "; " : "", part);
}

/* Keep a copy of text as long as c. NULL: out of memory. */
static const char *own(struct config *c, const char *text)
{
    char **grown = realloc(c->owned, (c->owned_count + 1) * sizeof(*grown));

    if (grown == NULL) {
        return NULL;
    }
    c->owned = grown;
    grown[c->owned_count] = strdup(text);
    return grown[c->owned_count] != NULL ? grown[c->owned_count++] : NULL;
}

static int add_text(struct config *c, struct string_list *list, const char *text, struct err *e)
{
    const char *copy = own(c, text);

    return copy != NULL ? config_list_add(list, copy, e) : err_set(e, ENOMEM, "out of memory");
}

/* Properties of --machine, and the generation id. */
static void apply_props(struct config *c, struct unpack *in, struct differences *d)
{
    const bool acpi = unpack_u32(in) != 0, pci = unpack_u32(in) != 0;
    const uint32_t gic = unpack_u32(in);
    const bool vmgenid = unpack_u32(in) != 0, pm = unpack_u32(in) != 0;
    const bool testdev = unpack_u32(in) != 0;

    if (c->machine_given && (c->acpi != acpi || c->pci != pci || c->pm != pm ||
                             c->testdev != testdev || (c->gic != 0 && c->gic != gic))) {
        differ(d, "it has acpi=%s,pci=%s,pm=%s,testdev=%s,gic=%u", acpi ? "on" : "off",
               pci ? "on" : "off", pm ? "on" : "off", testdev ? "on" : "off", gic);
    }
    c->acpi = acpi;
    c->pci = pci;
    c->gic = gic;
    c->vmgenid = vmgenid;
    c->pm = pm;
    c->testdev = testdev;
}

static int apply_board(struct config *c, struct unpack *in, struct differences *d, struct err *e)
{
    char machine[32], cpu[TEXT_MAX];

    unpack_string(in, machine, sizeof(machine));
    const uint64_t memory = unpack_u64(in);
    const uint32_t cpus = unpack_u32(in);
    unpack_string(in, cpu, sizeof(cpu));
    apply_props(c, in, d);
    if (in->failed || memory == 0 || memory % 4096 != 0 || cpus == 0 || cpus > CPUS_MAX ||
        (c->gic != 0 && c->gic != 2 && c->gic != 3)) {
        return err_set(e, EINVAL, "its description is damaged");
    }
    if (strcmp(machine, board_machine) != 0) {
        differ(d, "its machine is '%s', not '%s'", machine, board_machine);
    }
    if (c->memory != 0 && c->memory != memory) {
        differ(d, "it has %" PRIu64 "M of memory, not %" PRIu64 "M", memory >> 20, c->memory >> 20);
    }
    if (c->cpus != 0 && c->cpus != cpus) {
        differ(d, "it has %u CPUs, not %u", cpus, c->cpus);
    }
    if (c->cpu != NULL && strcmp(c->cpu, cpu) != 0) {
        differ(d, "its CPUs are '%.60s', not '%.60s'", cpu, c->cpu);
    }
    c->memory = memory;
    c->cpus = cpus;
    c->cpu = own(c, cpu);
    return c->cpu != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int apply_devices(struct config *c, struct unpack *in, struct differences *d, struct err *e)
{
    const size_t given = c->devices.count;
    const uint32_t count = unpack_u32(in);
    int ret = 0;

    if (count > LIST_MAX) {
        in->failed = true;
    }
    for (uint32_t i = 0; i < count && !in->failed && ret == 0; i++) {
        char text[TEXT_MAX];
        unpack_string(in, text, sizeof(text));
        if (given == 0) {
            ret = add_text(c, &c->devices, text, e);
        } else if (i >= given) {
            differ(d, "it has a device '%.60s' more", text);
        } else if (strcmp(c->devices.items[i], text) != 0) {
            differ(d, "its device %u is '%.60s', not '%.60s'", i + 1, text, c->devices.items[i]);
        }
    }
    for (size_t i = count; i < given && !in->failed; i++) {
        differ(d, "it has no device '%.60s'", c->devices.items[i]);
    }
    return ret;
}

static int apply_disks(struct config *c, struct unpack *in, struct differences *d, struct err *e)
{
    const size_t given = c->disks.count;
    const uint32_t count = unpack_u32(in);
    int ret = 0;

    if (count > LIST_MAX) {
        in->failed = true;
    }
    if (given != 0 && given != count && !in->failed) {
        differ(d, "it has %u disks, not %zu", count, given);
        return 0;
    }
    for (uint32_t i = 0; i < count && !in->failed && ret == 0; i++) {
        struct disk_record saved;
        disk_unpack(in, &saved);
        if (given == 0 && !in->failed) {
            ret = add_text(c, &c->disks, saved.text, e);
        }
        if (ret == 0 && !in->failed) {
            ret = disk_check(&saved, c->disks.items[i], i + 1, e);
        }
    }
    return ret;
}

int describe_apply(struct config *c, struct unpack *in, struct err *e)
{
    struct differences d = {{0}};
    int ret = apply_board(c, in, &d, e);

    if (ret == 0) {
        ret = apply_devices(c, in, &d, e);
    }
    if (ret == 0 && d.text[0] == '\0') {
        ret = apply_disks(c, in, &d, e);
    }
    if (ret < 0) {
        return ret;
    }
    if (d.text[0] != '\0') {
        err_set(e, EINVAL, "its machine is another than the options say: %s", d.text);
        err_hint(e, "leave them out: the snapshot knows its machine");
        err_status(e, EXIT_USAGE);
        return -EINVAL;
    }
    return unpack_done(in) ? 0 : err_set(e, EINVAL, "its description is damaged");
}
