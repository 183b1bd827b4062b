/*
 * Putting KVM's parts together: see vm.h.
 */
#include "src/vm.h"

#include "src/arch/cpu_spec.h"

#include <errno.h>
#include <stdlib.h>

/* --- what devices get -------------------------------------------------------- */

static struct irq vm_irq(void *opaque, unsigned gsi)
{
    struct machine *m = opaque;
    struct gsi_line *line;

    if (gsi >= ARCH_IRQ_PINS || m->vm->lines[gsi].sources == IRQ_OR_MAX) {
        return (struct irq){.n = gsi};
    }
    line = &m->vm->lines[gsi];
    return irq_or_source(&line->gate, line->sources++);
}

static int vm_irq_edge_get(void *opaque, unsigned gsi, struct irq_edge *out, struct err *e)
{
    struct machine *m = opaque;

    return irqchip_edge_get(&m->vm->chip, gsi, out, e);
}

static void vm_irq_edge_put(void *opaque, unsigned gsi, struct irq_edge *edge)
{
    struct machine *m = opaque;

    irqchip_edge_put(&m->vm->chip, gsi, edge);
}

static int vm_irq_level_get(void *opaque, unsigned gsi, struct irq *out, struct err *e)
{
    struct machine *m = opaque;

    if (gsi >= ARCH_IRQ_PINS) {
        return err_set(e, EINVAL, "there is no interrupt line %u", gsi);
    }
    struct level_line *line = &m->vm->levels[gsi];
    const int ret = line->sources == 0 ? level_line_init(line, &m->vm->chip, m->loop, gsi, e) : 0;
    return ret < 0 ? ret : level_line_source(line, out, e);
}

static int vm_msi_get(void *opaque, uint32_t requester, struct irq_msi *out, struct err *e)
{
    struct machine *m = opaque;

    return msi_get(&m->vm->msis, requester, out, e);
}

static int vm_msi_set(void *opaque, struct irq_msi *msi, uint64_t address, uint32_t data)
{
    struct machine *m = opaque;

    return msi_set(&m->vm->msis, msi, address, data);
}

static void vm_msi_put(void *opaque, struct irq_msi *msi)
{
    struct machine *m = opaque;

    msi_put(&m->vm->msis, msi);
}

static void vm_drain_posted(void *opaque)
{
    struct machine *m = opaque;

    coalesced_drain(&m->vm->vcpus.coalesced);
}

static void provide_env(struct machine *m)
{
    struct vm *vm = m->vm;

    for (unsigned gsi = 0; gsi < ARCH_IRQ_PINS; gsi++) {
        irq_or_init(&vm->lines[gsi].gate, irqchip_line(&vm->chip, gsi));
    }
    m->env.irq = vm_irq;
    m->env.irq_edge_get = vm_irq_edge_get;
    m->env.irq_edge_put = vm_irq_edge_put;
    m->env.irq_level_get = vm_irq_level_get;
    m->env.msi_get = vm_msi_get;
    m->env.msi_set = vm_msi_set;
    m->env.msi_put = vm_msi_put;
    m->env.drain_posted = vm_drain_posted;
    m->env.event = run_event;
    if (vm->synic != NULL) {
        m->env.hyperv = &vm->synic->hyperv;
    }
}

/* --- set-up ------------------------------------------------------------------ */

static int attach_doorbells(struct machine *m, struct err *e)
{
    struct vm *vm = m->vm;
    int ret = ioeventfds_attach(&vm->mem_doorbells, &vm->kvm, m->mem, false, e);

    if (ret < 0) {
        return ret;
    }
    vm->has_mem_doorbells = true;
    ret = ioeventfds_attach(&vm->io_doorbells, &vm->kvm, m->io, true, e);
    vm->has_io_doorbells = ret == 0;
    return ret;
}

static int create_chip(struct machine *m, struct err *e)
{
    struct vm *vm = m->vm;
    const int ret = irqchip_create(&vm->chip, &vm->kvm, e);

    if (ret < 0) {
        return ret;
    }
    msi_table_init(&vm->msis, &vm->chip);
    vm->has_chip = true;
    if (cpu_spec_switch(m->config->cpu, "hyperv")) {
        vm->synic = synic_new(&vm->kvm, &vm->msis, m->mem, m->loop, m->config->cpus, e);
        return vm->synic != NULL ? 0 : -ENOMEM;
    }
    return 0;
}

static int build_vcpus(struct machine *m, struct err *e)
{
    const struct vcpus_env env = {
        .topo = m->topo,
        .mem = m->mem,
        .io = m->io,
        .synic = m->vm->synic,
        .callbacks = {.event = run_event, .crash = run_crash, .opaque = m},
    };

    return vcpus_build(&m->vm->vcpus, &env, e);
}

static int attach_memory(struct machine *m, struct err *e)
{
    struct vm *vm = m->vm;
    int ret = memslots_attach(&vm->slots, &vm->kvm, m->mem, e);

    if (ret < 0) {
        return ret;
    }
    vm->has_slots = true;
    ret = create_chip(m, e);
    if (ret == 0) {
        ret = build_vcpus(m, e);
    }
    if (ret < 0) {
        return ret;
    }
    return m->config->posted ? attach_doorbells(m, e) : 0;
}

int vm_open(struct machine *m, struct err *e)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    int ret;

    if (vm == NULL) {
        return err_set(e, ENOMEM, "cannot set up a VM: out of memory");
    }
    m->vm = vm;
    ret = kvm_open(&vm->kvm, KVM_DEVICE, e);
    if (ret == 0) {
        vm->kvm.cpu_host = m->config->cpu_host;
        ret = vcpus_start(&vm->vcpus, &vm->kvm, m->config->cpus, m->config->cpu, e);
        vm->has_vcpus = ret == 0;
    }
    return ret;
}

int vm_build(struct machine *m, struct err *e)
{
    int ret;

    run_init(m);
    m->vm->has_run = true;
    ret = kvm_create_vm(&m->vm->kvm, e);
    if (ret == 0) {
        ret = attach_memory(m, e);
    }
    if (ret == 0) {
        provide_env(m);
    }
    return ret;
}

void vm_free(struct machine *m)
{
    struct vm *vm = m->vm;

    if (vm == NULL) {
        return;
    }
    if (vm->has_vcpus) {
        vcpus_destroy(&vm->vcpus);
    }
    /* The VM takes its slots and doorbells along: one by one, each would wait for the kernel. */
    kvm_close(&vm->kvm);
    if (vm->has_io_doorbells) {
        ioeventfds_detach(&vm->io_doorbells);
    }
    if (vm->has_mem_doorbells) {
        ioeventfds_detach(&vm->mem_doorbells);
    }
    synic_free(vm->synic);
    if (vm->has_chip) {
        msi_table_destroy(&vm->msis);
    }
    for (unsigned gsi = 0; gsi < ARCH_IRQ_PINS; gsi++) {
        if (vm->levels[gsi].sources > 0) {
            level_line_destroy(&vm->levels[gsi]);
        }
    }
    if (vm->has_slots) {
        memslots_detach(&vm->slots);
    }
    if (vm->has_run) {
        run_destroy(m);
    }
    free(vm);
    m->vm = NULL;
}
