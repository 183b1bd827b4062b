/*
 * Running a machine: see run.h.
 *
 * A run ends, or starts over, by an event: from a device (power-off, reboot,
 * panic, debug-exit), from a vCPU (crash), from a signal, a key or the timeout.
 * Whoever brings it records it, asks the vCPUs to pause and schedules
 * handle_event() on the main loop. The first event wins.
 */
#include "src/run.h"

#include "src/arch/board.h"
#include "src/console/chardev.h"
#include "src/kvm/ioeventfd.h"
#include "src/kvm/irqchip.h"
#include "src/kvm/kvm.h"
#include "src/kvm/memslot.h"
#include "src/kvm/vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum pending {
    PENDING_NOTHING,
    PENDING_REBOOT,
    PENDING_END,
};

/* The level sources that devices share a GSI by. */
struct gsi_line {
    struct irq_or gate;
    unsigned sources;
};

struct vm {
    struct kvm kvm;
    struct memslots slots;
    struct irqchip chip;
    struct ioeventfds mem_doorbells;
    struct ioeventfds io_doorbells;
    struct vcpus vcpus;
    struct gsi_line lines[ARCH_IRQ_PINS];
    bool has_slots, has_chip, has_mem_doorbells, has_io_doorbells, has_vcpus;

    struct bh event_bh;
    struct timer timeout;
    struct loop_fd signals;

    pthread_mutex_t lock;
    enum pending pending;
    int status;
    const struct crash *crash;
};

/* --- events ---------------------------------------------------------------- */

static void request(struct machine *m, enum pending what, int status, const struct crash *crash)
{
    struct vm *vm = m->vm;

    pthread_mutex_lock(&vm->lock);
    if (vm->pending == PENDING_NOTHING) {
        vm->pending = what;
        vm->status = status;
        vm->crash = crash;
    }
    pthread_mutex_unlock(&vm->lock);
    vcpus_ask_pause(&vm->vcpus);
    bh_schedule(&vm->event_bh);
}

static void on_event(void *opaque, enum machine_event event, int value)
{
    struct machine *m = opaque;

    switch (event) {
    case MACHINE_POWEROFF:
        request(m, PENDING_END, EXIT_OK, NULL);
        break;
    case MACHINE_REBOOT:
        request(m, m->config->no_reboot ? PENDING_END : PENDING_REBOOT, EXIT_OK, NULL);
        break;
    case MACHINE_PANIC:
        request(m, PENDING_END, EXIT_PANIC, NULL);
        break;
    case MACHINE_DEBUG_EXIT:
        request(m, PENDING_END, value, NULL);
        break;
    }
}

static void on_crash(void *opaque, const struct crash *c)
{
    request(opaque, PENDING_END, c->status, c);
}

static void on_timeout(void *opaque)
{
    request(opaque, PENDING_END, EXIT_TIMEOUT, NULL);
}

static void on_signal(void *opaque, uint32_t events)
{
    struct machine *m = opaque;
    struct signalfd_siginfo info;

    (void)events;
    if (read(m->vm->signals.fd, &info, sizeof(info)) == sizeof(info)) {
        request(m, PENDING_END, EXIT_INTERRUPT, NULL);
    }
}

void vm_quit(void *machine)
{
    request(machine, PENDING_END, EXIT_INTERRUPT, NULL);
}

/* Everything back to power-on; the vCPUs are paused. */
static int restart(struct machine *m, struct err *e)
{
    struct boot_entry entry;
    int ret;

    for (struct device *d = m->devices; d != NULL; d = d->next) {
        device_reset(d);
    }
    /* Fresh zero pages; KVM follows through the MMU notifier. */
    if (madvise(m->ram.host, m->ram.size, MADV_DONTNEED) < 0) {
        return err_set(e, errno, "cannot clear guest RAM: %s", strerror(errno));
    }
    ret = irqchip_reset(&m->vm->chip, e);
    if (ret == 0) {
        ret = board_load(m, &entry, e);
    }
    if (ret == 0) {
        ret = vcpus_reset(&m->vm->vcpus, &entry, e);
    }
    return ret;
}

static void handle_event(void *opaque)
{
    struct machine *m = opaque;
    struct vm *vm = m->vm;
    struct err e = ERR_INIT;
    enum pending pending;

    vcpus_pause(&vm->vcpus);
    coalesced_drain(&vm->vcpus.coalesced);
    pthread_mutex_lock(&vm->lock);
    pending = vm->pending;
    if (pending == PENDING_REBOOT) {
        vm->pending = PENDING_NOTHING;
    }
    pthread_mutex_unlock(&vm->lock);

    if (pending == PENDING_END) {
        loop_stop(m->loop);
    } else if (pending == PENDING_REBOOT) {
        if (restart(m, &e) < 0) {
            err_print(&e);
            request(m, PENDING_END, (int)e.status, NULL);
            return;
        }
        vcpus_resume(&vm->vcpus);
    }
}

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
    m->env.drain_posted = vm_drain_posted;
    m->env.event = on_event;
}

/* --- set-up ------------------------------------------------------------------ */

