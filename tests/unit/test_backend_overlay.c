/*
 * Disks whose file stays as it is. The oracle is the disk as plain memory.
 */
#include "virtio/backend/block.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE    (64 * 1024 + 1536) /* the last cluster is not whole */
#define SECTORS (SIZE / BLOCK_SECTOR)

static char path[] = "/tmp/vmm-overlay-XXXXXX";
static uint8_t file[SIZE], disk[SIZE];

static void setup(void)
{
    const int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < SIZE; i++) {
        file[i] = (uint8_t)(i / 512 + i);
    }
    memcpy(disk, file, SIZE);
    cr_assert_eq(write(fd, file, SIZE), SIZE);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
}

TestSuite(backend_overlay, .init = setup, .fini = teardown);

static int result;

static void done(struct block_request *r, int error)
{
    (void)r;
    result = error;
}

/* One request in two pieces; data of READ and WRITE. */
static void request(struct block *b, enum block_op op, uint64_t offset, uint64_t len, uint8_t *data)
{
    const size_t first = len > 512 ? 512 : (size_t)len;
    struct iovec iov[2] = {{data, first}, {data + first, (size_t)len - first}};
    struct block_request r = {
        .op = op, .offset = offset, .len = len, .iov = iov, .iov_count = 2, .done = done};
    result = -1;
    b->ops->submit(b, &r);
    cr_assert_eq(result, 0);
}

static void expect_file_untouched(void)
{
    static uint8_t now[SIZE];
    const int fd = open(path, O_RDONLY);
    cr_assert_eq(read(fd, now, SIZE), SIZE);
    close(fd);
    cr_expect_arr_eq(now, file, SIZE);
}

static uint64_t random_u64(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

Test(backend_overlay, random_requests_as_on_a_disk_and_the_file_stays)
{
    static uint8_t data[SIZE];
    struct err e = ERR_INIT;
    uint64_t x = 88172645463325252;
    struct block *b = overlay_open(path, &e);
    cr_assert_not_null(b, "%s", e.what);
    cr_expect_eq(b->size, SIZE);
    cr_expect(!b->readonly && !b->diverged);
    for (unsigned i = 0; i < 3000; i++) {
        const uint64_t at = random_u64(&x) % SECTORS;
        const uint64_t left = SECTORS - at;
        const uint64_t count = 1 + random_u64(&x) % (left < 24 ? left : 24);
        const uint64_t offset = at * BLOCK_SECTOR, len = count * BLOCK_SECTOR;
        switch (random_u64(&x) % 8) {
        case 0:
        case 1:
            memset(data, (int)random_u64(&x), len);
            request(b, BLOCK_WRITE, offset, len, data);
            memcpy(disk + offset, data, len);
            break;
        case 2:
            request(b, BLOCK_WRITE_ZEROES, offset, len, NULL);
            memset(disk + offset, 0, len);
            break;
        case 3:
            request(b, i % 2 ? BLOCK_FLUSH : BLOCK_DISCARD, offset, 0, NULL);
            break;
        default:
            request(b, BLOCK_READ, offset, len, data);
            cr_assert_arr_eq(data, disk + offset, len, "request %u", i);
        }
    }
    cr_expect(b->diverged);
    b->ops->close(b);
    expect_file_untouched();
}

Test(backend_overlay, two_of_a_file_are_apart_and_a_writer_is_kept_out)
{
    static uint8_t one[512] = "one", two[512] = "two", back[512];
    struct err e = ERR_INIT;
    struct block *a = overlay_open(path, &e), *b = overlay_open(path, &e);
    cr_assert(a != NULL && b != NULL, "%s", e.what);
    request(a, BLOCK_WRITE, 1024, 512, one);
    request(b, BLOCK_WRITE, 1024, 512, two);
    request(a, BLOCK_READ, 1024, 512, back);
    cr_expect_str_eq((const char *)back, "one");
    cr_expect_null(raw_open(path, false, &e));
    a->ops->close(a);
    b->ops->close(b);
    expect_file_untouched();
}

Test(backend_overlay, nowhere_to_write_is_said)
{
    struct err e = ERR_INIT;
    setenv("TMPDIR", "/no/such/folder", 1);
    cr_expect_null(overlay_open(path, &e));
    cr_expect(strstr(e.what, "temporary file in '/no/such/folder'") != NULL, "%s", e.what);
    cr_expect(strstr(e.hint, "TMPDIR") != NULL);
    unsetenv("TMPDIR");
    cr_expect_null(overlay_open("/no/such/disk", &e));
}
