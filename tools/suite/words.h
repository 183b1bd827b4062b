/*
 * Variables and quoting in a suite's lines.
 *
 * ${NAME} is replaced everywhere, and a value is never split into words. Words
 * are separated by blanks; '...' is taken as it is; "..." knows \n \t \r \\ \"
 * \$ and \xHH; outside of quotes a backslash takes the next character as it is.
 */
#ifndef SUITE_WORDS_H
#define SUITE_WORDS_H

#include "tools/suite/suite.h"

/* Longest result, in bytes: variables may be long, and used often. */
#define WORDS_MAX_BYTES (1 << 20)

struct scope {
    struct suite *suite; /* its pool has the results */
    const char *folder;  /* ${SUITE_DIR} */
};

/* Replace variables alone. NULL: e says why. */
char *words_expand(const struct scope *scope, const char *text, struct err *e);

/* Split, too: adds struct word to a list. 0 or -EINVAL. */
struct word {
    char *text; /* may hold NULs: \x00 */
    size_t length;
};

int words_split(const struct scope *scope, const char *text, struct list *words, struct err *e);

#endif
