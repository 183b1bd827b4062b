/*
 * Runs boots, as many at a time as allowed, and tells how each one ended.
 *
 * One thread, one poll(2): pipes of the running boots, a signalfd (ends of
 * children, interrupts), and the nearest time limit. Nothing sleeps or looks
 * again later. See slot.h for one boot.
 */
#ifndef SUITE_RUN_H
#define SUITE_RUN_H

#include "tools/suite/result.h"

#include <signal.h>

/* Told of what happens; may be used to print it. */
struct run_listener {
    void (*began)(void *opaque, const struct boot *b);
    void (*ended)(void *opaque, const struct result *r);
    void *opaque;
};

struct run_options {
    const char *vmm;  /* path, or a name to look up in PATH */
    const char *logs; /* folder for what is kept; made when needed */
    unsigned jobs;
    unsigned reruns; /* of a boot that failed */
    bool keep_all;   /* consoles of boots that passed, too */
};

struct run {
    struct run_options options;
    struct run_listener listener;
    struct pool *pool;      /* for what comes of the run */
    struct result *results; /* of the chosen boots, in their order */
    size_t count;

    const char *folder; /* temporary */
    sigset_t signals;   /* the mask before */
    bool interrupted;
    bool write_failed; /* something could not be kept; it has been said */

    struct slot *slots; /* options.jobs of them */
    size_t next;        /* results before it have begun */
};

/*
 * Run them all. 0, also if boots failed or it was interrupted; a negative errno
 * if it cannot begin. results: boot and state are set, the rest is zero.
 */
int run_boots(struct run *run, struct err *e);

#endif
