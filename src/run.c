/*
 * Running a machine: see run.h.
 */
#include "src/run.h"

#include "src/arch/board.h"
#include "src/exec/exec.h"
#include "src/vm.h"

#include <errno.h>

/* --- events ---------------------------------------------------------------- */

static void ask_attention(struct machine *m)
{
    vcpus_ask_pause(&m->vm->vcpus);
    bh_schedule(&m->vm->run.event_bh);
}

static void request(struct machine *m, enum pending what, int status, const struct crash *crash)
{
    struct run *run = &m->vm->run;

    pthread_mutex_lock(&run->lock);
    if (what > run->pending) { /* the first; but a guest that reboots all the time can be ended */
        run->pending = what;
        run->status = status;
        run->crash = crash != NULL ? crash : run->crash;
    }
    pthread_mutex_unlock(&run->lock);
    ask_attention(m);
}

/* The guest of --exec is at its end; the session ends the run, once all that came is carried over.
 */
static void end_session(struct machine *m, int status)
{
    vcpus_ask_pause(&m->vm->vcpus); /* and nothing resumes them */
    exec_guest_ended(m->exec, status);
}

void run_event(void *opaque, enum machine_event event, int value)
{
    struct machine *m = opaque;

    if (m->exec != NULL &&
        (event == MACHINE_POWEROFF || event == MACHINE_REBOOT || event == MACHINE_PANIC)) {
        end_session(m, event == MACHINE_PANIC ? EXIT_PANIC : EXIT_HOST);
        return;
    }
    switch (event) {
    case MACHINE_READY:
        if (m->config->save.path != NULL) {
            request(m, PENDING_SNAPSHOT, EXIT_OK, NULL);
        }
        break;
    case MACHINE_POWEROFF:
        request(m, PENDING_END, EXIT_OK, NULL);
        break;
    case MACHINE_REBOOT:
        request(m, m->config->no_reboot ? PENDING_END : PENDING_REBOOT, EXIT_OK, NULL);
        break;
    case MACHINE_SLEEP:
        request(m, PENDING_SLEEP, EXIT_OK, NULL);
        break;
    case MACHINE_WAKE:
        request(m, PENDING_WAKE, EXIT_OK, NULL);
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
    struct machine *m = opaque;
    struct run *run = &m->vm->run;

    if (m->exec == NULL) {
        request(m, PENDING_END, c->status, c);
        return;
    }
    pthread_mutex_lock(&run->lock);
    run->crash = c;
    pthread_mutex_unlock(&run->lock);
    end_session(m, c->status);
}

void run_end(struct machine *m, int status)
{
    request(m, PENDING_END, status, NULL);
}

void run_quit(void *opaque)
{
    run_end(opaque, EXIT_INTERRUPT);
}

void run_ready(void *opaque)
{
    run_event(opaque, MACHINE_READY, 0);
}

void run_stop(struct machine *m)
{
    struct run *run = &m->vm->run;

    pthread_mutex_lock(&run->lock);
    run->stop = true;
    pthread_mutex_unlock(&run->lock);
    ask_attention(m);
}

static int no_kernel(struct err *e)
{
    err_set(e, EINVAL, "the guest reboots, and a snapshot has no kernel to load");
    err_hint(e, "--no-reboot ends vmm instead, with status 0; or give the kernel by --kernel");
    return -EINVAL;
}

/* Devices and interrupt controllers back to power-on; the vCPUs are paused. */
static int reset_devices(struct machine *m, struct err *e)
{
    int ret;

    for (struct device *d = m->devices; d != NULL; d = d->next) {
        device_reset(d);
    }
    if (m->vm->synic != NULL) {
        synic_reset(m->vm->synic);
    }
    ret = irqchip_reset(&m->vm->chip, e);
    return ret == 0 ? board_assign(m, e) : ret;
}

/* Everything back to power-on. */
static int restart(struct machine *m, struct err *e)
{
    struct boot_entry entry;
    int ret = m->config->kernel != NULL ? reset_devices(m, e) : no_kernel(e);

    if (ret == 0) {
        ret = ram_clear(&m->ram, e); /* KVM follows through the MMU notifier */
    }
    if (ret == 0) {
        ret = board_load(m, &entry, e);
    }
    return ret == 0 ? vcpus_reset(&m->vm->vcpus, &entry, e) : ret;
}

/* The end of S3: everything but RAM back to power-on, and the guest where it wants to go on. */
static int wake_up(struct machine *m, struct err *e)
{
    struct boot_entry entry;
    int ret;

    if (board_wake(m, &entry) < 0) {
        return restart(m, e);
    }
    ret = reset_devices(m, e);
    return ret == 0 ? vcpus_reset(&m->vm->vcpus, &entry, e) : ret;
}

/* What is to be done now, and whether run_go() is to return. */
static enum pending take_pending(struct run *run, bool *stop)
{
    pthread_mutex_lock(&run->lock);
    const enum pending pending = run->pending;
    if (pending != PENDING_END) {
        run->pending = PENDING_NOTHING;
    }
    *stop = run->stop;
    run->stop = false;
    pthread_mutex_unlock(&run->lock);
    return pending;
}

/* The first time the guest is ready; later it may say so in vain. */
static int save(struct machine *m, struct err *e)
{
    struct run *run = &m->vm->run;

    if (run->saved) {
        return 0;
    }
    run->saved = true;
    const int ret = snapshot_save(m, e);
    if (ret == 0 && !m->config->save.go_on) {
        run_end(m, EXIT_OK);
    }
    return ret;
}

/* Do what is pending, if it is not the end; the vCPUs are paused. */
static int act(struct machine *m, enum pending pending, struct err *e)
{
    int ret = 0;

    if (pending == PENDING_SNAPSHOT) {
        ret = save(m, e);
    } else if (pending == PENDING_SLEEP) {
        m->vm->run.asleep = true;
    } else if (pending == PENDING_WAKE || pending == PENDING_REBOOT) {
        ret = pending == PENDING_WAKE ? wake_up(m, e) : restart(m, e);
        m->vm->run.asleep = false;
    }
    return ret;
}

static void resume(struct machine *m)
{
    if (!m->vm->run.asleep) {
        vcpus_resume(&m->vm->vcpus);
    }
}

static void handle_event(void *opaque)
{
    struct machine *m = opaque;
    struct vm *vm = m->vm;
    bool stop;

    vcpus_pause(&vm->vcpus);
    coalesced_drain(&vm->vcpus.coalesced);
    const enum pending pending = take_pending(&vm->run, &stop);
    if (act(m, pending, &vm->run.err) < 0) {
        run_end(m, (int)vm->run.err.status);
        return;
    }
    if (vm->run.pending == PENDING_END || stop) { /* also by what was just done */
        loop_stop(m->loop);
    } else {
        resume(m);
    }
}

/* --- the run ----------------------------------------------------------------- */

void run_init(struct machine *m)
{
    struct run *run = &m->vm->run;

    run->err = ERR_INIT;
    pthread_mutex_init(&run->lock, NULL);
    bh_init(&run->event_bh, m->loop, handle_event, m);
}

void run_destroy(struct machine *m)
{
    bh_cancel(&m->vm->run.event_bh);
    pthread_mutex_destroy(&m->vm->run.lock);
}

int run_start(struct machine *m, struct err *e)
{
    struct boot_entry entry;
    int ret;

    if (m->config->snapshot != NULL) {
        return snapshot_load(m, e);
    }
    ret = board_load(m, &entry, e);
    return ret < 0 ? ret : run_enter(m, &entry, e);
}

int run_enter(struct machine *m, const struct boot_entry *entry, struct err *e)
{
    return vcpus_reset(&m->vm->vcpus, entry, e);
}

void run_go_on(struct machine *m)
{
    struct run *run = &m->vm->run;

    pthread_mutex_lock(&run->lock);
    const bool asked = run->stop || run->pending != PENDING_NOTHING;
    pthread_mutex_unlock(&run->lock);
    if (!asked) {
        resume(m);
    }
}

bool run_go(struct machine *m)
{
    if (m->vm->run.pending != PENDING_END) {
        loop_set_topology(m->loop, m->topo);
        resume(m);
        loop_run(m->loop);
        loop_set_topology(m->loop, NULL);
    }
    return m->vm->run.pending == PENDING_END;
}
