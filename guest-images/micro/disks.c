/*
 * Lists the disks in the order in which their registers lie.
 */
#include "virtio_blk.h"

int guest_main(void)
{
    static struct virtq queue;
    static uint8_t sector[SECTOR_SIZE];
    static struct blk disk;
    unsigned n = 0;
    for (; blk_open(&disk, n, &queue, 0); n++) {
        CHECK_EQ(blk_request(&disk, BLK_READ, 0, sector, SECTOR_SIZE), BLK_OK);
        print("disk %u: %lu sectors, %c%c%c%c\n", n, blk_capacity(&disk), sector[0], sector[1],
              sector[2], sector[3]);
    }
    print("disks: %u\n", n);
    return 0;
}
