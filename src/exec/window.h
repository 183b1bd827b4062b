/*
 * The window: pages of the guest's init through which frames go once the line
 * is up. An exit for every byte makes a serial line slow; here a whole ring of
 * bytes costs one doorbell, which is a byte on the line.
 *
 * Init pins the pages, finds out where they are and tells vmm by FRAME_WINDOW;
 * vmm answers with the same type and no payload. From then on each side's bytes on the
 * line mean nothing but "look". In the window are two rings, and the indexes below,
 * each a u32 that counts bytes and wraps at 2^32, little-endian.
 *
 * Whoever moves an index rings where the other may be asleep: a producer when the
 * other had taken all there was before; a consumer when the other waits for room.
 * Each looks once more, after a full barrier, before it sleeps.
 *
 * Freestanding up to here; the rest is vmm's side.
 */
#ifndef EXEC_WINDOW_H
#define EXEC_WINDOW_H

#include <stdint.h>

#define WINDOW_SIZE 0x10000u

enum {
    WINDOW_HOST_PRODUCED = 0x000, /* bytes put into the ring to the guest; vmm writes it */
    WINDOW_HOST_CONSUMED = 0x004, /* bytes taken from the ring to vmm; vmm writes it */
    WINDOW_HOST_WAITS = 0x008,    /* 1: vmm waits for room; vmm sets, init clears and rings */
    WINDOW_GUEST_PRODUCED = 0x400,
    WINDOW_GUEST_CONSUMED = 0x404,
    WINDOW_GUEST_WAITS = 0x408,
    WINDOW_TO_HOST = 0x1000,
    WINDOW_TO_HOST_SIZE = 0x8000,
    WINDOW_TO_GUEST = 0x9000,
    WINDOW_TO_GUEST_SIZE = 0x4000,
};

/* FRAME_WINDOW: u32 size of a page, u32 0, then u64 guest-physical address of each. */
#define WINDOW_PAGE_MIN  4096u
#define WINDOW_PAGES_MAX (WINDOW_SIZE / WINDOW_PAGE_MIN)

#endif
