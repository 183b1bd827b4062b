/*
 * The inside of a session: its state, shared by exec.c (its course, and what goes
 * to the guest) and take.c (what comes from it).
 *
 * Locking: as exec.h.
 */
#ifndef EXEC_SESSION_H
#define EXEC_SESSION_H

#include "src/exec/channel.h"
#include "src/exec/exec.h"
#include "src/exec/out.h"
#include "src/exec/streams.h"
#include "src/exec/tail.h"

#include <stdatomic.h>

enum state {
    BOOTING, /* nothing from init yet */
    SETUP,   /* it said hello */
    RUNNING, /* the program runs */
    ENDING,  /* the status is known; output is still on its way */
    ENDED,   /* the machine was told */
};

struct exec {
    const struct config *config;
    struct loop *loop;
    void (*ended)(void *opaque, int status);
    void *opaque;
    struct aspace *mem;
    int image; /* the initramfs; -1: none */
    char image_path[32];

    struct channel channel;
    struct tail *tail; /* NULL: the console is somewhere else */
    struct sink sinks[2];
    struct source source;
    struct out_dir out;
    struct timer grace;

    enum state state;
    bool ran;                       /* the program was started */
    int status;                     /* from ENDING on */
    bool lost;                      /* the guest ended without a report */
    struct err err;                 /* why the run failed; what empty: it did not */
    uint32_t granted[STREAM_COUNT]; /* bytes that the guest may send */
    uint32_t stdin_credit;          /* bytes that may be sent */
    bool stdin_ended, stdin_told;
    bool told_closed[2];
    uint32_t signals; /* bit n: signal n waits to be sent */
    int signalled;    /* the signal that the program was sent; 0: none */
    uint64_t signal_time;
    bool timed_out;
    unsigned skipped;
    _Atomic int guest_status; /* -1: the guest runs */
    bool saw_end;             /* of the guest; what it sent before was taken */
};

/* For struct channel_owner: a frame from the guest. false: it makes no sense. */
bool exec_take(void *opaque, const struct frame_reader *frame);

/* The status is known: all that is left is to write what the program wrote. The first counts. */
void exec_finish(struct exec *x, int status);
/* The same, as x->err says. */
void exec_fail(struct exec *x);

#endif
