/*
 * Snapshot files: what was put comes back; what is cut, changed, or newer is refused.
 */
#include "src/base/le.h"
#include "src/base/xxh64.h"
#include "src/mem/ram.h"
#include "src/snapshot/file.h"
#include "src/snapshot/ram.h"
#include "src/snapshot/snapshot.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAM_BYTES (1U << 20)

static char folder[] = "/tmp/vmm-snapshot-XXXXXX";
static char path[64];
static struct ram ram;
static bool forged; /* RAM may be anywhere */

static void setup(void)
{
    struct err e = ERR_INIT;
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s", folder);
    cr_assert_eq(ram_alloc(&ram, RAM_BYTES, &e), 0);
}

static void teardown(void)
{
    ram_free(&ram);
    unlink(path);
    rmdir(folder);
}

TestSuite(snapshot_file, .init = setup, .fini = teardown);

static unsigned files_in_folder(void)
{
    DIR *d = opendir(folder);
    unsigned n = 0;
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n - 2;
}

/* One section of state, and RAM with two parts that are not zero. */
static int write_sample(struct err *e)
{
    struct snapshot_writer w;
    struct pack state = {0};
    memset(ram.host + 4096, 0xa5, 4096);
    memset(ram.host + RAM_BYTES - 10, 0x5a, 10);
    int ret = snapshot_create(&w, path, e);
    if (ret < 0) {
        return ret;
    }
    pack_string(&state, "some state");
    ret = snapshot_put(&w, SECTION_VM, 3, &state, e);
    pack_free(&state);
    if (ret == 0) {
        ret = snapshot_put_all_ram(&w, &ram, e);
    }
    if (ret < 0) {
        snapshot_abandon(&w);
        return ret;
    }
    return snapshot_commit(&w, e);
}

/* All that a load of a machine reads. */
static int read_sample(struct err *e)
{
    struct snapshot_file *f = snapshot_file_open(path, e);
    struct ram fresh;
    struct unpack in;
    uint8_t *data;
    char text[32];
    if (f == NULL) {
        return -1;
    }
    int ret = snapshot_get(f, SECTION_VM, 3, &data, &in, e);
    if (ret == 0) {
        unpack_string(&in, text, sizeof(text));
        ret = unpack_done(&in) && strcmp(text, "some state") == 0 ? 0 : -1;
        free(data);
    }
    if (ret == 0) {
        cr_assert_eq(ram_alloc(&fresh, RAM_BYTES, e), 0);
        ret = snapshot_map_ram(f, &fresh, e);
        cr_expect(ret < 0 || forged || memcmp(fresh.host, ram.host, RAM_BYTES) == 0);
        ram_free(&fresh);
    }
    snapshot_file_close(f);
    return ret;
}

static uint8_t *slurp(size_t *len)
{
    struct stat st;
    const int fd = open(path, O_RDONLY);
    cr_assert_eq(fstat(fd, &st), 0);
    uint8_t *data = malloc((size_t)st.st_size);
    cr_assert_eq(read(fd, data, (size_t)st.st_size), st.st_size);
    close(fd);
    *len = (size_t)st.st_size;
    return data;
}

static void store(const uint8_t *data, size_t len)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

/* With both checksums put right, as somebody who means harm would. */
static void forge(uint8_t *data, size_t len)
{
    const uint64_t table = get_le64(data + HEADER_TABLE);
    if (table <= len) {
        put_le64(data + HEADER_TABLE_SUM, xxh64(data + table, len - table));
    }
    put_le64(data + HEADER_SUM, xxh64(data, HEADER_SUM));
    store(data, len);
}

Test(snapshot_file, what_was_put_comes_back)
{
    struct err e = ERR_INIT;
    cr_assert_eq(write_sample(&e), 0, "%s", e.what);
    cr_expect_eq(files_in_folder(), 1);
    cr_expect_eq(read_sample(&e), 0, "%s", e.what);
}

