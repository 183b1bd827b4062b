/*
 * Saving and loading a machine: see snapshot.h.
 */
#include "src/snapshot/snapshot.h"

#include "src/arch/arch.h"
#include "src/config.h"
#include "src/console/chardev.h"
#include "src/device_state.h"
#include "src/machine.h"
#include "src/snapshot/describe.h"
#include "src/snapshot/file.h"
#include "src/snapshot/ram.h"
#include "src/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- saving ----------------------------------------------------------- */

/* Put what fill() packs as one section. */
static int
put_section(struct snapshot_writer *w, struct machine *m, enum snapshot_type type, uint32_t index,
            int (*fill)(struct machine *m, uint32_t index, struct pack *out, struct err *e),
            struct err *e)
{
    struct pack out = {0};
    int ret = fill(m, index, &out, e);

    if (ret == 0) {
        ret = snapshot_put(w, type, index, &out, e);
    }
    pack_free(&out);
    return ret;
}

static int fill_machine(struct machine *m, uint32_t index, struct pack *out, struct err *e)
{
    (void)index;
    return describe_save(m, out, e);
}

static int fill_cpu(struct machine *m, uint32_t index, struct pack *out, struct err *e)
{
    (void)index, (void)e;
    cpu_model_save(m->vm->vcpus.model, out);
    return 0;
}

static int fill_vm(struct machine *m, uint32_t index, struct pack *out, struct err *e)
{
    (void)index;
    pack_u64(out, clock_now(&m->clock));
    return arch_vm_save(&m->vm->kvm, out, e);
}

static int fill_vcpu(struct machine *m, uint32_t index, struct pack *out, struct err *e)
{
    return arch_vcpu_save(&m->vm->kvm, m->vm->vcpus.vcpu[index].fd, index, out, e);
}

static struct device *nth_device(const struct machine *m, uint32_t n)
{
    struct device *d = m->devices;

    for (; d != NULL && n > 0; n--) {
        d = d->next;
    }
    return d;
}

static int fill_device(struct machine *m, uint32_t index, struct pack *out, struct err *e)
{
    (void)e;
    device_state_save(nth_device(m, index), out);
    return 0;
}

/* vCPUs before the controllers: on some architectures that is when those write to guest RAM. */
static int put_all(struct snapshot_writer *w, struct machine *m, struct err *e)
{
    int ret = put_section(w, m, SECTION_MACHINE, 0, fill_machine, e);

    if (ret == 0) {
        ret = put_section(w, m, SECTION_CPU, 0, fill_cpu, e);
    }
    for (uint32_t i = 0; i < m->vm->vcpus.count && ret == 0; i++) {
        ret = put_section(w, m, SECTION_VCPU, i, fill_vcpu, e);
    }
    if (ret == 0) {
        ret = put_section(w, m, SECTION_VM, 0, fill_vm, e);
    }
    for (uint32_t i = 0; nth_device(m, i) != NULL && ret == 0; i++) {
        ret = put_section(w, m, SECTION_DEVICE, i, fill_device, e);
    }
    return ret == 0 ? snapshot_put_all_ram(w, &m->ram, e) : ret;
}

static int save_to(struct machine *m, const char *path, struct err *e)
{
    struct snapshot_writer w;
    int ret = snapshot_create(&w, path, e);

    if (ret < 0) {
        return ret;
    }
    ret = put_all(&w, m, e);
    if (ret < 0) {
        snapshot_abandon(&w);
        return ret;
    }
    return snapshot_commit(&w, e);
}

static void resume_all(struct machine *m)
{
    for (struct device *d = m->devices; d != NULL; d = d->next) {
        device_resume(d);
    }
    for (unsigned i = 0; i < m->vm->vcpus.count; i++) {
        arch_vcpu_was_paused(&m->vm->kvm, m->vm->vcpus.vcpu[i].fd);
    }
}

int snapshot_save(struct machine *m, struct err *e)
{
    if (m->vm->synic != NULL) {
        return err_set(e, ENOTSUP, "a machine with --cpu hyperv=on cannot be saved");
    }
    chardev_flush(m->console);
    clock_pause(&m->clock);
    for (struct device *d = m->devices; d != NULL; d = d->next) {
        device_pause(d);
    }
    const int ret = save_to(m, m->config->save.path, e);
    resume_all(m);
    clock_resume(&m->clock);
    return ret;
}

