/*
 * What reading a suite file keeps track of; shared by parse.c (lines, blocks)
 * and keywords.c (what a line in a block means).
 */
#ifndef SUITE_READER_H
#define SUITE_READER_H

#include "tools/suite/words.h"

struct reader {
    struct scope scope;
    const char *file;
    FILE *to;
    unsigned line;
    unsigned mistakes;

    struct boot defaults; /* what a boot begins with */
    struct boot *boot;    /* the block that is being read, or NULL */
    bool named;           /* and its name is good */
    uint64_t repeat;      /* how often it is to run */
    unsigned long given;  /* keywords that it has, a bit each, of those that come once */
};

/* A line of a block, or the rest of a `default` line: a keyword and its value. */
int keyword_apply(struct reader *r, struct boot *b, bool in_default, const char *name,
                  const char *rest, struct err *e);

/* Exactly one word. NULL: e says why. what: its name in the message. */
const struct word *keyword_one_word(struct reader *r, const char *rest, const char *what,
                                    struct err *e);

#endif