Test(snapshot_file, cut_anywhere_it_is_refused)
{
    struct err e = ERR_INIT;
    size_t len;
    cr_assert_eq(write_sample(&e), 0);
    uint8_t *data = slurp(&len);
    for (size_t n = 0; n < len; n += n < 256 || n + 512 > len ? 1 : 61) {
        store(data, n);
        e = ERR_INIT;
        cr_assert_neq(read_sample(&e), 0, "%zu of %zu bytes", n, len);
        cr_expect(strstr(e.what, "too short") != NULL || strstr(e.what, "damaged") != NULL, "%s",
                  e.what);
    }
    free(data);
}

/* Header, state, table and RAM; the gaps between sections mean nothing. */
static bool has_meaning(size_t at, const uint8_t *data, size_t len)
{
    const size_t table = get_le64(data + HEADER_TABLE);
    bool inside = at < SNAPSHOT_HEADER_SIZE || at >= table;
    for (size_t e = table; e < len && !inside; e += SNAPSHOT_ENTRY_SIZE) {
        const uint64_t offset = get_le64(data + e + ENTRY_OFFSET);
        inside = at >= offset && at - offset < get_le64(data + e + ENTRY_LENGTH);
    }
    return inside;
}

Test(snapshot_file, any_flipped_bit_is_found)
{
    struct err e = ERR_INIT;
    size_t len;
    cr_assert_eq(write_sample(&e), 0);
    uint8_t *data = slurp(&len);
    for (size_t at = 0; at < len; at++) {
        const bool small = at < 256 || at + 512 > len;
        if (!has_meaning(at, data, len) || (!small && at % 997 != 0)) {
            continue;
        }
        for (unsigned bit = 0; bit < 8; bit += small ? 1 : 5) {
            const uint8_t flipped = data[at] ^ (uint8_t)(1u << bit);
            const int fd = open(path, O_WRONLY);
            cr_assert_eq(pwrite(fd, &flipped, 1, (off_t)at), 1);
            e = ERR_INIT;
            cr_expect_neq(read_sample(&e), 0, "bit %u of byte %zu", bit, at);
            cr_assert_eq(pwrite(fd, &data[at], 1, (off_t)at), 1);
            close(fd);
        }
    }
    cr_expect_eq(read_sample(&e), 0, "all bits are back");
    free(data);
}

Test(snapshot_file, what_is_newer_or_for_another_machine_is_named)
{
    static const struct {
        unsigned at;
        uint32_t value;
        const char *says;
    } cases[] = {
        {HEADER_VERSION, SNAPSHOT_VERSION + 1, "has format 3, this vmm reads 2"},
        {HEADER_VERSION, SNAPSHOT_VERSION - 1, "has format 1, this vmm reads 2"},
        {HEADER_ARCH, SNAPSHOT_X86_64 + SNAPSHOT_ARM64 - SNAPSHOT_ARCH, "machine, this vmm runs"},
        {HEADER_ARCH, 99, "is of an unknown machine"},
    };
    struct err e = ERR_INIT;
    size_t len;
    cr_assert_eq(write_sample(&e), 0);
    uint8_t *data = slurp(&len);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint32_t before = get_le32(data + cases[i].at);
        put_le32(data + cases[i].at, cases[i].value);
        forge(data, len);
        cr_expect_neq(read_sample(&e), 0);
        cr_expect(strstr(e.what, cases[i].says) != NULL, "%s", e.what);
        put_le32(data + cases[i].at, before);
    }
    const size_t table = get_le64(data + HEADER_TABLE);
    put_le32(data + table + ENTRY_VERSION, 2);
    forge(data, len);
    cr_expect_neq(read_sample(&e), 0);
    cr_expect(strstr(e.what, "version 2, unknown here") != NULL, "%s", e.what);
    free(data);
}

/* Whoever forges checksums, too, must not make vmm read outside of file or RAM. */
Test(snapshot_file, forged_tables_do_no_harm)
{
    static const uint64_t values[] = {
        0, 1, 64, 4096, 65536, RAM_BYTES, UINT32_MAX, UINT64_MAX, UINT64_MAX - 4095, 1ULL << 63};
    struct err e = ERR_INIT;
    size_t len;
    cr_assert_eq(write_sample(&e), 0);
    uint8_t *data = slurp(&len);
    uint8_t *copy = malloc(len);
    forged = true;
    const size_t table = get_le64(data + HEADER_TABLE);
    for (size_t at = 8; at + 8 <= len; at += 4) {
        if (at >= SNAPSHOT_HEADER_SIZE && at < table) {
            continue;
        }
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            memcpy(copy, data, len);
            put_le64(copy + at, values[i]);
            forge(copy, len);
            read_sample(&e); /* sanitizers and the memory map judge */
        }
    }
    free(copy);
    free(data);
}

