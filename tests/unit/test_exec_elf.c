/*
 * ELF files as a loader sees them, whole and damaged, and the libraries they need.
 */
#include "src/exec/elf.h"
#include "src/exec/libs.h"
#include "tests/unit/exec_fixture.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(exec_elf, .init = exec_fixture_setup, .fini = exec_fixture_teardown);

static const struct test_elf dynamic = {
    .interp = "/lib/ld.so", .runpath = "$ORIGIN/a:/b", .needed = {"libx.so.1", "liby.so"}};

static int read_bytes(struct elf_info *info, const uint8_t *bytes, size_t len)
{
    const int fd = memfd_create("elf", 0);

    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    const int ret = elf_info_read(info, fd, "file", &exec_err);
    close(fd);
    return ret;
}

Test(exec_elf, what_a_loader_needs)
{
    uint8_t bytes[TEST_ELF_MAX];
    struct elf_info info;

    cr_assert_eq(read_bytes(&info, bytes, exec_make_elf(bytes, &dynamic)), 0, "%s", exec_err.what);
    cr_assert(elf_info_fits(&info));
    cr_assert_str_eq(info.interp, "/lib/ld.so");
    cr_assert_eq(info.needed_count, 2);
    cr_assert_str_eq(info.needed[0], "libx.so.1");
    cr_assert_str_eq(info.needed[1], "liby.so");
    cr_assert_str_eq(info.runpath, "$ORIGIN/a:/b");
    cr_assert_null(info.rpath);
    elf_info_free(&info);
}

Test(exec_elf, more_libraries_than_there_is_room_for)
{
    static uint8_t bytes[3 * TEST_ELF_MAX];
    Elf64_Phdr *p = (Elf64_Phdr *)(void *)(bytes + sizeof(Elf64_Ehdr)) + 2;
    Elf64_Dyn *dyn = (Elf64_Dyn *)(void *)(bytes + TEST_ELF_MAX);
    struct elf_info info;

    exec_make_elf(bytes, &dynamic);
    for (size_t i = 0; i < ELF_NEEDED_MAX + 1; i++) {
        dyn[i] = (Elf64_Dyn){DT_NEEDED, {1}};
    }
    cr_assert_eq(p->p_type, PT_DYNAMIC);
    memcpy(dyn + ELF_NEEDED_MAX, bytes + p->p_offset, p->p_filesz);
    p->p_filesz += ELF_NEEDED_MAX * sizeof(*dyn);
    p->p_offset = TEST_ELF_MAX;
    cr_assert_eq(read_bytes(&info, bytes, sizeof(bytes)), -ENOEXEC);
    cr_assert(strstr(exec_err.what, "needs more than 256 libraries"), "%s", exec_err.what);
    elf_info_free(&info);
}

Test(exec_elf, others_are_named)
{
    uint8_t bytes[TEST_ELF_MAX];
    char text[32];
    struct elf_info info;

    exec_make_elf(bytes, &(struct test_elf){.machine = EM_RISCV});
    cr_assert_eq(read_bytes(&info, bytes, TEST_ELF_MAX), 0);
    cr_assert(info.is_elf && !elf_info_fits(&info));
    cr_assert_str_eq(elf_machine_name(&info, text), "RISC-V");
    exec_make_elf(bytes, &(struct test_elf){.machine = EM_386, .is32 = true});
    cr_assert_eq(read_bytes(&info, bytes, TEST_ELF_MAX), 0);
    cr_assert_str_eq(elf_machine_name(&info, text), "i386");
    cr_assert_eq(read_bytes(&info, (const uint8_t *)"#!/bin/sh\n", 10), 0);
    cr_assert_not(info.is_elf);
    cr_assert_eq(read_bytes(&info, bytes, 0), 0);
    cr_assert_not(info.is_elf);
}

