/*
 * One stream of a boot, watched while it comes: kept whole up to a limit, cut
 * into lines, each line compared with the pattern that is due and with those
 * that are forbidden.
 *
 * The guest writes it and is hostile: a line is compared in pieces of
 * WATCH_LINE_MAX bytes, a NUL byte in it as '?'; the whole is bounded by the
 * boot's limit.
 */
#ifndef SUITE_WATCH_H
#define SUITE_WATCH_H

#include "tools/suite/suite.h"

/* regexec() may look at a piece once for each of its bytes ("a.*b"): a quarter of a second here. */
#define WATCH_LINE_MAX 16384

struct watch {
    const struct expectation *wanted; /* borrowed */
    uint64_t limit;

    char *data; /* all that came */
    size_t length;
    size_t room;
    size_t line_at; /* where the line that is not complete begins */
    size_t seen;    /* up to here there is no end of a line in it */
    unsigned long lines;
    size_t came; /* how many of wanted->expect */
    bool over;   /* more came than the limit */

    const struct pattern *forbidden; /* the first that came, or NULL */
    unsigned long forbidden_line;    /* from 1 on */
    size_t forbidden_at;             /* that line in data */
    size_t forbidden_length;
};

void watch_init(struct watch *w, const struct expectation *wanted, uint64_t limit);

/* What came now. Nothing more is compared after a forbidden line or at the limit. */
void watch_feed(struct watch *w, const char *bytes, size_t length);

/* Nothing more comes: what is left is a line, too. */
void watch_end(struct watch *w);

/* Where the last so many lines begin in data, at most so many bytes before the end. */
size_t watch_tail(const struct watch *w, unsigned lines, size_t bytes);

void watch_free(struct watch *w);

#endif
