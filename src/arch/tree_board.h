/*
 * What boards that describe themselves by a device tree do alike: the kernel and the
 * tree for it into RAM, and --dump-fdt.
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef ARCH_TREE_BOARD_H
#define ARCH_TREE_BOARD_H

#include "src/arch/plug.h"
#include "src/boot/boot.h"
#include "src/machine.h"

struct tree_board {
    const struct boot_arch *arch;
    const char *console; /* console=... for Linux */
    uint64_t ram_gpa;    /* all RAM is there */
    /* The machine's tree, without what a kernel is told besides; free() it. */
    int (*make)(struct machine *m, void **tree, struct err *e);
};

/* board_load(). words: made by the first call. */
int tree_board_load(struct machine *m, const struct tree_board *b, struct plug_words *words,
                    struct boot_entry *entry, struct err *e);

/* board_dump_tables(): the tree of that same kernel, which is loaded for it, if there is one. */
int tree_board_dump(struct machine *m, const struct tree_board *b, struct plug_words *words,
                    struct err *e);

#endif
