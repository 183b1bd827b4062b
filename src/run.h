/*
 * The run of a machine, from the first instruction to an exit status.
 *
 * A run ends, or starts over, by an event: from a device (power-off, reboot,
 * panic, debug-exit), from a vCPU (crash), from a signal, a key or the timeout.
 * Whoever brings it records it, asks the vCPUs to pause and schedules the main
 * loop to act on it. The first event wins, but an end wins over a reboot that
 * has not begun.
 *
 * Locking: events arrive on any thread and are recorded under run.lock; the
 * rest is the main thread's.
 */
#ifndef RUN_H
#define RUN_H

#include "src/kvm/vcpu.h"
#include "src/machine.h"

#include <pthread.h>

/* What is to be done; a later value wins over an earlier one. */
enum pending {
    PENDING_NOTHING,
    PENDING_REBOOT,
    PENDING_END,
};

struct run {
    struct bh event_bh;
    struct timer timeout;
    struct loop_fd signals; /* fd -1: not watched */

    pthread_mutex_t lock;
    enum pending pending;
    int status;                /* of PENDING_END */
    const struct crash *crash; /* NULL: none */
};

/* m->vm->run, before anything can report an event. */
void run_init(struct machine *m);
void run_destroy(struct machine *m);

/* For struct device_env, struct vm_callbacks and struct chardev_escape; opaque is the machine. */
void run_event(void *opaque, enum machine_event event, int value);
void run_crash(void *opaque, const struct crash *c);
void run_quit(void *opaque); /* Ctrl-A x: status 130 */

#endif
