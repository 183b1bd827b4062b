/*
 * For tests of the event loop: a loop on a clock driven by hand, and a record of
 * who was called.
 */
#ifndef TESTS_LOOP_FIXTURE_H
#define TESTS_LOOP_FIXTURE_H

#include "src/loop.h"

extern uint64_t host_now; /* what the fake host clock says; 1000 at first */
extern struct clock fake; /* the loop's clock, on host_now */
extern struct loop *loop;

/* Init and fini of a Criterion suite. */
void loop_fixture_setup(void);
void loop_fixture_teardown(void);

/* Who was called since the last turn() began, as letters. */
extern char calls[64];
void note(char who);
/* A callback whose opaque is a char. */
void note_call(void *opaque);
/* One turn of loop; returns calls. */
const char *turn(void);

extern char A[], B[], C[]; /* opaques for note_call: "a", "b", "c" */

/* A callback that stops the loop it is given. */
void stop_loop(void *opaque);

#endif
