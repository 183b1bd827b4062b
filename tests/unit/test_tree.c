/*
 * Device trees of any machine: /chosen, and trees from files and into them.
 */
#include "src/arch/tree.h"
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

static void *blob;
static struct err e;

static void stop(void)
{
    free(blob);
    blob = NULL;
}

TestSuite(tree, .fini = stop);

/* A small tree with a /chosen. */
static void make(void)
{
    struct tree t;
    stop();
    e = ERR_INIT;
    cr_assert_eq(tree_start(&t, &e), 0, "%s", e.what);
    tree_begin(&t, "%s", "");
    TREE_CELLS(&t, "#address-cells", 2);
    TREE_CELLS(&t, "#size-cells", 2);
    tree_begin(&t, "chosen");
    tree_string(&t, "stdout-path", "/uart@9000000");
    tree_end(&t);
    tree_begin(&t, "uart@%x", 0x9000000);
    TREE_CELLS(&t, "reg", TREE_WIDE(0x9000000), TREE_WIDE(0x1000));
    tree_end(&t);
    tree_end(&t);
    cr_assert_eq(tree_finish(&t, &blob, &e), 0, "%s", e.what);
    cr_assert_eq(fdt_check_full(blob, tree_size(blob)), 0);
}

/* --- /chosen ------------------------------------------------------------------------ */

static const char *chosen_string(const char *name)
{
    return fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), name, NULL);
}

static uint64_t chosen_u64(const char *name)
{
    int len;
    const void *at = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), name, &len);
    cr_assert(at != NULL && len == 8, "%s", name);
    return fdt64_ld(at);
}

static void choose(const struct tree_chosen *c)
{
    cr_assert_eq(tree_choose(blob, c, &e), 0, "%s", e.what);
    cr_assert_eq(fdt_check_full(blob, tree_size(blob)), 0);
}

Test(tree, chosen)
{
    struct tree_chosen c = {
        .bootargs = "console=ttyAMA0 a=b", .initrd = 0x148000000, .initrd_size = 0x1234};
    uint8_t rng[32];
    int len;
    make();
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "console=ttyAMA0 a=b");
    cr_expect_str_eq(chosen_string("stdout-path"), "/uart@9000000");
    cr_expect_eq(chosen_u64("linux,initrd-start"), 0x148000000);
    cr_expect_eq(chosen_u64("linux,initrd-end"), 0x148001234);
    const uint64_t kaslr = chosen_u64("kaslr-seed");
    const void *seed = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "rng-seed", &len);
    cr_assert_eq(len, 32);
    memcpy(rng, seed, 32);

    c = (struct tree_chosen){.bootargs = "other", .keep_bootargs = true};
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "console=ttyAMA0 a=b");
    cr_expect_null(chosen_string("linux,initrd-start"));
    cr_expect_null(chosen_string("linux,initrd-end"));
    cr_expect_neq(chosen_u64("kaslr-seed"), kaslr, "fresh");
    cr_expect_arr_neq(chosen_string("rng-seed"), rng, 32);
    c.keep_bootargs = false;
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "other");
}

Test(tree, a_tree_without_chosen_gets_it)
{
    const struct tree_chosen c = {.bootargs = "args", .keep_bootargs = true};
    make();
    cr_assert_eq(fdt_del_node(blob, fdt_path_offset(blob, "/chosen")), 0);
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "args");
}

Test(tree, a_command_line_too_long_for_any_tree)
{
    char *line = malloc(TREE_MAX + 1);
    memset(line, 'x', TREE_MAX);
    line[TREE_MAX] = '\0';
    make();
    cr_expect_lt(tree_choose(blob, &(struct tree_chosen){.bootargs = line}, &e), 0);
    cr_expect_not_null(strstr(e.what, "FDT_ERR_NOSPACE"));
    free(line);
}

/* --- files ------------------------------------------------------------------------------ */

static void expect_refused(const char *path, const char *text)
{
    void *read = NULL;
    e = ERR_INIT;
    cr_expect_lt(tree_read(path, &read, &e), 0);
    cr_expect_not_null(strstr(e.what, text), "wanted \"%s\" in \"%s\"", text, e.what);
    cr_expect_not_null(strstr(e.what, path));
}

Test(tree, a_tree_goes_to_a_file_and_back)
{
    struct memory_file file;
    void *read = NULL;
    make();
    memory_file_init(&file, "", 0);
    cr_assert_eq(tree_write(blob, file.path, &e), 0, "%s", e.what);
    cr_assert_eq(tree_read(file.path, &read, &e), 0, "%s", e.what);
    cr_expect_eq(tree_size(read), tree_size(blob));
    cr_expect_arr_eq(read, blob, tree_size(blob));
    free(read);
    for (size_t len = 0; len < tree_size(blob); len += len < 64 ? 1 : 37) {
        memory_file_set(&file, blob, len);
        expect_refused(file.path, "is none, or damaged");
    }
    memory_file_close(&file);
    cr_expect_lt(tree_write(blob, "/nonexistent/tree", &e), 0);
    cr_expect_not_null(strstr(e.what, "/nonexistent/tree, No such file"));
}

Test(tree, files_that_are_no_trees)
{
    struct memory_file file;
    char *large = calloc(1, TREE_MAX);
    memory_file_init(&file, "/dts-v1/; / { };", 16);
    expect_refused(file.path, "is none, or damaged");
    memory_file_set(&file, large, TREE_MAX);
    expect_refused(file.path, "2 MiB or more");
    memory_file_close(&file);
    free(large);
    expect_refused("/nonexistent/tree", "No such file");
    expect_refused("/proc", "Is a directory");
}

/* The same structure whatever bits are damaged: refused, or a tree that can be walked. */
Test(tree, damaged_trees)
{
    const struct tree_chosen c = {.bootargs = "args", .initrd = 1, .initrd_size = 1};
    struct memory_file file;
    uint64_t rng = 1;
    make();
    const size_t size = tree_size(blob);
    uint8_t *bytes = malloc(size);
    memory_file_init(&file, "", 0);
    for (unsigned i = 0; i < 1000; i++) {
        void *read = NULL;
        memcpy(bytes, blob, size);
        for (unsigned n = 0; n < 2; n++) {
            rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[(rng >> 33) % (n == 0 ? 64 : size)] = (uint8_t)(rng >> 56);
        }
        memory_file_set(&file, bytes, size);
        if (tree_read(file.path, &read, &e) == 0) {
            tree_choose(read, &c, &e);
            free(read);
        }
    }
    memory_file_close(&file);
    free(bytes);
}
