/*
 * The program of --exec: finding it on the host and packing it with all that the
 * guest's kernel and loader need to start it.
 *
 * Locking: none.
 */
#ifndef EXEC_PROGRAM_H
#define EXEC_PROGRAM_H

#include "src/exec/tree.h"

struct program {
    char *path;   /* absolute: on the host and in the guest */
    char *search; /* for LD_LIBRARY_PATH; NULL: not needed */
};

/*
 * name: as execvp(3) takes it: without a slash it is looked for in PATH. -ENOENT, -EACCES,
 * -ENOEXEC: for another architecture, or no program at all. Free in any case.
 */
int program_find(struct program *p, const char *name, struct err *e);
void program_free(struct program *p);

/* The program, for a script also its interpreter, and libraries. Sets search. */
int program_pack(struct program *p, struct exec_tree *t);

#endif
