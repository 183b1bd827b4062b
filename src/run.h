/*
 * The run of a machine, from the first instruction to its end.
 *
 * A run ends, sleeps, starts over or is saved, by an event: from a device (power-off, reboot,
 * sleep, panic, debug-exit, ready), from a vCPU (crash), or from whoever uses the machine.
 * Whoever brings it records it, asks the vCPUs to pause and schedules the main
 * loop to act on it. The first event wins, but an end wins over a reboot that
 * has not begun.
 *
 * Nothing here prints, waits for time, or knows of signals and terminals: those are
 * the command line's (src/run_cli.c).
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
    PENDING_SNAPSHOT,
    PENDING_SLEEP,
    PENDING_WAKE,
    PENDING_REBOOT,
    PENDING_END,
};

struct run {
    struct bh event_bh;

    pthread_mutex_t lock;
    enum pending pending;
    bool asleep;               /* the vCPUs stay paused until something wakes the machine */
    bool saved;                /* the snapshot is made; or begun */
    bool stop;                 /* run_go() is to return; the guest is to stay as it is */
    int status;                /* of PENDING_END */
    const struct crash *crash; /* NULL: none */
    struct err err;            /* why a reboot or snapshot failed; what empty: none did */
};

/* m->vm->run, before anything can report an event. */
void run_init(struct machine *m);
void run_destroy(struct machine *m);

/* Load the kernel, and power-on state for the vCPUs; or a snapshot. Once, before run_go(). 0 or
 * -errno. */
int run_start(struct machine *m, struct err *e);

/* Instead of that, for code that is in memory already: vCPU 0 begins at entry. 0 or -errno. */
int run_enter(struct machine *m, const struct boot_entry *entry, struct err *e);

/*
 * Let the guest run until it ends (true: run.status says how) or until run_stop()
 * (false: run_go() goes on where it was). When it returns the vCPUs are paused. After
 * the end it returns at once.
 */
bool run_go(struct machine *m);

/* From any thread. What comes first counts; a stop that nobody waits for ends the next run_go(). */
void run_stop(struct machine *m);
void run_end(struct machine *m, int status);

/*
 * For a callback of the main loop that has paused the vCPUs to look at them: go on, unless a stop
 * or an end was asked for meanwhile.
 */
void run_go_on(struct machine *m);

/* For struct device_env, struct vm_callbacks and struct chardev_escape; opaque is the machine. */
void run_event(void *opaque, enum machine_event event, int value);
void run_crash(void *opaque, const struct crash *c);
void run_quit(void *opaque);  /* Ctrl-A x: status 130 */
void run_ready(void *opaque); /* for chardev_watch() */

#endif
