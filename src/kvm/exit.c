/*
 * Exit dispatch.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, section 5 "The kvm_run structure".
 * Locking: see exit.h.
 */
#include "src/kvm/exit.h"

#include "src/base/trace.h"
#include "src/kvm/record.h"
#include "src/kvm/synic.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KVM_ENOSYS_RESULT ((uint64_t)-1000) /* what a hypercall nobody knows returns */

/* Record why the vCPU cannot go on, and stop the others; only the first crash counts. */
__attribute__((format(printf, 3, 4))) static void crash(struct vcpu *v, enum exit_status status,
                                                        const char *fmt, ...)
{
    struct vcpus *s = v->set;
    pthread_mutex_lock(&s->lock);
    bool first = !s->crashed;
    s->crashed = true;
    pthread_mutex_unlock(&s->lock);
    if (!first) {
        return;
    }
    s->crash.vcpu = v->index;
    s->crash.status = status;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->crash.reason, sizeof(s->crash.reason), fmt, ap);
    va_end(ap);
    cpu_dump_take(s->crash.dump, s->kvm, v->fd, v->run, s->env.mem);
    vcpus_ask_pause(s);
    s->env.callbacks.crash(s->env.callbacks.opaque, &s->crash);
}

/* --- accesses --------------------------------------------------------- */

/* String I/O: count items one after the other in data, all to the same port. */
static bool handle_io(struct vcpu *v)
{
    struct kvm_run *run = v->run;
    uint64_t room = v->set->kvm->run_size;
    uint64_t offset = run->io.data_offset;
    uint64_t size = run->io.size;
    uint64_t bytes = size * run->io.count;
    if (size == 0 || size > 4 || offset > room || bytes > room - offset) {
        crash(v, EXIT_HOST, "KVM's port access of %" PRIu64 " bytes is outside its page", bytes);
        return false;
    }
    uint8_t *data = (uint8_t *)run + offset;
    for (uint64_t at = 0; at < bytes; at += size) {
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            aspace_write(v->set->env.io, run->io.port, data + at, size);
        } else {
            aspace_read(v->set->env.io, run->io.port, data + at, size);
        }
        record_access(v, true, run->io.direction == KVM_EXIT_IO_OUT, run->io.port, data + at, size);
    }
    return true;
}

static bool handle_mmio(struct vcpu *v)
{
    struct kvm_run *run = v->run;
    size_t len = run->mmio.len <= sizeof(run->mmio.data) ? run->mmio.len : sizeof(run->mmio.data);
    if (run->mmio.is_write) {
        aspace_write(v->set->env.mem, run->mmio.phys_addr, run->mmio.data, len);
    } else {
        aspace_read(v->set->env.mem, run->mmio.phys_addr, run->mmio.data, len);
    }
    record_access(v, false, run->mmio.is_write != 0, run->mmio.phys_addr, run->mmio.data, len);
    return true;
}

/* --- events ----------------------------------------------------------- */

/*
 * Nothing to do but enter again: INTR and NMI belong to the host, and a HLT
 * waits inside KVM, which has the local APIC; one that comes out is retried.
 */
static bool handle_retry(struct vcpu *v)
{
    (void)v;
    return true;
}

static bool handle_hypercall(struct vcpu *v)
{
    v->run->hypercall.ret = KVM_ENOSYS_RESULT;
    return true;
}

static bool handle_system_event(struct vcpu *v)
{
    const struct vm_callbacks *cb = &v->set->env.callbacks;
    switch (v->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        cb->event(cb->opaque, MACHINE_POWEROFF, 0);
        return false;
    case KVM_SYSTEM_EVENT_RESET:
        cb->event(cb->opaque, MACHINE_REBOOT, 0);
        return false;
    case KVM_SYSTEM_EVENT_CRASH:
        cb->event(cb->opaque, MACHINE_PANIC, 0);
        return false;
    default:
        crash(v, EXIT_HOST, "KVM reports system event %u, which vmm did not ask for",
              v->run->system_event.type);
        return false;
    }
}

/* --- ends ------------------------------------------------------------- */

static bool handle_shutdown(struct vcpu *v)
{
    crash(
        v, EXIT_CRASH,
        "triple fault: an exception that could be delivered neither itself nor as a double fault");
    return false;
}