/* At any length it is whole, refused, or no ELF file; never more than that. */
Test(exec_elf, every_truncation)
{
    uint8_t bytes[TEST_ELF_MAX];
    struct elf_info info;
    unsigned refused = 0;

    exec_make_elf(bytes, &dynamic);
    for (size_t len = 0; len < 2200; len++) {
        const int ret = read_bytes(&info, bytes, len);

        cr_assert(ret == 0 || ret == -ENOEXEC);
        refused += ret < 0;
        elf_info_free(&info);
    }
    cr_assert_gt(refused, 1500);
}

Test(exec_elf, damage_does_no_harm)
{
    static const uint64_t nasty[] = {0,          1,           0x7fffffff,    0xffffffff, UINT64_MAX,
                                     1ULL << 63, 0xffffffff8, INT64_MAX - 8, 4096,       0x400000};
    uint8_t good[TEST_ELF_MAX], bytes[TEST_ELF_MAX];
    struct elf_info info;
    unsigned seed = 7, refused = 0;

    exec_make_elf(good, &dynamic);
    for (unsigned round = 0; round < 5000; round++) {
        memcpy(bytes, good, sizeof(bytes));
        for (unsigned n = 0; n < 1 + round % 3; n++) {
            const bool head = rand_r(&seed) % 2 == 0;
            const size_t at =
                head ? 16 + (unsigned)rand_r(&seed) % 220 : 1024 + (unsigned)rand_r(&seed) % 160;

            if (rand_r(&seed) % 2 == 0) {
                memcpy(bytes + (at & ~7UL), &nasty[(unsigned)rand_r(&seed) % 10], 8);
            } else {
                bytes[at] = (uint8_t)rand_r(&seed);
            }
        }
        const int ret = read_bytes(&info, bytes, sizeof(bytes));
        cr_assert(ret == 0 || ret == -ENOEXEC);
        for (size_t i = 0; ret == 0 && i < info.needed_count; i++) {
            refused += strlen(info.needed[i]) > 1000; /* looks at all of it */
        }
        refused += ret < 0;
        elf_info_free(&info);
    }
    cr_assert_gt(refused, 100);
}

/* --- libraries ---------------------------------------------------------------- */

static struct libs libs;

/* Find the libraries of exec_dir/bin/prog; its interpreter is exec_dir/ld.so. */
static int find(struct test_elf *t)
{
    char interp[96], path[96];
    struct elf_info info;

    mkdir("bin", 0755);
    snprintf(interp, sizeof(interp), "%s/ld.so", exec_dir);
    snprintf(path, sizeof(path), "%s/bin/prog", exec_dir);
    t->interp = interp;
    exec_write_elf("ld.so", &(struct test_elf){0});
    exec_write_elf("bin/prog", t);
    const int fd = open(path, O_RDONLY);
    cr_assert_eq(elf_info_read(&info, fd, path, &exec_err), 0);
    close(fd);
    libs_free(&libs);
    exec_err = ERR_INIT;
    return libs_find(&libs, path, &info, "ld.so.conf", &exec_err);
}

static bool found(const char *path)
{
    char full[160];

    snprintf(full, sizeof(full), "%s/%s", exec_dir, path);
    for (size_t i = 0; i < libs.count; i++) {
        if (strcmp(libs.items[i].path, full) == 0) {
            return true;
        }
    }
    return false;
}

Test(exec_elf, libraries_of_libraries)
{
    struct test_elf t = {.runpath = "/nowhere::$ORIGIN/../lib", .needed = {"liba.so", "ld.so"}};

    mkdir("lib", 0755);
    exec_write_elf("lib/liba.so",
                   &(struct test_elf){.runpath = "${ORIGIN}", .needed = {"libb.so", "liba.so"}});
    exec_write_elf("lib/libb.so", &(struct test_elf){.machine = 0});
    cr_assert_eq(find(&t), 0, "%s", exec_err.what);
    cr_assert_eq(libs.count, 4);
    cr_assert(found("bin/../lib/liba.so"));
    cr_assert(found("bin/../lib/libb.so"));
    cr_assert_null(libs.search);
    libs_free(&libs);
}

