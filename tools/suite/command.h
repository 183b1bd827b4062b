/*
 * The command line of vmm for a boot.
 */
#ifndef SUITE_COMMAND_H
#define SUITE_COMMAND_H

#include "tools/suite/suite.h"

/*
 * argv, ended by NULL. snapshot: the absolute path of the file of the state that
 * b is from, or, for a state, where to save it; else NULL.
 */
char **command_build(const struct boot *b, const char *vmm, const char *snapshot,
                     struct pool *pool);

/* The same for a person: quoted for a shell where need be. */
const char *command_text(char *const *argv, struct pool *pool);

#endif
