/*
 * What a person sees while boots run: on a terminal a line that tells how far
 * it is, and failures above it; elsewhere a line for each boot.
 */
#ifndef SUITE_SCREEN_H
#define SUITE_SCREEN_H

#include "tools/suite/run.h"

struct screen {
    FILE *to;
    bool live; /* it is a terminal */
    struct pool *pool;
    size_t count; /* boots in all */
    size_t ended;
    size_t failed;
    struct list running; /* const struct boot */
};

/* to is borrowed. */
void screen_init(struct screen *s, FILE *to, struct pool *pool, size_t count);

/* opaque is the screen; see struct run_listener. */
void screen_began(void *opaque, const struct boot *b);
void screen_ended(void *opaque, const struct result *r);

/* No more: the line goes, the counts come. */
void screen_finish(struct screen *s, const struct counts *c);

#endif
