/*
 * One boot that runs: its process, what it prints, its time limit, and how it
 * is ended.
 */
#ifndef SUITE_SLOT_H
#define SUITE_SLOT_H

#include "tools/suite/child.h"
#include "tools/suite/run.h"

#define NEVER UINT64_MAX

struct slot {
    struct result *result; /* NULL: the slot is free */
    struct child child;
    struct watch console;
    struct watch messages;
    const char *folder;
    const char *start_error;
    uint64_t began;    /* ns, when vmm was executed */
    uint64_t deadline; /* when to end it, or when to end it for good */
    enum stop stop;
};

/* CLOCK_MONOTONIC in ns. */
uint64_t time_now(void);

/* Begin r's next attempt in a free slot. If it cannot be started, that is its result. */
void slot_begin(struct slot *s, struct run *run, struct result *r);

/* Read what one of the pipes has now. */
void slot_read_start(struct slot *s, struct run *run);
void slot_read(struct slot *s, int *fd, struct watch *w);

/* End it: a signal to its group now, and SIGKILL when it takes too long. */
void slot_stop(struct slot *s, enum stop why);

/* Its deadline has come. */
void slot_expire(struct slot *s);

/* Its process has ended: read the rest, judge, keep, clean up, and free the slot. */
void slot_end(struct slot *s, struct run *run);

/* Remove a folder and what is in it. */
void remove_folder(const char *path);

#endif
