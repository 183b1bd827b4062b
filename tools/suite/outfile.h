/*
 * A file that appears under its name only when it is complete.
 *
 * It is written beside its place and renamed. What is no regular file (a pipe,
 * /dev/stderr) is written as it is.
 */
#ifndef SUITE_OUTFILE_H
#define SUITE_OUTFILE_H

#include "src/base/err.h"

#include <stddef.h>

/*
 * Write a whole file; path "-" is standard output. 0, or a negative errno and a
 * message: then nothing is left behind, and what was there before is unchanged.
 */
int outfile_write(const char *path, const char *data, size_t length, struct err *e);

#endif