Test(exec_elf, rpath_is_inherited_and_runpath_is_not)
{
    struct test_elf t = {.rpath = "$ORIGIN/../lib", .needed = {"liba.so"}};

    mkdir("lib", 0755);
    exec_write_elf("lib/liba.so", &(struct test_elf){.needed = {"libb.so"}});
    exec_write_elf("lib/libb.so", &(struct test_elf){0});
    cr_assert_eq(find(&t), 0, "%s", exec_err.what);
    t.rpath = NULL;
    t.runpath = "$ORIGIN/../lib";
    cr_assert_eq(find(&t), -ENOENT);
    cr_assert(strstr(exec_err.what, "liba.so needs the library libb.so"), "%s", exec_err.what);
    libs_free(&libs);
}

Test(exec_elf, folders_of_ld_so_conf_are_told_to_the_guest)
{
    struct test_elf t = {.needed = {"liba.so"}};
    char text[256];

    mkdir("opt", 0755);
    mkdir("conf.d", 0755);
    exec_write_elf("opt/liba.so", &(struct test_elf){0});
    exec_write("ld.so.conf", "# comment\ninclude conf.d/*.conf\n", 33, 0644);
    snprintf(text, sizeof(text), "/nowhere\n  %s/opt # here\n", exec_dir);
    exec_write("conf.d/x.conf", text, strlen(text), 0644);
    /* A pattern that is not absolute is beside the file; the test's own conf has no folder. */
    snprintf(text, sizeof(text), "include %s/conf.d/*.conf\n", exec_dir);
    exec_write("ld.so.conf", text, strlen(text), 0644);
    cr_assert_eq(find(&t), 0, "%s", exec_err.what);
    cr_assert(found("opt/liba.so"));
    snprintf(text, sizeof(text), "%s/opt", exec_dir);
    cr_assert_str_eq(libs.search, text);
    libs_free(&libs);
}

Test(exec_elf, a_library_of_another_machine_is_passed_over)
{
    struct test_elf t = {.runpath = "$ORIGIN/../wrong:$ORIGIN/../lib", .needed = {"liba.so"}};

    mkdir("lib", 0755);
    mkdir("wrong", 0755);
    exec_write_elf("wrong/liba.so", &(struct test_elf){.machine = EM_RISCV});
    cr_assert_eq(find(&t), -ENOENT);
    exec_write_elf("lib/liba.so", &(struct test_elf){0});
    cr_assert_eq(find(&t), 0, "%s", exec_err.what);
    cr_assert(found("bin/../lib/liba.so"));
    libs_free(&libs);
}

Test(exec_elf, a_broken_library_is_an_error)
{
    struct test_elf t = {.runpath = "$ORIGIN/../lib", .needed = {"liba.so"}};
    uint8_t bytes[TEST_ELF_MAX];

    mkdir("lib", 0755);
    exec_make_elf(bytes, &dynamic);
    exec_write("lib/liba.so", bytes, 100, 0755);
    cr_assert_eq(find(&t), -ENOEXEC);
    cr_assert(strstr(exec_err.what, "broken"), "%s", exec_err.what);
    libs_free(&libs);
}

Test(exec_elf, a_missing_interpreter_is_named)
{
    struct test_elf t = {.interp = "/no/ld.so"};
    struct elf_info info;

    exec_write_elf("prog", &t);
    const int fd = open("prog", O_RDONLY);
    cr_assert_eq(elf_info_read(&info, fd, "prog", &exec_err), 0);
    close(fd);
    cr_assert_eq(libs_find(&libs, "/prog", &info, "none", &exec_err), -ENOENT);
    cr_assert(strstr(exec_err.what, "/prog needs the interpreter /no/ld.so"), "%s", exec_err.what);
    libs_free(&libs);
}