/* --- loading ---------------------------------------------------------- */

int snapshot_open(struct config *c, struct err *e)
{
    struct unpack in;
    uint8_t *data;
    int ret;

    c->snapshot = snapshot_file_open(c->snapshot_load, e);
    if (c->snapshot == NULL) {
        return -EINVAL;
    }
    ret = snapshot_get(c->snapshot, SECTION_MACHINE, 0, &data, &in, e);
    if (ret == 0) {
        ret = describe_apply(c, &in, e);
        if (ret < 0) {
            err_prefix(e, "snapshot '%s'", c->snapshot_load);
        }
        free(data);
    }
    return ret;
}

/* Have load() read one section, all of it. */
static int get_section(struct machine *m, enum snapshot_type type, uint32_t index,
                       int (*load)(struct machine *m, uint32_t index, struct unpack *in,
                                   struct err *e),
                       struct err *e)
{
    struct snapshot_file *f = m->config->snapshot;
    struct unpack in;
    uint8_t *data;
    int ret = snapshot_get(f, type, index, &data, &in, e);

    if (ret < 0) {
        return ret;
    }
    ret = load(m, index, &in, e);
    if (ret < 0) {
        err_prefix(e, "snapshot '%s'", f->path);
    } else if (!unpack_done(&in)) {
        ret = snapshot_damaged(f, "a section is not what it should be", e);
    }
    free(data);
    return ret;
}

static int load_cpu(struct machine *m, uint32_t index, struct unpack *in, struct err *e)
{
    (void)index;
    return cpu_model_check(m->vm->vcpus.model, in, e);
}

static int load_vm(struct machine *m, uint32_t index, struct unpack *in, struct err *e)
{
    (void)index;
    clock_set(&m->clock, unpack_u64(in));
    return arch_vm_load(&m->vm->kvm, in, e);
}

static int load_vcpu(struct machine *m, uint32_t index, struct unpack *in, struct err *e)
{
    return arch_vcpu_load(&m->vm->kvm, m->vm->vcpus.vcpu[index].fd, index, in, e);
}

static int load_device(struct machine *m, uint32_t index, struct unpack *in, struct err *e)
{
    struct device *d = nth_device(m, index);
    char id[DEVICE_ID_MAX];

    device_state_id(*in, id);
    if (strcmp(id, d->id) != 0) {
        return err_set(e, EINVAL, "its device %u is '%s', and '%s' in this vmm", index, id, d->id);
    }
    return device_state_load(d, in, e);
}

/* Fields, then rings and lines: on an online mem_reader, and the routes of messages in one go. */
static int load_devices(struct machine *m, struct err *e)
{
    struct mem_reader reader;
    int ret = 0;
    uint32_t i = 0;

    mem_reader_register(&reader, m->topo);
    mem_reader_online(&reader);
    msi_hold(&m->vm->msis);
    for (; nth_device(m, i) != NULL && ret == 0; i++) {
        ret = get_section(m, SECTION_DEVICE, i, load_device, e);
    }
    if (ret == 0 && snapshot_has(m->config->snapshot, SECTION_DEVICE, i)) {
        ret = err_set(e, EINVAL, "snapshot '%s' has more devices than this machine",
                      m->config->snapshot_load);
    }
    const int pushed = msi_release(&m->vm->msis);
    if (ret == 0 && pushed < 0) {
        ret = err_set(e, -pushed, "KVM refused the snapshot's interrupt messages: %s",
                      strerror(-pushed));
    }
    mem_reader_offline(&reader);
    mem_reader_unregister(&reader);
    return ret;
}

int snapshot_load(struct machine *m, struct err *e)
{
    int ret = vcpus_wait_ready(&m->vm->vcpus, e);

    clock_pause(&m->clock);
    if (ret == 0) {
        ret = get_section(m, SECTION_CPU, 0, load_cpu, e);
    }
    for (uint32_t i = 0; i < m->vm->vcpus.count && ret == 0; i++) {
        ret = get_section(m, SECTION_VCPU, i, load_vcpu, e);
    }
    if (ret == 0) {
        ret = get_section(m, SECTION_VM, 0, load_vm, e);
    }
    if (ret == 0) {
        ret = load_devices(m, e);
    }
    if (ret == 0) {
        resume_all(m);
    }
    clock_resume(&m->clock);
    return ret;
}
