/*
 * vmm's side of the window: see window_host.h.
 */
#include "src/exec/window_host.h"

#include "src/base/le.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <stdatomic.h>

enum { PAYLOAD_PAGES = 8 }; /* the addresses begin here */

bool window_open(struct window *w, struct aspace *mem, const uint8_t *payload, size_t len)
{
    const uint32_t size = len >= PAYLOAD_PAGES ? get_le32(payload) : 0;

    if (w->on || size < WINDOW_PAGE_MIN || size > WINDOW_SIZE || (size & (size - 1)) != 0 ||
        len != PAYLOAD_PAGES + WINDOW_SIZE / size * 8) {
        return false;
    }
    *w = (struct window){.mem = mem, .page_size = size};
    for (uint32_t i = 0; i < WINDOW_SIZE / size; i++) {
        w->pages[i] = get_le64(payload + PAYLOAD_PAGES + (size_t)i * 8);
        if ((w->pages[i] & (size - 1)) != 0 || dma_ptr(mem, w->pages[i], size, true) == NULL) {
            return false;
        }
    }
    w->on = true;
    return true;
}

/* Bytes at an offset, in pieces that end with their page. */
static int access_at(const struct window *w, uint32_t offset, void *buf, uint32_t len, bool write)
{
    uint8_t *at = buf;
    int ret = 0;

    while (len > 0 && ret == 0) {
        const uint32_t in_page = offset & (w->page_size - 1);
        const uint32_t to_end = w->page_size - in_page;
        const uint32_t piece = len < to_end ? len : to_end;
        const uint64_t gpa = w->pages[offset / w->page_size] + in_page;

        ret = write ? dma_write(w->mem, gpa, at, piece) : dma_read(w->mem, gpa, at, piece);
        at += piece;
        offset += piece;
        len -= piece;
    }
    return ret;
}

static int get_index(const struct window *w, uint32_t offset, uint32_t *value)
{
    uint8_t bytes[4];
    const int ret = access_at(w, offset, bytes, sizeof(bytes), false);

    *value = get_le32(bytes);
    return ret;
}

static int set_index(const struct window *w, uint32_t offset, uint32_t value)
{
    uint8_t bytes[4];

    put_le32(bytes, value);
    return access_at(w, offset, bytes, sizeof(bytes), true);
}

int window_take(struct window *w, uint8_t *buf, size_t size, bool *ring)
{
    uint32_t produced, waits = 0;
    int ret;

    *ring = false;
    atomic_thread_fence(memory_order_seq_cst); /* our index, then a look at the other's */
    ret = get_index(w, WINDOW_GUEST_PRODUCED, &produced);
    if (ret < 0 || produced - w->consumed > WINDOW_TO_HOST_SIZE) {
        return ret < 0 ? ret : -EPROTO;
    }
    atomic_thread_fence(memory_order_acquire);
    const uint32_t at = w->consumed % WINDOW_TO_HOST_SIZE;
    uint32_t len = produced - w->consumed;
    len = len < size ? len : (uint32_t)size;
    len = len < WINDOW_TO_HOST_SIZE - at ? len : WINDOW_TO_HOST_SIZE - at;
    if (len == 0) {
        return 0;
    }
    ret = access_at(w, WINDOW_TO_HOST + at, buf, len, false);
    atomic_thread_fence(memory_order_seq_cst); /* the bytes are read before they are given up */
    w->consumed += len;
    if (ret == 0) {
        ret = set_index(w, WINDOW_HOST_CONSUMED, w->consumed);
    }
    atomic_thread_fence(memory_order_seq_cst);
    if (ret == 0) {
        ret = get_index(w, WINDOW_GUEST_WAITS, &waits);
    }
    if (ret == 0 && waits != 0) {
        *ring = true;
        ret = set_index(w, WINDOW_GUEST_WAITS, 0);
    }
    return ret < 0 ? ret : (int)len;
}

/* Room in the ring to the guest; -EPROTO. */
static int room_to_guest(const struct window *w, uint32_t *room)
{
    uint32_t consumed;
    const int ret = get_index(w, WINDOW_GUEST_CONSUMED, &consumed);

    if (ret < 0 || w->produced - consumed > WINDOW_TO_GUEST_SIZE) {
        return ret < 0 ? ret : -EPROTO;
    }
    atomic_thread_fence(memory_order_seq_cst);
    *room = WINDOW_TO_GUEST_SIZE - (w->produced - consumed);
    return 0;
}

/* Move one piece, no longer than room. */
static int put_piece(struct window *w, struct ring *r, uint32_t room)
{
    const uint32_t at = w->produced % WINDOW_TO_GUEST_SIZE;
    size_t len;
    const uint8_t *data = ring_piece(r, &len);
    uint8_t bytes[1024];
    int ret;

    len = len < sizeof(bytes) ? len : sizeof(bytes);
    len = len < room ? len : room;
    len = len < WINDOW_TO_GUEST_SIZE - at ? len : WINDOW_TO_GUEST_SIZE - at;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = data[i];
    }
    ret = access_at(w, WINDOW_TO_GUEST + at, bytes, (uint32_t)len, true);
    atomic_thread_fence(memory_order_release);
    ring_drop(r, len);
    w->produced += (uint32_t)len;
    return ret < 0 ? ret : set_index(w, WINDOW_HOST_PRODUCED, w->produced);
}

int window_put(struct window *w, struct ring *r, bool *ring)
{
    uint32_t room = 1;
    int ret = 0;

    *ring = false;
    while (r->count > 0 && ret == 0) {
        const uint32_t before = w->produced;
        uint32_t consumed;

        ret = room_to_guest(w, &room);
        if (ret == 0 && room == 0) { /* ask to be told, and look once more */
            ret = set_index(w, WINDOW_HOST_WAITS, 1);
            atomic_thread_fence(memory_order_seq_cst);
            ret = ret == 0 ? room_to_guest(w, &room) : ret;
        }
        if (ret < 0 || room == 0) {
            return ret;
        }
        ret = put_piece(w, r, room);
        atomic_thread_fence(memory_order_seq_cst);
        if (ret == 0) {
            ret = get_index(w, WINDOW_GUEST_CONSUMED, &consumed);
        }
        *ring |= ret == 0 && consumed == before; /* it had taken all, and may sleep */
    }
    return ret;
}
