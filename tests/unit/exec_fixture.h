/*
 * For tests of --exec: a folder of its own, small ELF files made to measure, and
 * a reader of cpio archives that shares no code with the writer.
 */
#ifndef TESTS_EXEC_FIXTURE_H
#define TESTS_EXEC_FIXTURE_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern struct err exec_err;

/* Init and fini of a suite: the current folder is a new one, exec_dir. */
extern char exec_dir[64];
void exec_fixture_setup(void);
void exec_fixture_teardown(void);

void exec_write(const char *path, const void *data, size_t len, unsigned mode);

/* An ELF file of this machine. Names are NULL where there is none. */
struct test_elf {
    const char *interp, *rpath, *runpath, *needed[4];
    unsigned machine; /* 0: this one */
    bool is32;
};
#define TEST_ELF_MAX 4096
size_t exec_make_elf(uint8_t bytes[TEST_ELF_MAX], const struct test_elf *t);
void exec_write_elf(const char *path, const struct test_elf *t);

/* --- archives ------------------------------------------------------------- */

struct test_entry {
    char path[256];
    unsigned mode, major, minor;
    const uint8_t *data;
    size_t size;
};

struct test_archive {
    uint8_t *bytes;
    size_t size;
    struct test_entry entries[2048];
    size_t count;
};

/* All of fd's file; fails the test where it is not an archive as Linux wants it. */
void exec_read_archive(struct test_archive *a, int fd);
/* NULL: it is not in. */
const struct test_entry *exec_entry(const struct test_archive *a, const char *path);

#endif
