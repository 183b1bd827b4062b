/*
 * Modules for --exec: the order by modules.dep, what is built in, and what is
 * wrong with a folder.
 */
#include "src/exec/modules.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/vmm-modules-XXXXXX";
static char path[96];
static struct module_list list;
static struct err e;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    e = ERR_INIT;
}

static void teardown(void)
{
    modules_free(&list);
    snprintf(path, sizeof(path), "%s/modules.dep", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/modules.builtin", dir);
    unlink(path);
    rmdir(dir);
}

TestSuite(exec_modules, .init = setup, .fini = teardown);

static void write_file(const char *name, const char *text)
{
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    fputs(text, out);
    fclose(out);
}

static int find(const char *name, bool optional)
{
    const struct module_want want = {name, optional};

    modules_free(&list);
    e = ERR_INIT;
    return modules_find(&list, dir, &want, 1, &e);
}

Test(exec_modules, what_a_module_needs_comes_before_it)
{
    write_file("modules.dep", "kernel/a-b.ko: kernel/c.ko.xz kernel/d.ko\n"
                              "kernel/c.ko.xz: kernel/d.ko\n"
                              "kernel/d.ko:\n"
                              "kernel/e.ko:\n");
    cr_assert_eq(find("a_b", false), 0);
    cr_assert_eq(list.count, 3);
    cr_assert_str_eq(list.files[0], "kernel/d.ko");
    cr_assert_str_eq(list.files[1], "kernel/c.ko.xz");
    cr_assert_str_eq(list.files[2], "kernel/a-b.ko");
    cr_assert_eq(find("a-b", false), 0, "- and _ are the same");
}

Test(exec_modules, built_in_and_optional_ones_may_be_missing)
{
    write_file("modules.dep", "kernel/d.ko:\n");
    write_file("modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/virtio-mmio.ko\n");
    cr_assert_eq(find("virtio_mmio", false), 0);
    cr_assert_eq(list.count, 0);
    cr_assert_eq(find("nothing", true), 0);
    cr_assert_eq(find("nothing", false), -ENOENT);
    cr_assert(strstr(e.what, "there is no module nothing"), "%s", e.what);
}

Test(exec_modules, a_folder_without_index_is_refused)
{
    cr_assert_eq(find("x", true), -ENOENT);
    cr_assert(strstr(e.what, "modules.dep"), "%s", e.what);
    cr_assert(strstr(e.hint, "depmod"), "%s", e.hint);
}

Test(exec_modules, a_damaged_index_is_refused)
{
    write_file("modules.dep", "a.ko: b.ko\nb.ko: a.ko\nc.ko: d.ko\n../e.ko:\n/f.ko:\nno colon\n");
    cr_assert_eq(find("a", false), -ELOOP);
    cr_assert_eq(find("c", false), -ENOENT);
    cr_assert(strstr(e.what, "c needs d.ko"), "%s", e.what);
    cr_assert_eq(find("e", false), -EINVAL);
    cr_assert_eq(find("f", false), -EINVAL);
}

Test(exec_modules, a_long_chain_is_an_error_and_no_overflow)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    for (unsigned i = 0; i < 100000; i++) {
        fprintf(out, "m%u.ko: m%u.ko\n", i, i + 1);
    }
    fclose(out);
    write_file("modules.dep", text);
    free(text);
    cr_assert_eq(find("m0", false), -ELOOP);
}

/* Against an oracle: in a random graph without circles all that is needed is there, once, in order.
 */
Test(exec_modules, order_of_random_graphs)
{
    enum { MODULES = 40 };
    unsigned seed = 1;

    for (unsigned round = 0; round < 200; round++) {
        bool needs[MODULES][MODULES] = {0}, wanted[MODULES] = {0};
        char text[MODULES * MODULES * 12];
        size_t len = 0;

        for (int i = MODULES - 1; i >= 0; i--) { /* i needs lower numbers only */
            len += (size_t)sprintf(text + len, "k/m%d.ko:", i);
            for (int j = 0; j < i; j++) {
                needs[i][j] = rand_r(&seed) % 10 == 0;
                len += needs[i][j] ? (size_t)sprintf(text + len, " k/m%d.ko", j) : 0;
            }
            len += (size_t)sprintf(text + len, "\n");
        }
        write_file("modules.dep", text);
        char name[8];
        const int root = (int)((unsigned)rand_r(&seed) % MODULES);
        sprintf(name, "m%d", root);
        cr_assert_eq(find(name, false), 0);
        wanted[root] = true;
        size_t count = 0;
        for (int i = root; i >= 0; i--) {
            count += wanted[i];
            for (int j = 0; j < i; j++) {
                wanted[j] |= wanted[i] && needs[i][j];
            }
        }
        cr_assert_eq(list.count, count);
        bool loaded[MODULES] = {0};
        for (size_t n = 0; n < list.count; n++) {
            const int i = atoi(list.files[n] + 3);
            cr_assert(wanted[i] && !loaded[i]);
            for (int j = 0; j < i; j++) {
                cr_assert(!needs[i][j] || loaded[j]);
            }
            loaded[i] = true;
        }
    }
}
