/*
 * Kernel command lines: what the user gave, joined, and before it what a Linux
 * guest needs besides on a machine started with only --kernel and --disk.
 *
 * Source of the words: Linux Documentation/admin-guide/kernel-parameters.rst.
 * Locking: none.
 */
#ifndef BOOT_CMDLINE_H
#define BOOT_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

/* The strings with a space between each two, on the heap; NULL: out of memory. */
char *cmdline_join(const char *const *strings, size_t count);

/* What a Linux guest gets unless the user's words say otherwise. */
struct cmdline_defaults {
    const char *console; /* console=... unless there is a console= */
    const char *root;    /* root=... and what follows, unless there is a root=; NULL: none */
    const char *devices; /* always; NULL: none */
    const char *exec;    /* always; NULL: none */
};

/*
 * The defaults, then user, on the heap; NULL: out of memory. They come first
 * because what follows a "--" in user belongs to init and not to the kernel.
 */
char *cmdline_linux(const char *user, const struct cmdline_defaults *defaults);

#endif
