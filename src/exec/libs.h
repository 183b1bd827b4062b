/*
 * The shared libraries that a program needs, found as the dynamic loader would:
 * RPATH, RUNPATH with $ORIGIN, the folders of ld.so.conf, the default folders.
 * What a program opens later by itself, with dlopen(), is not followed.
 *
 * Source: ld.so(8); System V ABI, chapter 5.
 * Locking: none.
 */
#ifndef EXEC_LIBS_H
#define EXEC_LIBS_H

#include "src/base/err.h"
#include "src/exec/elf.h"

#define LIBS_MAX 512

struct lib {
    char *name;           /* as it is asked for; of the program: "" */
    char *path;           /* absolute */
    struct elf_info info; /* empty for the interpreter */
    size_t loader;        /* index of the one that needs it */
};

struct libs {
    struct lib items[LIBS_MAX]; /* the program first, then its interpreter if it has one */
    size_t count;
    char *search; /* folders, by colons, that the guest must be told of: LD_LIBRARY_PATH; or NULL */
};

/*
 * Begin with the program at path (absolute), described by info, which moves into it, and find all
 * it needs. conf: usually LIBS_CONF. -ENOENT: a library or the interpreter is missing, named in e.
 * Free in any case.
 */
#define LIBS_CONF "/etc/ld.so.conf"
int libs_find(struct libs *l, const char *path, struct elf_info *info, const char *conf,
              struct err *e);
void libs_free(struct libs *l);

#endif
