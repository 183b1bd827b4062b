/*
 * Running a machine: see run.h.
 */
#include "src/run.h"

#include "src/arch/board.h"
#include "src/console/chardev.h"
#include "src/vm.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* --- events ---------------------------------------------------------------- */

static void request(struct machine *m, enum pending what, int status, const struct crash *crash)
{
    struct run *run = &m->vm->run;

    pthread_mutex_lock(&run->lock);
    if (what > run->pending) { /* the first; but a guest that reboots all the time can be ended */
        run->pending = what;
        run->status = status;
        run->crash = crash;
    }
    pthread_mutex_unlock(&run->lock);
    vcpus_ask_pause(&m->vm->vcpus);
    bh_schedule(&run->event_bh);
}

void run_event(void *opaque, enum machine_event event, int value)
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

void run_crash(void *opaque, const struct crash *c)
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
    if (read(m->vm->run.signals.fd, &info, sizeof(info)) == sizeof(info)) {
        request(m, PENDING_END, EXIT_INTERRUPT, NULL);
    }
}

void run_quit(void *opaque)
{
    request(opaque, PENDING_END, EXIT_INTERRUPT, NULL);
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
        ret = board_assign(m, e);
    }
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
    pthread_mutex_lock(&vm->run.lock);
    pending = vm->run.pending;
    if (pending == PENDING_REBOOT) {
        vm->run.pending = PENDING_NOTHING;
    }
    pthread_mutex_unlock(&vm->run.lock);

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
    vm->run.signals = (struct loop_fd){
        .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = on_signal, .opaque = m};
    if (vm->run.signals.fd < 0) {
        return err_set(e, errno, "cannot watch signals: %s", strerror(errno));
    }
    return loop_add_fd(m->loop, &vm->run.signals, EPOLLIN);
}

static void unwatch_signals(struct machine *m)
{
    if (m->vm->run.signals.fd >= 0) {
        loop_del_fd(m->loop, &m->vm->run.signals);
        close(m->vm->run.signals.fd);
        m->vm->run.signals.fd = -1;
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

    if (m->vm->run.crash != NULL) {
        crash_print(m->vm->run.crash, stderr);
    } else if (m->vm->run.status == EXIT_TIMEOUT) {
        err_set(&e, ETIMEDOUT, "the guest did not end within --timeout %g seconds",
                (double)m->config->timeout_ns / (double)NS_PER_SEC);
        err_print(&e);
    }
}

void run_init(struct machine *m)
{
    struct run *run = &m->vm->run;

    run->signals.fd = -1;
    pthread_mutex_init(&run->lock, NULL);
    bh_init(&run->event_bh, m->loop, handle_event, m);
    timer_init(&run->timeout, m->loop, on_timeout, m);
}

void run_destroy(struct machine *m)
{
    pthread_mutex_destroy(&m->vm->run.lock);
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
        timer_arm(&vm->run.timeout, clock_now(&m->clock) + m->config->timeout_ns);
    }
    loop_set_topology(m->loop, m->topo);
    vcpus_resume(&vm->vcpus);
    loop_run(m->loop);
    loop_set_topology(m->loop, NULL);

    vcpus_stop(&vm->vcpus);
    chardev_flush(m->console);
    chardev_restore_terminal(); /* what follows has lines of its own */
    explain_end(m);
    if (m->config->info_at_end) {
        machine_info(m, m->config->info, stderr); /* stdout is the guest's */
    }
    status = vm->run.status;
    timer_cancel(&vm->run.timeout);
    unwatch_signals(m);
    return status;
}
