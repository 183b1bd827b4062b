/*
 * Init's side of the window (src/exec/window.h).
 *
 * The pages must stay where they are. They are of a shared mapping, which fork()
 * does not copy, and a pipe that nobody reads holds them (vmsplice(2)): the kernel
 * moves no page that somebody holds. /proc/self/pagemap tells root where they are.
 */
#include "src/exec/window.h"
#include "guest-images/exec-init/init.h"

#include <linux/auxvec.h>

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_FRAME   ((1ULL << 55) - 1)

static uint8_t *window;
static uint32_t produced, consumed; /* ours */

/* --- set-up ------------------------------------------------------------------ */

static size_t page_size(void)
{
    unsigned long entries[64] = {0};
    const long fd = sys_open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
    size_t size = 0;

    sys_read(fd, entries, sizeof(entries) - 2 * sizeof(entries[0]));
    sys_close(fd);
    for (size_t i = 0; i < 62 && entries[i] != AT_NULL; i += 2) {
        size = entries[i] == AT_PAGESZ ? entries[i + 1] : size;
    }
    return size;
}

/* Let a pipe hold the pages for as long as this process lives. */
static bool pin(void)
{
    const struct sys_iovec all = {window, WINDOW_SIZE};
    int ends[2];

    return sys_pipe(ends, O_CLOEXEC) >= 0 && sys_vmsplice(ends[1], &all) == WINDOW_SIZE;
}

static void put_number(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

bool window_make(uint8_t payload[FRAME_PAYLOAD_MAX], size_t *len)
{
    const size_t size = page_size();
    const long at = sys_map_shared(WINDOW_SIZE);
    const long map = sys_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool known = size >= WINDOW_PAGE_MIN && size <= WINDOW_SIZE && at > 0 && map >= 0;

    window = (uint8_t *)at;
    known = known && pin();
    put_number(payload, size, 8);
    for (size_t i = 0; known && i < WINDOW_SIZE / size; i++) {
        uint64_t entry = 0;

        sys_pread(map, &entry, sizeof(entry), (long)((size_t)at / size + i) * 8);
        known = (entry & PAGEMAP_PRESENT) != 0 && (entry & PAGEMAP_FRAME) != 0;
        put_number(payload + 8 + i * 8, (entry & PAGEMAP_FRAME) * size, 8);
    }
    *len = 8 + (size != 0 ? WINDOW_SIZE / size * 8 : 0);
    sys_close(map);
    return known;
}

/* --- rings --------------------------------------------------------------------- */

static uint32_t *index_at(uint32_t offset)
{
    return (uint32_t *)(void *)(window + offset);
}

static uint32_t get(uint32_t offset)
{
    return __atomic_load_n(index_at(offset), __ATOMIC_SEQ_CST);
}

static void set(uint32_t offset, uint32_t value)
{
    __atomic_store_n(index_at(offset), value, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* before a look at the other's */
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

size_t window_take(uint8_t *buf, size_t size, bool *ring)
{
    const uint32_t at = consumed % WINDOW_TO_GUEST_SIZE;
    uint32_t len = get(WINDOW_HOST_PRODUCED) - consumed;

    len = least(least(len, (uint32_t)size), WINDOW_TO_GUEST_SIZE - at);
    if (len == 0) {
        return 0;
    }
    memcpy(buf, window + WINDOW_TO_GUEST + at, len);
    consumed += len;
    set(WINDOW_GUEST_CONSUMED, consumed);
    *ring = get(WINDOW_HOST_WAITS) != 0;
    if (*ring) {
        set(WINDOW_HOST_WAITS, 0);
    }
    return len;
}

static uint32_t room_to_host(void)
{
    return WINDOW_TO_HOST_SIZE - (produced - get(WINDOW_HOST_CONSUMED));
}

void window_put(struct ring *r, bool *ring)
{
    while (r->count > 0) {
        const uint32_t at = produced % WINDOW_TO_HOST_SIZE, before = produced;
        uint32_t room = room_to_host();
        size_t len;
        const uint8_t *data = ring_piece(r, &len);

        if (room == 0) { /* ask to be told, and look once more */
            set(WINDOW_GUEST_WAITS, 1);
            room = room_to_host();
        }
        if (room == 0) {
            return;
        }
        len = least(least((uint32_t)len, room), WINDOW_TO_HOST_SIZE - at);
        memcpy(window + WINDOW_TO_HOST + at, data, len);
        ring_drop(r, len);
        produced += (uint32_t)len;
        set(WINDOW_GUEST_PRODUCED, produced);
        *ring |= get(WINDOW_HOST_CONSUMED) == before; /* it had taken all, and may sleep */
    }
}