Test(snapshot_file, a_full_disk_leaves_nothing)
{
    struct err e = ERR_INIT;
    struct rlimit old, small;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){.rlim_cur = 70000, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    cr_expect_lt(write_sample(&e), 0);
    setrlimit(RLIMIT_FSIZE, &old);
    cr_expect(strstr(e.what, "cannot write snapshot") != NULL, "%s", e.what);
    cr_expect_eq(files_in_folder(), 0);

    snprintf(path, sizeof(path), "%s/no/s", folder);
    e = ERR_INIT;
    cr_expect_lt(write_sample(&e), 0);
    cr_expect(strstr(e.what, "No such file") != NULL, "%s", e.what);
}

/* An older file of the name is whole until the new one is. */
Test(snapshot_file, a_new_one_takes_the_old_ones_place_when_it_is_complete)
{
    struct err e = ERR_INIT;
    struct snapshot_writer w;
    cr_assert_eq(write_sample(&e), 0);
    struct snapshot_file *f = snapshot_file_open(path, &e);
    cr_assert_eq(snapshot_create(&w, path, &e), 0);
    cr_expect_eq(read_sample(&e), 0, "the old one is there still");
    snapshot_abandon(&w);
    cr_expect_eq(files_in_folder(), 1);
    memset(ram.host, 7, 100);
    cr_assert_eq(write_sample(&e), 0);
    cr_expect_eq(read_sample(&e), 0, "the new one is there");
    struct ram old;
    cr_assert_eq(ram_alloc(&old, RAM_BYTES, &e), 0);
    cr_expect_eq(snapshot_map_ram(f, &old, &e), 0);
    cr_expect_eq(old.host[0], 0, "who has the old one open keeps it");
    ram_free(&old);
    snapshot_file_close(f);
}

/* Or --snapshot-save /dev/null would leave the host without it. */
Test(snapshot_file, what_is_no_file_stays_what_it_is)
{
    struct err e = ERR_INIT;
    struct stat st;
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(write_sample(&e), -EINVAL);
    cr_expect(strstr(e.what, "no regular file") != NULL, "%s", e.what);
    cr_assert_eq(lstat(path, &st), 0);
    cr_expect(S_ISFIFO(st.st_mode));
    cr_expect_eq(files_in_folder(), 1);
}

/* Two machines from one file, and the file: none sees what another writes. */
Test(snapshot_file, writes_to_ram_stay_private_and_clear_gives_zeros)
{
    struct err e = ERR_INIT;
    struct ram a, b;
    cr_assert_eq(write_sample(&e), 0);
    struct snapshot_file *f = snapshot_file_open(path, &e);
    cr_assert_eq(ram_alloc(&a, RAM_BYTES, &e), 0);
    cr_assert_eq(ram_alloc(&b, RAM_BYTES, &e), 0);
    cr_assert_eq(snapshot_map_ram(f, &a, &e), 0);
    memset(a.host + 4096, 1, 4096);
    cr_assert_eq(snapshot_map_ram(f, &b, &e), 0);
    cr_expect_eq(b.host[4096], 0xa5);
    memset(b.host, 2, RAM_BYTES);
    cr_expect_eq(a.host[4096], 1);
    cr_expect_eq(read_sample(&e), 0);
    cr_expect_eq(ram_clear(&a, &e), 0);
    for (size_t i = 0; i < RAM_BYTES; i += 4096) {
        cr_assert_eq(a.host[i], 0);
    }
    a.host[5] = 5;
    cr_expect_eq(ram_clear(&a, &e), 0);
    cr_expect_eq(a.host[5], 0);
    ram_free(&a);
    ram_free(&b);
    snapshot_file_close(f);
}
