/*
 * What a line of a console is compared with: a POSIX extended regular
 * expression (IEEE 1003.1, XBD 9.4), or a text that the line holds.
 */
#ifndef SUITE_PATTERN_H
#define SUITE_PATTERN_H

#include "src/base/err.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

/* Longest pattern, in bytes, and the most states that its {repetitions} may come to. */
#define PATTERN_MAX_BYTES  4096
#define PATTERN_MAX_STATES 50000

struct pattern {
    const char *text;     /* borrowed */
    bool literal;         /* text is no expression */
    regex_t regex;        /* unless literal */
    struct pattern *next; /* for who has to destroy them */
};

/* 0 or -EINVAL: an empty text, too long or large a pattern, no regular expression. */
int pattern_init(struct pattern *p, const char *text, bool literal, struct err *e);
void pattern_destroy(struct pattern *p);

bool pattern_matches(const struct pattern *p, const char *line);

#endif
