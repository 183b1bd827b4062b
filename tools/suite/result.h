/*
 * What came of a boot: what the reports are made of.
 */
#ifndef SUITE_RESULT_H
#define SUITE_RESULT_H

#include "tools/suite/verdict.h"

/* How much of a console a report shows. */
#define TAIL_LINES 20
#define TAIL_BYTES 8192

struct tail {
    const char *text; /* the stream's last lines; NULL: none kept */
    size_t length;
    unsigned long lines; /* of the whole stream */
    const char *path;    /* of the file that has the whole, or NULL */
};

struct result {
    const struct boot *boot;
    const struct result *state; /* of what the boot is from, or NULL */
    enum outcome outcome;
    const char *reason; /* of a failure or skip; of the last failure, if it is flaky */
    bool flaky;         /* failed, and passed when it was run again */
    unsigned attempts;
    double seconds;      /* of the last attempt */
    const char *command; /* what was run, for a shell */
    struct tail console; /* of the last failure */
    struct tail messages;
};

struct counts {
    unsigned passed; /* flaky ones among them */
    unsigned failed;
    unsigned skipped;
    unsigned flaky;
};

/* Boots that were not run are skipped. */
struct counts count_results(const struct result *results, size_t count);

/* "3 passed, 1 failed, 0 skipped", and ", 1 flaky" where there is one, and a newline. */
void print_counts(const struct counts *c, FILE *to);

/* Test Anything Protocol, version 13. */
void report_tap(const struct result *results, size_t count, FILE *to);

/* JUnit XML as CI servers read it: a <testsuite> for each suite file. */
void report_junit(const struct result *results, size_t count, FILE *to);

/* A result for a person: one line, and what there is to say of a failure. */
void report_plain(const struct result *r, FILE *to);

#endif
