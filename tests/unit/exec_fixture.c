/* See exec_fixture.h. */
#include "tests/unit/exec_fixture.h"

#include "src/base/bytes.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct err exec_err;
char exec_dir[64];

void exec_fixture_setup(void)
{
    char name[] = "/tmp/vmm-exec-XXXXXX";

    cr_assert_not_null(mkdtemp(name));
    strcpy(exec_dir, name);
    cr_assert_eq(chdir(exec_dir), 0);
    umask(022);
    exec_err = ERR_INIT;
}

void exec_fixture_teardown(void)
{
    char command[96];

    cr_assert_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", exec_dir);
    cr_assert_eq(system(command), 0);
}

void exec_write(const char *path, const void *data, size_t len, unsigned mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

/* --- ELF -------------------------------------------------------------------- */

#if defined(__x86_64__)
#define OWN EM_X86_64
#else
#define OWN EM_AARCH64
#endif

/* Places in the file, which is loaded at LOAD. */
enum { PHDRS = 64, INTERP = 512, DYNAMIC = 1024, STRINGS = 2048, LOAD = 0x400000 };

static uint64_t add_string(char *strings, size_t *len, const char *s)
{
    const size_t at = *len;

    strcpy(strings + at, s);
    *len += strlen(s) + 1;
    return at;
}

static size_t add_dynamic(Elf64_Dyn *dyn, char *strings, const struct test_elf *t)
{
    size_t n = 0, len = 1;

    for (size_t i = 0; i < 4 && t->needed[i] != NULL; i++) {
        dyn[n++] = (Elf64_Dyn){DT_NEEDED, {add_string(strings, &len, t->needed[i])}};
    }
    if (t->rpath != NULL) {
        dyn[n++] = (Elf64_Dyn){DT_RPATH, {add_string(strings, &len, t->rpath)}};
    }
    if (t->runpath != NULL) {
        dyn[n++] = (Elf64_Dyn){DT_RUNPATH, {add_string(strings, &len, t->runpath)}};
    }
    dyn[n++] = (Elf64_Dyn){DT_STRTAB, {LOAD + STRINGS}};
    dyn[n++] = (Elf64_Dyn){DT_STRSZ, {len}};
    dyn[n++] = (Elf64_Dyn){DT_NULL, {0}};
    return n;
}

size_t exec_make_elf(uint8_t bytes[TEST_ELF_MAX], const struct test_elf *t)
{
    Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)bytes;
    Elf64_Phdr *p = (Elf64_Phdr *)(void *)(bytes + PHDRS);

    memset(bytes, 0, TEST_ELF_MAX);
    memcpy(h->e_ident, ELFMAG, SELFMAG);
    h->e_ident[EI_CLASS] = t->is32 ? ELFCLASS32 : ELFCLASS64;
    h->e_ident[EI_DATA] = ELFDATA2LSB;
    h->e_type = ET_EXEC;
    h->e_machine = (Elf64_Half)(t->machine != 0 ? t->machine : OWN);
    h->e_phoff = PHDRS;
    h->e_phentsize = sizeof(*p);
    p[h->e_phnum++] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_vaddr = LOAD, .p_filesz = TEST_ELF_MAX, .p_memsz = TEST_ELF_MAX};
    if (t->interp != NULL) {
        strcpy((char *)bytes + INTERP, t->interp);
        p[h->e_phnum++] = (Elf64_Phdr){
            .p_type = PT_INTERP, .p_offset = INTERP, .p_filesz = strlen(t->interp) + 1};
    }
    if (t->needed[0] != NULL || t->interp != NULL) {
        const size_t n =
            add_dynamic((Elf64_Dyn *)(void *)(bytes + DYNAMIC), (char *)bytes + STRINGS, t);
        p[h->e_phnum++] = (Elf64_Phdr){
            .p_type = PT_DYNAMIC, .p_offset = DYNAMIC, .p_filesz = n * sizeof(Elf64_Dyn)};
    }
    return TEST_ELF_MAX;
}

void exec_write_elf(const char *path, const struct test_elf *t)
{
    uint8_t bytes[TEST_ELF_MAX];

    exec_write(path, bytes, exec_make_elf(bytes, t), 0755);
}

/* --- archives ------------------------------------------------------------------ */

static unsigned long field(const uint8_t *header, unsigned n)
{
    char digits[9] = "";

    memcpy(digits, header + 6 + n * 8, 8);
    cr_assert_eq(strspn(digits, "0123456789ABCDEFabcdef"), 8);
    return strtoul(digits, NULL, 16);
}

void exec_read_archive(struct test_archive *a, int fd)
{
    struct stat st;
    size_t at = 0;

    cr_assert_eq(fstat(fd, &st), 0);
    a->size = (size_t)st.st_size;
    a->bytes = malloc(a->size);
    a->count = 0;
    cr_assert_eq(pread(fd, a->bytes, a->size, 0), (ssize_t)a->size);
    for (;;) {
        const uint8_t *h = a->bytes + at;
        struct test_entry *n = &a->entries[a->count++];

        cr_assert(at % 4 == 0 && at + 110 <= a->size && a->count < 2048);
        cr_assert_eq(memcmp(h, "070701", 6), 0);
        const size_t name = field(h, 11);
        *n = (struct test_entry){.mode = (unsigned)field(h, 1),
                                 .size = field(h, 6),
                                 .major = (unsigned)field(h, 9),
                                 .minor = (unsigned)field(h, 10)};
        cr_assert(name > 1 && name <= sizeof(n->path) && at + 110 + name <= a->size);
        memcpy(n->path, h + 110, name);
        cr_assert_eq(strlen(n->path) + 1, name);
        at = (at + 110 + name + 3) & ~3UL;
        n->data = a->bytes + at;
        cr_assert(at + n->size <= a->size);
        at = (at + n->size + 3) & ~3UL;
        if (strcmp(n->path, "TRAILER!!!") == 0) {
            a->count--;
            return;
        }
        cr_assert_neq(n->path[0], '/');
    }
}

const struct test_entry *exec_entry(const struct test_archive *a, const char *path)
{
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->entries[i].path, path) == 0) {
            return &a->entries[i];
        }
    }
    return NULL;
}
