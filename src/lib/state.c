/*
 * A paused machine's state, and what disturbs it: memory, registers, console, interrupts, faults.
 */
#include "src/base/opts.h"
#include "src/console/memory.h"
#include "src/kvm/regs.h"
#include "src/lib/internal.h"
#include "src/mem/dma.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- memory --------------------------------------------------------------- */

static int check_copy(int ret, uint64_t gpa, size_t len, struct vmm_error *e)
{
    return ret < 0 ? lib_fail(e, EFAULT, "0x%" PRIx64 ", %zu bytes: not all of it is guest RAM",
                              gpa, len)
                   : 0;
}

int vmm_read(struct vmm *m, uint64_t gpa, void *buf, size_t len, struct vmm_error *e)
{
    return check_copy(dma_read(m->machine->mem, gpa, buf, len), gpa, len, e);
}

int vmm_write(struct vmm *m, uint64_t gpa, const void *buf, size_t len, struct vmm_error *e)
{
    return check_copy(dma_write(m->machine->mem, gpa, buf, len), gpa, len, e);
}

/* --- registers ------------------------------------------------------------ */

static int find_vcpu(const struct vmm *m, unsigned cpu, int *fd, struct vmm_error *e)
{
    if (!m->loaded) {
        return lib_fail(e, EINVAL, "registers are not set before vmm_load()");
    }
    if (cpu >= m->config.cpus) {
        return lib_fail(e, ENOENT, "there is no vCPU %u", cpu);
    }
    *fd = m->machine->vm->vcpus.vcpu[cpu].fd;
    return 0;
}

/* Say what is wrong with a register's name. */
static int check_reg(int ret, const char *name, struct vmm_error *e)
{
    struct opt_guess guess;
    const char *known;

    if (ret == -EPERM) {
        return lib_fail(e, EPERM, "register %s cannot be set", name);
    }
    if (ret != -ENOENT) {
        return ret < 0 ? lib_fail(e, -ret, "KVM refused register %s: %s", name, strerror(-ret)) : 0;
    }
    lib_fail(e, ENOENT, "there is no register '%s'", name);
    opt_guess_start(&guess, name);
    for (size_t i = 0; (known = vcpu_reg_name(i)) != NULL; i++) {
        opt_guess_try(&guess, known);
    }
    if (e != NULL && guess.best != NULL) {
        snprintf(e->hint, sizeof(e->hint), "did you mean '%s'?", guess.best);
    }
    return ret;
}

int vmm_reg(struct vmm *m, unsigned cpu, const char *name, uint64_t *value, struct vmm_error *e)
{
    int fd = -1;
    const int ret = find_vcpu(m, cpu, &fd, e);

    return ret < 0 ? ret : check_reg(vcpu_reg_get(&m->machine->vm->kvm, fd, name, value), name, e);
}

int vmm_set_reg(struct vmm *m, unsigned cpu, const char *name, uint64_t value, struct vmm_error *e)
{
    int fd = -1;
    const int ret = find_vcpu(m, cpu, &fd, e);

    return ret < 0 ? ret : check_reg(vcpu_reg_set(&m->machine->vm->kvm, fd, name, value), name, e);
}

/* --- the console ---------------------------------------------------------- */

const char *vmm_console(struct vmm *m, size_t *len)
{
    size_t ignored = 0;

    len = len != NULL ? len : &ignored;
    *len = 0;
    return m->config.console == NULL ? memory_console_text(m->machine->console, len) : "";
}

void vmm_console_clear(struct vmm *m)
{
    size_t len;

    vmm_console(m, &len);
    if (len != 0) {
        memory_console_forget(m->machine->console, len);
    }
}

int vmm_console_send(struct vmm *m, const void *data, size_t len, struct vmm_error *e)
{
    if (m->config.console != NULL) {
        return lib_fail(e, EINVAL, "the machine has no console (console=null)");
    }
    const int ret = memory_console_send(m->machine->console, data, len);
    return ret < 0 ? lib_fail(e, -ret, "console input of %zu bytes: %s", len, strerror(-ret)) : 0;
}

