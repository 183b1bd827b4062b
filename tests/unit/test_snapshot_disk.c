/*
 * Disks of a snapshot that are other ones now.
 */
#include "src/snapshot/disk.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A block device that can be opened, and its size; false: this host has none for us. */
static bool find_device(char path[32], uint64_t *size)
{
    static const char *const names[] = {"loop0", "ram0", "vda", "sda", "nvme0n1"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, 32, "/dev/%s", names[i]);
        const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        const bool known = fd >= 0 && ioctl(fd, BLKGETSIZE64, size) == 0;
        if (fd >= 0) {
            close(fd);
        }
        if (known) {
            return true;
        }
    }
    return false;
}

/* It has no time of a last write; its size is all there is. */
Test(snapshot_disk, a_block_device_of_another_size)
{
    struct disk_record r = {.device = true};
    struct err e = ERR_INIT;
    char path[32];

    if (!find_device(path, &r.size)) {
        cr_skip_test("no block device can be opened");
    }
    r.size -= r.size % 512;
    cr_assert_eq(disk_check(&r, path, 1, &e), 0, "%s", e.what);
    r.size += 512;
    cr_assert_eq(disk_check(&r, path, 1, &e), -EINVAL);
    cr_assert(strstr(e.what, "another size") != NULL, "%s", e.what);
}
