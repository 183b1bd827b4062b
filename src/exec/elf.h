/*
 * What a dynamic loader needs to know of an ELF file: for whom it is, its
 * interpreter, and the libraries it needs. The file is hostile: all offsets and
 * lengths are checked.
 *
 * Source: System V ABI, chapters 4 and 5.
 * Locking: none.
 */
#ifndef EXEC_ELF_H
#define EXEC_ELF_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_NEEDED_MAX 256

struct elf_info {
    bool is_elf; /* false: the rest is empty */
    bool is64, big_endian;
    uint16_t machine;                     /* EM_... */
    uint16_t type;                        /* ET_... */
    char *interp;                         /* NULL: none */
    char *strings;                        /* of the dynamic section; NULL: static */
    const char *rpath, *runpath, *soname; /* in strings, or NULL */
    const char *needed[ELF_NEEDED_MAX];
    size_t needed_count;
};

/*
 * Read it from the file fd; path names it in errors. Only files of this build's
 * machine are looked into further than their machine. -ENOEXEC: broken, with e
 * set. Free with elf_info_free() in any case.
 */
int elf_info_read(struct elf_info *info, int fd, const char *path, struct err *e);
void elf_info_free(struct elf_info *info);

/* Can this build's guests run it? */
bool elf_info_fits(const struct elf_info *info);

/* "x86-64", "arm64", ..., or "machine 123" in text. */
const char *elf_machine_name(const struct elf_info *info, char text[static 32]);

/* The machine of this build, for messages, and the name of its libraries' folder. */
extern const char elf_own_name[];
extern const char elf_own_triple[];

#endif