/* --- interrupts ------------------------------------------------------------- */

int vmm_irq(struct vmm *m, unsigned gsi, bool level, struct vmm_error *e)
{
    if (gsi >= ARCH_IRQ_PINS) {
        return lib_fail(e, EINVAL, "there is no interrupt line %u", gsi);
    }
    if (m->lines == NULL) {
        m->lines = calloc(ARCH_IRQ_PINS, sizeof(*m->lines));
        if (m->lines == NULL) {
            return lib_fail(e, ENOMEM, "out of memory for interrupt lines");
        }
    }
    if (m->lines[gsi].set == NULL) { /* one more source of the line, once */
        m->lines[gsi] = m->machine->env.irq(m->machine, gsi);
        if (m->lines[gsi].set == NULL) {
            return lib_fail(e, ENOSPC, "interrupt line %u has too many devices", gsi);
        }
    }
    irq_set(&m->lines[gsi], level);
    return 0;
}

int vmm_irq_pulse(struct vmm *m, unsigned gsi, struct vmm_error *e)
{
    const int ret = vmm_irq(m, gsi, true, e);

    return ret < 0 ? ret : vmm_irq(m, gsi, false, e);
}

int vmm_msi(struct vmm *m, uint64_t address, uint32_t data, struct vmm_error *e)
{
    const int ret = irqchip_signal_msi(&m->machine->vm->chip, address, data);

    return ret < 0 ? lib_fail(e, -ret, "a message to 0x%" PRIx64 ": %s", address, strerror(-ret))
                   : 0;
}

/* --- faults ----------------------------------------------------------------- */

static struct device *find_device(const struct vmm *m, const char *id, struct vmm_error *e)
{
    struct opt_guess guess;

    opt_guess_start(&guess, id);
    for (struct device *d = m->machine->devices; d != NULL; d = d->next) {
        if (strcmp(d->id, id) == 0) {
            return d;
        }
        opt_guess_try(&guess, d->id);
    }
    lib_fail(e, ENOENT, "the machine has no device '%s'", id);
    if (e != NULL && guess.best != NULL) {
        snprintf(e->hint, sizeof(e->hint), "did you mean '%s'?", guess.best);
    }
    return NULL;
}

int vmm_inject(struct vmm *m, const char *device, const struct vmm_fault *f, struct vmm_error *e)
{
    static const enum device_fault_kind kinds[] = {
        [VMM_FAULT_READ] = DEVICE_FAULT_READ,
        [VMM_FAULT_WRITE] = DEVICE_FAULT_WRITE,
        [VMM_FAULT_DMA] = DEVICE_FAULT_DMA,
        [VMM_FAULT_IO] = DEVICE_FAULT_IO,
    };
    struct device *d = find_device(m, device, e);
    struct err inner = ERR_INIT;

    if (d == NULL) {
        return -ENOENT;
    }
    if (f->kind > VMM_FAULT_IO) {
        return lib_fail(e, EINVAL, "there is no fault %u", (unsigned)f->kind);
    }
    const struct device_fault fault = {
        .kind = kinds[f->kind],
        .any_offset = f->any_offset || f->kind == VMM_FAULT_DMA,
        .offset = f->offset,
        .after = f->after,
        .times = f->times != 0 ? f->times : UINT64_MAX,
    };
    const int ret = device_fault_add(d, &fault, &inner);
    if (ret < 0) {
        lib_error(e, &inner);
    }
    return ret;
}

uint64_t vmm_faults(const struct vmm *m, const char *device)
{
    const struct device *d = find_device(m, device, NULL);

    return d != NULL ? device_fault_count(d) : 0;
}

int vmm_heal(struct vmm *m, const char *device, struct vmm_error *e)
{
    struct device *d = find_device(m, device, e);

    if (d == NULL) {
        return -ENOENT;
    }
    device_fault_clear(d);
    return 0;
}
