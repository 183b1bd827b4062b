/*
 * Raw disks: what may be opened and what is said of the rest, locks, the tail
 * behind the last sector, and each operation on a real file.
 */
#include "virtio/backend/block.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/vmm-raw-XXXXXX";
static char path[64];
static struct err e;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/disk", dir);
    e = ERR_INIT;
}

static void teardown(void)
{
    unlink(path);
    rmdir(dir);
}

TestSuite(raw, .init = setup, .fini = teardown);

/* A file of size bytes: byte n is n * 7 + n / 256. */
static uint8_t pattern(size_t n)
{
    return (uint8_t)(n * 7 + n / 256);
}

static void make_file(size_t size)
{
    FILE *f = fopen(path, "w");
    for (size_t i = 0; i < size; i++) {
        fputc(pattern(i), f);
    }
    fclose(f);
}

static struct block *must_open(bool ro)
{
    struct block *b = raw_open(path, ro, &e);
    cr_assert_not_null(b, "%s", e.what);
    return b;
}

/* Opening fails, and the message has both words. */
static void must_refuse(const char *file, bool ro, const char *what, const char *hint)
{
    e = ERR_INIT;
    cr_expect_null(raw_open(file, ro, &e));
    cr_expect_not_null(strstr(e.what, what), "'%s' lacks '%s'", e.what, what);
    cr_expect_not_null(strstr(e.what, file), "'%s' lacks the name", e.what);
    cr_expect_not_null(strstr(e.hint, hint), "'%s' lacks '%s'", e.hint, hint);
}

/* --- requests that complete at once ---------------------------------------- */

static int result;

static void done(struct block_request *r, int error)
{
    (void)r;
    result = error;
}

static int run(struct block *b, struct block_request r)
{
    result = 1;
    r.done = done;
    b->ops->submit(b, &r);
    cr_assert_neq(result, 1, "not completed");
    return result;
}

static int transfer(struct block *b, enum block_op op, uint64_t offset, void *buf, size_t len)
{
    size_t third = len / 3; /* in uneven pieces */
    struct iovec iov[] = {{buf, third}, {(char *)buf + third, 1}, {(char *)buf + third + 1, 0}};
    iov[2].iov_len = len - third - 1;
    return run(b, (struct block_request){
                      .op = op, .offset = offset, .len = len, .iov = iov, .iov_count = 3});
}

static int range(struct block *b, enum block_op op, uint64_t offset, uint64_t len, bool unmap)
{
    return run(b, (struct block_request){.op = op, .offset = offset, .len = len, .unmap = unmap});
}

/* --- opening ---------------------------------------------------------------- */

Test(raw, opening_changes_nothing)
{
    struct stat before, after;
    make_file(4096);
    chmod(path, 0640);
    stat(path, &before);
    for (int ro = 0; ro < 2; ro++) {
        struct block *b = must_open(ro != 0);
        cr_assert_eq(b->size, 4096);
        cr_assert_eq(b->readonly, ro != 0);
        b->ops->close(b);
    }
    stat(path, &after);
    cr_assert_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    cr_assert_eq(before.st_size, after.st_size);
    cr_assert_eq(before.st_mode, after.st_mode);
}

Test(raw, a_missing_file_is_not_made)
{
    must_refuse(path, false, "No such file", "truncate -s");
    cr_assert_neq(access(path, F_OK), 0);
}

Test(raw, what_is_no_disk_is_refused)
{
    must_refuse(dir, false, "directory", "regular file");
    must_refuse(dir, true, "directory", "regular file");
    must_refuse("/dev/null", false, "character device", "regular file");
    mkfifo(path, 0600);
    must_refuse(path, false, "pipe", "regular file"); /* and does not wait for a writer */
    must_refuse(path, true, "pipe", "regular file");
}

Test(raw, an_empty_file_is_refused)
{
    make_file(0);
    must_refuse(path, false, "empty", "truncate -s");
    make_file(511);
    must_refuse(path, false, "smaller than a sector", "truncate -s");
}

Test(raw, no_permission_names_the_read_only_way)
{
    bool root = geteuid() == 0; /* may do anything: be somebody else */
    make_file(512);
    chmod(dir, 0755);
    chmod(path, 0444);
    cr_assert(!root || seteuid(65534) == 0);
    must_refuse(path, false, "Permission denied", ",ro");
    cr_assert(!root || seteuid(0) == 0);
    chmod(path, 0);
    cr_assert(!root || seteuid(65534) == 0);
    e = ERR_INIT;
    cr_expect_null(raw_open(path, false, &e));
    cr_expect_str_empty(e.hint); /* it cannot be read either */
    cr_assert(!root || seteuid(0) == 0);
}

/* --- locks -------------------------------------------------------------------- */

Test(raw, a_writable_disk_is_used_alone)
{
    make_file(512);
    struct block *rw = must_open(false);
    must_refuse(path, false, "in use", "',ro'");
    must_refuse(path, true, "in use", "',ro'");
    rw->ops->close(rw);
    rw = must_open(false); /* closing freed it */
    rw->ops->close(rw);
}