static bool handle_fail_entry(struct vcpu *v)
{
    crash(v, EXIT_CRASH, "the processor refused to enter the guest: hardware reason 0x%" PRIx64,
          (uint64_t)v->run->fail_entry.hardware_entry_failure_reason);
    return false;
}

static bool handle_internal_error(struct vcpu *v)
{
    static const char *const meaning[] = {
        [KVM_INTERNAL_ERROR_EMULATION] = "KVM cannot emulate the instruction",
        [KVM_INTERNAL_ERROR_SIMUL_EX] = "an exception while another was delivered",
        [KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit while an event was delivered",
        [KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "the processor gave an unknown exit reason",
    };
    uint32_t sub = v->run->internal.suberror;
    const char *text = sub < sizeof(meaning) / sizeof(meaning[0]) ? meaning[sub] : NULL;
    crash(v, EXIT_CRASH, "KVM internal error %u: %s", sub, text != NULL ? text : "unknown");
    return false;
}

/* arm64: the processor said which address, and not what the instruction does there. */
static bool handle_nisv(struct vcpu *v)
{
    crash(v, EXIT_CRASH,
          "an access to a device at 0x%" PRIx64 " by an instruction KVM cannot carry out "
          "(a pair, vector or write-back load or store, or a cache operation)",
          (uint64_t)v->run->arm_nisv.fault_ipa);
    return false;
}

static bool handle_unknown(struct vcpu *v)
{
    crash(v, EXIT_CRASH, "KVM returned with exit reason %u (%s), which vmm does not handle",
          v->run->exit_reason, exit_name(v->run->exit_reason));
    return false;
}

static bool handle_hyperv(struct vcpu *v)
{
    struct synic *s = v->set->env.synic;
    return s != NULL && synic_exit(s, v->index, &v->run->hyperv) ? true : handle_unknown(v);
}

static const struct {
    const char *name;
    bool (*handle)(struct vcpu *v);
} exits[VCPU_EXIT_REASONS] = {
    [KVM_EXIT_UNKNOWN] = {"hardware-unknown", handle_unknown},
    [KVM_EXIT_EXCEPTION] = {"exception", handle_unknown},
    [KVM_EXIT_IO] = {"io", handle_io},
    [KVM_EXIT_HYPERCALL] = {"hypercall", handle_hypercall},
    [KVM_EXIT_DEBUG] = {"debug", handle_unknown},
    [KVM_EXIT_HLT] = {"hlt", handle_retry},
    [KVM_EXIT_MMIO] = {"mmio", handle_mmio},
    [KVM_EXIT_IRQ_WINDOW_OPEN] = {"irq-window", handle_retry},
    [KVM_EXIT_SHUTDOWN] = {"shutdown", handle_shutdown},
    [KVM_EXIT_FAIL_ENTRY] = {"fail-entry", handle_fail_entry},
    [KVM_EXIT_INTR] = {"intr", handle_retry},
    [KVM_EXIT_NMI] = {"nmi", handle_retry},
    [KVM_EXIT_INTERNAL_ERROR] = {"internal-error", handle_internal_error},
    [KVM_EXIT_SYSTEM_EVENT] = {"system-event", handle_system_event},
    [KVM_EXIT_HYPERV] = {"hyperv", handle_hyperv},
    [KVM_EXIT_ARM_NISV] = {"arm-nisv", handle_nisv},
};

const char *exit_name(unsigned reason)
{
    return reason < VCPU_EXIT_REASONS && exits[reason].name != NULL ? exits[reason].name
                                                                    : "unknown";
}

bool exit_handle(struct vcpu *v)
{
    uint32_t reason = v->run->exit_reason;
    uint32_t index = reason < VCPU_EXIT_REASONS ? reason : VCPU_EXIT_REASONS - 1;
    /* One writer: a load and a store, no locked instruction. */
    uint64_t n = atomic_load_explicit(&v->exits[index], memory_order_relaxed);
    atomic_store_explicit(&v->exits[index], n + 1, memory_order_relaxed);
    trace(TRACE_kvm_exit, "vcpu %u %s", v->index, exit_name(reason));
    return exits[index].handle != NULL ? exits[index].handle(v) : handle_unknown(v);
}

void exit_run_failed(struct vcpu *v, int code)
{
    crash(v, EXIT_HOST, "KVM_RUN failed: %s", strerror(code));
}
