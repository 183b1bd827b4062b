/*
 * What the files of the library share: a machine with what watches over its run.
 *
 * Locking: one thread uses a machine at a time. `found` is written under found_lock by vCPU threads
 * while the guest runs; log.text has a lock of its own.
 */
#ifndef LIB_INTERNAL_H
#define LIB_INTERNAL_H

#include "src/base/log.h"
#include "src/config.h"
#include "src/kvm/record.h"
#include "src/lib/vmm.h"
#include "src/machine.h"

#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <time.h>

#define LOG_SIZE 8192

/* The last messages about a machine. */
struct message_log {
    struct log_sink sink;
    pthread_mutex_t lock;
    size_t len;
    char text[LOG_SIZE + 1];
    char copy[LOG_SIZE + 1]; /* what vmm_log() returned */
};

/* What ended a run: the first thing that did. */
struct found {
    bool any;
    enum vmm_why why;
    struct exit_record record; /* number 0: it was no guest event */
};

/* What a run looks for beside its limits. */
struct goal {
    bool next_exit;                    /* any guest event */
    const struct vmm_pattern *pattern; /* or one that matches; NULL: none */
    const regex_t *regex;              /* or a line of the console; NULL: none */
};

struct vmm {
    struct config config;
    char **options; /* copies that config points into; NULL-terminated */
    unsigned exits_kept;
    struct machine *machine;
    struct recorder *recorder;
    bool loaded; /* there is something to run */
    struct message_log log;

    struct vmm_limits limits; /* of runs that have none */
    struct vmm_stop last;     /* how the last run stopped */
    bool ran;
    uint64_t looked; /* number of the last guest event that a run has looked at */
    _Atomic bool interrupted;

    /* of the run under way */
    struct goal goal;
    uint64_t events_end; /* number of the event that reaches the limit */
    pthread_mutex_t found_lock;
    struct found found;
    size_t line, match_end; /* offsets in the console's text: line to look at, end of a match */

    /* watch.c */
    struct timer idle_timer;
    uint64_t idle_events, idle_cpu_ns; /* at the last look */
    unsigned quiet_ms, idle_ms;
    timer_t *silent_timers; /* one a vCPU; NULL: not made yet */
    unsigned silent_ms;     /* what they are set to */

    struct irq *lines; /* interrupt lines driven from outside; NULL: none yet */
    char *report;      /* of vmmtest.c */
};

/* machine.c: messages of this thread go to the machine until leave(). */
const struct log_sink *lib_enter(struct vmm *m);
void lib_leave(const struct log_sink *outer);
/* Fill *to (may be NULL) from an error of the inside. */
void lib_error(struct vmm_error *to, const struct err *from);
/* The same from code and text; returns -code. */
int lib_fail(struct vmm_error *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* host.c: what machines of this process know of the host's CPUs; NULL: they have to ask. */
const struct cpu_host *lib_cpu_host(void);

/* exits.c: with the region that is at the address now. On an online mem_reader, or while paused. */
void lib_describe(const struct vmm *m, const struct exit_record *r, struct vmm_exit *out);

/* run.c: this ends the run. A matching event with a lower number replaces one with a higher. */
void lib_found(struct vmm *m, enum vmm_why why, const struct exit_record *record);

/* watch.c: notice a guest that runs without guest events, or waits for ever. */
int watch_begin(struct vmm *m, const struct vmm_limits *limits, struct vmm_error *e);
void watch_end(struct vmm *m);
void watch_free(struct vmm *m);

#endif