Test(raw, read_only_disks_share)
{
    make_file(512);
    struct block *a = must_open(true);
    struct block *b = must_open(true);
    must_refuse(path, false, "in use", "',ro'");
    a->ops->close(a);
    must_refuse(path, false, "in use", "',ro'"); /* the other one's lock is its own */
    b->ops->close(b);
    a = must_open(false);
    a->ops->close(a);
}

/* --- operations ---------------------------------------------------------------- */

#define SIZE 65536

static uint8_t buf[SIZE];

static void expect_bytes(size_t from, size_t to, bool zero)
{
    FILE *f = fopen(path, "r");
    fseek(f, (long)from, SEEK_SET);
    for (size_t i = from; i < to; i++) {
        int c = fgetc(f);
        cr_assert_eq(c, zero ? 0 : pattern(i), "byte %zu is %d", i, c);
    }
    fclose(f);
}

Test(raw, reads_what_the_file_holds)
{
    make_file(SIZE);
    struct block *b = must_open(true);
    cr_assert_eq(transfer(b, BLOCK_READ, 512, buf, SIZE - 512), 0);
    for (size_t i = 512; i < SIZE; i++) {
        cr_assert_eq(buf[i - 512], pattern(i));
    }
    b->ops->close(b);
}

Test(raw, writes_change_only_their_sectors)
{
    make_file(SIZE);
    struct block *b = must_open(false);
    cr_assert_eq(transfer(b, BLOCK_WRITE, 1024, buf, 512), 0);
    cr_assert_eq(range(b, BLOCK_FLUSH, 0, 0, false), 0);
    b->ops->close(b);
    expect_bytes(0, 1024, false);
    expect_bytes(1024, 1536, true);
    expect_bytes(1536, SIZE, false);
}

Test(raw, zeroes_and_discards_keep_their_bounds)
{
    struct stat st;
    make_file(SIZE + 100);
    struct block *b = must_open(false);
    cr_assert_eq(b->size, SIZE);
    cr_assert_eq(range(b, BLOCK_WRITE_ZEROES, 512, 8192, false), 0);
    cr_assert_eq(range(b, BLOCK_WRITE_ZEROES, 16384, 8704, true), 0);
    expect_bytes(0, 512, false);
    expect_bytes(512, 8704, true);
    expect_bytes(8704, 16384, false);
    expect_bytes(16384, 25088, true);
    expect_bytes(25088, SIZE + 100, false);
    /* Up to the very end of the disk: the tail stays, and so does the file's size. */
    cr_assert_eq(range(b, BLOCK_DISCARD, 32768, SIZE - 32768, false), 0);
    expect_bytes(25088, 32768, false);
    expect_bytes(SIZE, SIZE + 100, false);
    cr_assert_eq(range(b, BLOCK_WRITE_ZEROES, 0, SIZE, true), 0);
    expect_bytes(0, SIZE, true);
    expect_bytes(SIZE, SIZE + 100, false);
    b->ops->close(b);
    stat(path, &st);
    cr_assert_eq(st.st_size, SIZE + 100);
}

Test(raw, a_file_that_shrank_fails_and_does_not_hang)
{
    make_file(SIZE);
    struct block *b = must_open(false);
    cr_assert_eq(truncate(path, 1024), 0);
    cr_assert_eq(transfer(b, BLOCK_READ, 512, buf, 1024), -EIO);
    b->ops->close(b);
}

Test(raw, a_write_that_finds_no_room_says_so)
{
    make_file(SIZE);
    struct block *b = must_open(false);
    struct rlimit old, limit;
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 1024;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    /* The first half fits: a short write, then the error. */
    cr_expect_eq(transfer(b, BLOCK_WRITE, 512, buf, 1024), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &old);
    b->ops->close(b);
}

/* fdatasync() refuses a pipe: as good as a disk that lost a write. */
Test(raw, a_failed_flush_is_never_forgotten)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    struct block_file f = {.fd = fds[0]};
    struct block_request r = {.op = BLOCK_FLUSH};
    cr_assert_eq(io_sync(&f, &r), -EINVAL);
    make_file(512);
    f.fd = open(path, O_RDWR);
    cr_assert_eq(io_sync(&f, &r), -EIO);
    close(f.fd);
    close(fds[0]);
    close(fds[1]);
}

/* Memory files cannot zero a range, so zeros are written, and in more than one piece. */
Test(raw, zeroing_without_the_file_systems_help)
{
    const size_t len = 200 * 512;
    struct block_file f = {.fd = memfd_create("disk", MFD_CLOEXEC)};
    struct block_request r = {.op = BLOCK_WRITE_ZEROES, .offset = 512, .len = len};
    uint8_t *all = malloc(len + 1024);
    memset(all, 0xaa, len + 1024);
    cr_assert_eq(pwrite(f.fd, all, len + 1024, 0), (ssize_t)len + 1024);
    cr_assert_eq(io_sync(&f, &r), 0);
    cr_assert_eq(pread(f.fd, all, len + 1024, 0), (ssize_t)len + 1024);
    for (size_t i = 0; i < len + 1024; i++) {
        cr_assert_eq(all[i], i < 512 || i >= len + 512 ? 0xaa : 0, "byte %zu", i);
    }
    free(all);
    close(f.fd);
}