static int attach_memory(struct machine *m, struct err *e)
{
    struct vm *vm = m->vm;
    int ret = memslots_attach(&vm->slots, &vm->kvm, m->mem, e);

    if (ret < 0) {
        return ret;
    }
    vm->has_slots = true;
    ret = irqchip_create(&vm->chip, &vm->kvm, e);
    if (ret < 0) {
        return ret;
    }
    vm->has_chip = true;
    ret = vcpus_build(&vm->vcpus, e);
    if (ret < 0) {
        return ret;
    }
    ret = ioeventfds_attach(&vm->mem_doorbells, &vm->kvm, m->mem, false, e);
    if (ret < 0) {
        return ret;
    }
    vm->has_mem_doorbells = true;
    ret = ioeventfds_attach(&vm->io_doorbells, &vm->kvm, m->io, true, e);
    vm->has_io_doorbells = ret == 0;
    return ret;
}

static int create_vcpus(struct machine *m, struct err *e)
{
    struct vm *vm = m->vm;
    const struct vcpus_config cfg = {
        .kvm = &vm->kvm,
        .topo = m->topo,
        .mem = m->mem,
        .io = m->io,
        .count = m->config->cpus,
        .cpu = m->config->cpu,
        .callbacks = {.event = on_event, .crash = on_crash, .opaque = m},
    };
    int ret = vcpus_create(&vm->vcpus, &cfg, e);

    vm->has_vcpus = ret == 0;
    return ret == 0 ? vcpus_start(&vm->vcpus, e) : ret;
}

int vm_new(struct machine *m, struct err *e)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    int ret;

    if (vm == NULL) {
        return err_set(e, ENOMEM, "cannot set up a VM: out of memory");
    }
    m->vm = vm;
    vm->kvm.dev_fd = -1;
    vm->kvm.vm_fd = -1;
    vm->signals.fd = -1;
    pthread_mutex_init(&vm->lock, NULL);
    bh_init(&vm->event_bh, m->loop, handle_event, m);
    timer_init(&vm->timeout, m->loop, on_timeout, m);

    ret = kvm_open(&vm->kvm, KVM_DEVICE, e);
    if (ret == 0) {
        ret = create_vcpus(m, e);
    }
    if (ret == 0) {
        ret = kvm_create_vm(&vm->kvm, e);
    }
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
    if (vm->has_chip) {
        irqchip_destroy(&vm->chip);
    }
    if (vm->has_slots) {
        memslots_detach(&vm->slots);
    }
    pthread_mutex_destroy(&vm->lock);
    free(vm);
    m->vm = NULL;
}

/* --- the run ----------------------------------------------------------------- */

/* SIGINT and friends become an event of the loop; all threads inherit the blocked mask. */
static int watch_signals(struct machine *m, struct err *e)
{
    struct vm *vm = m->vm;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    vm->signals = (struct loop_fd){
        .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = on_signal, .opaque = m};
    if (vm->signals.fd < 0) {
        return err_set(e, errno, "cannot watch signals: %s", strerror(errno));
    }
    return loop_add_fd(m->loop, &vm->signals, EPOLLIN);
}

static void unwatch_signals(struct machine *m)
{
    if (m->vm->signals.fd >= 0) {
        loop_del_fd(m->loop, &m->vm->signals);
        close(m->vm->signals.fd);
        m->vm->signals.fd = -1;
    }
}

static int start(struct machine *m, struct err *e)
{
    struct boot_entry entry;
    int ret = board_load(m, &entry, e);

    if (ret == 0) {
        ret = vcpus_reset(&m->vm->vcpus, &entry, e);
    }
    if (ret == 0) {
        ret = watch_signals(m, e);
    }
    return ret;
}

/* Say on stderr why the run ended, where the status alone does not. */
static void explain_end(const struct machine *m)
{
    struct err e = ERR_INIT;

    if (m->vm->crash != NULL) {
        crash_print(m->vm->crash, stderr);
    } else if (m->vm->status == EXIT_TIMEOUT) {
        err_set(&e, ETIMEDOUT, "the guest did not end within --timeout %g seconds",
                (double)m->config->timeout_ns / (double)NS_PER_SEC);
        err_print(&e);
    }
}

int machine_run(struct machine *m)
{
    struct vm *vm = m->vm;
    struct err e = ERR_INIT;
    int status;

    if (start(m, &e) < 0) {
        err_print(&e);
        vcpus_stop(&vm->vcpus);
        unwatch_signals(m);
        return (int)e.status;
    }
    if (m->config->timeout_ns != 0) {
        timer_arm(&vm->timeout, clock_now(&m->clock) + m->config->timeout_ns);
    }
    loop_set_topology(m->loop, m->topo);
    vcpus_resume(&vm->vcpus);
    loop_run(m->loop);
    loop_set_topology(m->loop, NULL);

    vcpus_stop(&vm->vcpus);
    chardev_flush(m->console);
    chardev_restore_terminal(); /* what follows has lines of its own */
    explain_end(m);
    status = vm->status;
    timer_cancel(&vm->timeout);
    unwatch_signals(m);
    return status;
}
