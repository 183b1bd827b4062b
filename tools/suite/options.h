/*
 * The command line of vmm-test.
 */
#ifndef SUITE_OPTIONS_H
#define SUITE_OPTIONS_H

#include "tools/suite/run.h"

enum action { ACTION_RUN, ACTION_LIST, ACTION_HELP, ACTION_VERSION };

struct options {
    enum action action;
    struct run_options run;
    struct list filters; /* const char: globs */
    const char *tap;     /* file, "-" or NULL */
    const char *junit;
    char **suites; /* names of files; borrowed from argv */
    int suite_count;
};

/* Variables are defined in the suite, whose pool is used. 0, or -EINVAL and a message. */
int options_parse(struct options *o, struct suite *suite, int argc, char **argv, struct err *e);

void options_help(FILE *to);

#endif
