/*
 * The command line of vmm for a boot.
 */
#ifndef SUITE_COMMAND_H
#define SUITE_COMMAND_H

#include "tools/suite/suite.h"

/*
 * argv, ended by NULL. state: what b is from, or NULL; snapshot: the absolute
 * path of that state's file, or, for a state, where to save it.
 */
char **command_build(const struct boot *b, const struct boot *state, const char *vmm,
                     const char *snapshot, struct pool *pool);

/* The same for a person: quoted for a shell where need be. */
const char *command_text(char *const *argv, struct pool *pool);

#endif
