/*
 * See tree_board.h.
 */
#include "src/arch/tree_board.h"

#include "src/arch/tree.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static int load_kernel(struct machine *m, const struct tree_board *b,
                       const struct plug_words *words, struct boot_entry *entry, struct err *e)
{
    const struct boot_request request = {
        .arch = b->arch,
        .kernel = m->config->kernel,
        .initrds = m->config->initrds.items,
        .initrd_count = m->config->initrds.count,
        .last_initrd = m->last_initrd,
        .cmdline = words->cmdline,
        .append = words->append,
        .mem = m->mem,
        .ram_base = b->ram_gpa,
        .low_ram_end = b->ram_gpa + m->ram.size,
    };

    return boot_load(&request, entry, e);
}

/* The tree for the kernel that entry is of. */
static int make_tree(struct machine *m, const struct tree_board *b, const struct plug_words *words,
                     const struct boot_entry *entry, void **tree, struct err *e)
{
    const struct tree_chosen chosen = {
        .bootargs = entry->format == BOOT_FLAT ? words->append : words->cmdline,
        .keep_bootargs = m->config->appends.count == 0,
        .initrd = entry->initrd,
        .initrd_size = entry->initrd_size,
    };
    int ret = m->config->dtb != NULL ? tree_read(m->config->dtb, tree, e) : b->make(m, tree, e);

    if (ret == 0) {
        ret = tree_choose(*tree, &chosen, e);
        if (ret < 0) {
            free(*tree);
        }
    }
    return ret;
}

/* Load the kernel, if there is one, and make the tree for it; the caller frees it. */
static int load(struct machine *m, const struct tree_board *b, struct plug_words *words,
                struct boot_entry *entry, void **tree, struct err *e)
{
    int ret = words->cmdline == NULL ? plug_words_make(words, m->config, b->console, NULL, e) : 0;

    *entry = (struct boot_entry){.format = BOOT_IMAGE};
    if (ret == 0 && m->config->kernel != NULL) {
        ret = load_kernel(m, b, words, entry, e);
    }
    return ret == 0 ? make_tree(m, b, words, entry, tree, e) : ret;
}

int tree_board_load(struct machine *m, const struct tree_board *b, struct plug_words *words,
                    struct boot_entry *entry, struct err *e)
{
    void *tree = NULL;
    int ret = load(m, b, words, entry, &tree, e);

    if (ret < 0) {
        return ret;
    }
    if (tree_size(tree) > entry->fdt_max) {
        ret = err_set(e, E2BIG, "the device tree has %zu bytes, the kernel takes %" PRIu64,
                      tree_size(tree), entry->fdt_max);
    } else if (dma_write(m->mem, entry->fdt, tree, tree_size(tree)) < 0 ||
               (entry->fdt_copy != 0 &&
                dma_write(m->mem, entry->fdt_copy, tree, tree_size(tree)) < 0)) {
        ret =
            err_set(e, EFAULT, "no guest memory at 0x%" PRIx64 " for the device tree", entry->fdt);
    }
    free(tree);
    return ret;
}

int tree_board_dump(struct machine *m, const struct tree_board *b, struct plug_words *words,
                    struct err *e)
{
    struct boot_entry entry;
    void *tree = NULL;
    int ret;

    if (m->config->dump_fdt == NULL) {
        return 0;
    }
    ret = load(m, b, words, &entry, &tree, e);
    if (ret == 0) {
        ret = tree_write(tree, m->config->dump_fdt, e);
        free(tree);
    }
    return ret;
}
