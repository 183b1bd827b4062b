/*
 * How a boot ended, and what that means: passed, failed for a reason of one
 * line, or skipped. No system calls: everything comes with the argument.
 */
#ifndef SUITE_VERDICT_H
#define SUITE_VERDICT_H

#include "tools/suite/watch.h"

enum outcome {
    OUTCOME_NOT_RUN, /* interrupted before its turn */
    OUTCOME_PASSED,
    OUTCOME_FAILED,
    OUTCOME_SKIPPED, /* this host runs no guests */
};

/* Why vmm-test itself ended the boot. */
enum stop {
    STOP_NOT,
    STOP_OUTPUT, /* a forbidden line, or too much: the watches know which */
    STOP_TIME_LIMIT,
    STOP_INTERRUPT,
};

struct ending {
    enum stop stop;
    const char *start_error; /* vmm could not be started, or NULL */
    int wait_status;         /* of waitpid() */
    const struct watch *console;
    const struct watch *messages;
};

/* The reason, NULL if it passed, is allocated in pool and has no control characters. */
enum outcome verdict(const struct boot *b, const struct ending *end, struct pool *pool,
                     const char **reason);

/* A copy with '?' for control characters, at most so many bytes of it. */
char *printable(struct pool *pool, const char *text, size_t length, size_t most);

#endif
