/*
 * A suite: boots of vmm and what is expected of each, read from text files.
 * docs/vmm-test.md describes the format.
 */
#ifndef SUITE_SUITE_H
#define SUITE_SUITE_H

#include "tools/suite/pattern.h"
#include "tools/suite/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define NS_PER_SECOND 1000000000ULL

/* A disk of a boot's own: gone when the boot has ended. */
struct disk {
    const char *copy_of;    /* absolute path; NULL: zeros */
    uint64_t size;          /* bytes of zeros */
    const char *properties; /* ",ro" and so on, for --disk; may be empty */
};

/* What one stream of a boot is watched for. */
struct expectation {
    struct list expect; /* struct pattern, in this order, each in a line of its own */
    struct list forbid; /* struct pattern, in no line */
};

enum input_kind { INPUT_NOTHING, INPUT_FILE, INPUT_TEXT };

struct boot {
    const char *name;
    const char *file; /* the suite it is in, as named on the command line, and the line */
    unsigned line;
    bool prepares;     /* a state that others start from: `prepare` instead of `boot` */
    const char *ready; /* of a state: it is saved when the console shows this; or NULL */
    const char *from;  /* the state's name, or NULL */

    bool kernel_given;   /* if only as `none` */
    const char *kernel;  /* absolute path, or NULL */
    struct list options; /* const char: words for vmm */
    struct list disks;   /* struct disk */
    enum input_kind input;
    const char *input_text; /* the text, or the file's absolute path */
    size_t input_length;

    struct expectation console;
    struct expectation messages; /* vmm's standard error */
    int status;
    uint64_t time_limit_ns;
    uint64_t output_limit; /* bytes, of each stream */
};

struct suite {
    struct pool pool;
    struct pattern *patterns; /* all, to be destroyed */
    struct list files;        /* const char: names of the suites */
    struct list states;       /* struct boot: what `prepare` began */
    struct list boots;        /* struct boot: those, too, all in the order of the files */
    struct list variables;
};

/* A variable of the command line, NAME=VALUE; borrowed. -EINVAL if it is not one. */
int suite_define(struct suite *s, const char *assignment, struct err *e);

/* The value of a variable: -D, else the environment, else NULL. name: length bytes. */
const char *suite_variable(const struct suite *s, const char *name, size_t length);

/*
 * Read a file and add its boots. Mistakes in it are written to `to` as "file:line: error: what",
 * the first 20. 0, -EINVAL (it has mistakes), or a negative errno: e says why it cannot be read.
 */
int suite_read(struct suite *s, const char *path, FILE *to, struct err *e);

/* The same from memory; folder is that of relative paths. */
int suite_parse(struct suite *s, const char *file, const char *folder, const char *text,
                size_t length, FILE *to);

/* What `prepare NAME` began, or NULL. */
const struct boot *suite_state(const struct suite *s, const char *name);

void suite_free(struct suite *s);

#endif
