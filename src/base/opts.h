/*
 * Option values of the form NAME[,key=value][,flag]...: splitting, numbers,
 * sizes, and suggestions for misspelt words.
 */
#ifndef BASE_OPTS_H
#define BASE_OPTS_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct opt {
    char *key;
    char *value; /* NULL for a bare flag */
};

/* A parsed list; strings point into text, which the list owns. */
struct opt_list {
    char *text;
    char *name; /* the first word */
    struct opt *opts;
    size_t count;
};

/*
 * Parse "name,key=value,flag". ",," stands for a comma inside a name or value (as in
 * QEMU). The first word is the name even if it holds '='. 0, -EINVAL (empty
 * name or key), -ENOMEM. Free with opt_list_free().
 */
int opt_list_parse(struct opt_list *list, const char *text, struct err *e);
void opt_list_free(struct opt_list *list);

/* Decimal or 0x hex, whole string, within min..max (inclusive). */
int opt_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *e);

/* The same with an optional K, M, G or T (powers of 1024; either case; also "KiB", "MB" etc. are
 * refused). */
int opt_size(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *e);

/* on/off, yes/no, true/false, 1/0. */
int opt_bool(const char *text, bool *out, struct err *e);

/*
 * The candidate nearest to word, or NULL if none is near enough to be meant: a
 * typing mistake for each three letters, letter case ignored. candidates: count
 * strings.
 */
const char *opt_nearest(const char *word, const char *const *candidates, size_t count);

/* The same one candidate at a time: start, try each, then see best. Strings are borrowed. */
struct opt_guess {
    const char *word;
    const char *best;
    int limit; /* edits at which a further candidate would be better */
};

void opt_guess_start(struct opt_guess *g, const char *word);
void opt_guess_try(struct opt_guess *g, const char *candidate);

#endif
