/*
 * Split virtqueues: see queue.h.
 *
 * Order of memory accesses (virtio 1.2, 2.7.13 and 2.7.7): avail.idx is read
 * with acquire before the slots it covers; a used element is written before
 * used.idx is stored with release. Between storing one's own index and reading
 * the other side's wish to be told stands a full fence, on both sides.
 */
#include "virtio/queue.h"

#include "src/base/le.h"
#include "src/mem/dma.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define DESC_SIZE  16
#define DESC_ALIGN 16

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

#define AVAIL_FLAGS        0
#define AVAIL_IDX          2
#define AVAIL_RING         4
#define AVAIL_ENTRY        2
#define AVAIL_ALIGN        2
#define AVAIL_NO_INTERRUPT 1

#define USED_FLAGS     0
#define USED_IDX       2
#define USED_RING      4
#define USED_ENTRY     8
#define USED_ALIGN     4
#define USED_NO_NOTIFY 1

#define EVENT_SIZE 2 /* used_event and avail_event, behind the rings */

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

/* --- guest memory ----------------------------------------------------- */

/* A ring's 16-bit fields are aligned: virtqueue_map() checked. */
static uint16_t load16(const uint8_t *p, memory_order order)
{
    const _Atomic uint16_t *at = (const void *)p;
    return le16toh(atomic_load_explicit(at, order));
}

static void store16(uint8_t *p, uint16_t v, memory_order order)
{
    _Atomic uint16_t *at = (void *)p;
    atomic_store_explicit(at, htole16(v), order);
}

static const uint8_t *used_event(const struct virtqueue *q)
{
    return q->avail + AVAIL_RING + AVAIL_ENTRY * q->num;
}

static uint8_t *avail_event(const struct virtqueue *q)
{
    return q->used + USED_RING + USED_ENTRY * q->num;
}

static struct desc get_desc(const uint8_t *raw)
{
    return (struct desc){.addr = get_le64(raw),
                         .len = get_le32(raw + 8),
                         .flags = get_le16(raw + 12),
                         .next = get_le16(raw + 14)};
}

/* Copy a descriptor out of guest memory, once: the fence keeps the compiler from reading again. */
static struct desc read_desc(const uint8_t *table, unsigned i)
{
    uint8_t raw[DESC_SIZE];
    memcpy(raw, table + (size_t)i * DESC_SIZE, sizeof(raw));
    atomic_signal_fence(memory_order_seq_cst);
    return get_desc(raw);
}

/* --- setting up and breaking ------------------------------------------ */

int virtqueue_break(struct virtqueue *q, const char *why)
{
    if (q->broken == NULL) {
        q->broken = why;
    }
    return -EPROTO;
}

/* Host address of one part of the ring, or NULL if it is misaligned or not RAM. */
static uint8_t *map_part(struct aspace *mem, uint64_t gpa, size_t size, size_t align, bool write)
{
    if (gpa % align != 0) {
        return NULL;
    }
    uint8_t *host = dma_ptr(mem, gpa, size, write);
    return (uintptr_t)host % align == 0 ? host : NULL;
}

int virtqueue_map(struct virtqueue *q, struct aspace *mem, const struct virtqueue_layout *at,
                  bool indirect, bool event_idx)
{
    size_t n = at->num;
    *q = (struct virtqueue){
        .mem = mem, .num = at->num, .indirect = indirect, .event_idx = event_idx};
    if (n == 0 || n > VIRTQUEUE_NUM_MAX || (n & (n - 1)) != 0) {
        q->broken = "its size is no power of two the device offers";
        return -EINVAL;
    }
    q->desc = map_part(mem, at->desc, DESC_SIZE * n, DESC_ALIGN, false);
    q->avail =
        map_part(mem, at->driver, AVAIL_RING + AVAIL_ENTRY * n + EVENT_SIZE, AVAIL_ALIGN, false);
    q->used = map_part(mem, at->device, USED_RING + USED_ENTRY * n + EVENT_SIZE, USED_ALIGN, true);
    if (q->desc == NULL || q->avail == NULL || q->used == NULL) {
        q->broken = q->desc == NULL    ? "its descriptors are misaligned or not in RAM"
                    : q->avail == NULL ? "its available ring is misaligned or not in RAM"
                                       : "its used ring is misaligned or not in RAM";
        return -EINVAL;
    }
    return 0;
}

/* --- taking chains ---------------------------------------------------- */

/* Add one buffer to the chain. */
static int add_buffer(struct virtqueue *q, struct virtqueue_chain *c, const struct desc *d)
{
    bool write = (d->flags & DESC_WRITE) != 0;
    unsigned used = c->readable + c->writable;
    if (d->len == 0) {
        return virtqueue_break(q, "a descriptor of length 0");
    }
    if (d->len > UINT32_MAX - c->readable_len - c->writable_len) {
        return virtqueue_break(q, "a chain of 4 GiB or more");
    }
    if (!write && c->writable > 0) {
        return virtqueue_break(q, "a readable descriptor behind a writable one");
    }
    int n = dma_map(q->mem, d->addr, d->len, write, c->iov + used, (int)(VIRTQUEUE_IOV_MAX - used));
    if (n == -ENOSPC) {
        return virtqueue_break(q, "a chain in too many pieces");
    }
    if (n < 0) {
        return virtqueue_break(q, "a descriptor of memory that is not RAM");
    }
    if (write) {
        c->writable += (uint16_t)n;
        c->writable_len += d->len;
    } else {
        c->readable += (uint16_t)n;
        c->readable_len += d->len;
    }
    return 0;
}

/* Copy the table an indirect descriptor names. Returns its entries, or -EPROTO. */
static int read_indirect(struct virtqueue *q, const struct desc *d, uint8_t *table)
{
    if (!q->indirect) {
        return virtqueue_break(q, "an indirect descriptor that was not negotiated");
    }
    if ((d->flags & DESC_NEXT) != 0) {
        return virtqueue_break(q, "an indirect descriptor with a next one");
    }
    if (d->len == 0 || d->len % DESC_SIZE != 0 || d->len / DESC_SIZE > q->num) {
        return virtqueue_break(q, "an indirect table of a wrong length");
    }
    if (dma_read(q->mem, d->addr, table, d->len) != 0) {
        return virtqueue_break(q, "an indirect table that is not in RAM");
    }
    return (int)(d->len / DESC_SIZE);
}

/*
 * Follow the descriptors from c->head, in the queue's table and then in an
 * indirect one. Each step adds a buffer, so at most num buffers end a loop.
 */
static int walk_chain(struct virtqueue *q, struct virtqueue_chain *c)
{
    uint8_t copy[VIRTQUEUE_NUM_MAX * DESC_SIZE];
    const uint8_t *table = q->desc;
    unsigned entries = q->num;
    unsigned i = c->head;
    for (unsigned buffers = 0; buffers < q->num;) {
        if (i >= entries) {
            return virtqueue_break(q, "a descriptor index out of range");
        }
        struct desc d = read_desc(table, i);
        if ((d.flags & DESC_INDIRECT) != 0) {
            if (table == copy) {
                return virtqueue_break(q, "an indirect table inside another");
            }
            int n = read_indirect(q, &d, copy);
            if (n < 0) {
                return n;
            }
            table = copy;
            entries = (unsigned)n;
            i = 0;
            continue;
        }
        int ret = add_buffer(q, c, &d);
        if (ret < 0 || (d.flags & DESC_NEXT) == 0) {
            return ret;
        }
        i = d.next;
        buffers++;
    }
    return virtqueue_break(q, "a chain longer than the queue, or a loop");
}

int virtqueue_pop(struct virtqueue *q, struct virtqueue_chain *c)
{
    if (q->broken != NULL) {
        return -EPROTO;
    }
    uint16_t waiting =
        (uint16_t)(load16(q->avail + AVAIL_IDX, memory_order_acquire) - q->next_avail);
    if (waiting == 0) {
        return 0;
    }
    if (waiting > q->num) {
        return virtqueue_break(q, "an available index too far ahead");
    }
    const uint8_t *slot = q->avail + AVAIL_RING + AVAIL_ENTRY * (q->next_avail % q->num);
    q->next_avail++;
    c->head = load16(slot, memory_order_relaxed);
    c->readable = 0;
    c->writable = 0;
    c->readable_len = 0;
    c->writable_len = 0;
    int ret = walk_chain(q, c);
    return ret < 0 ? ret : 1;
}

/* --- giving back ------------------------------------------------------ */

void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t len)
{
    assert(head < q->num);
    if (q->broken != NULL) {
        return;
    }
    uint8_t *slot = q->used + USED_RING + USED_ENTRY * (q->used_idx % q->num);
    put_le32(slot, head);
    put_le32(slot + 4, len);
    q->used_idx++;
    store16(q->used + USED_IDX, q->used_idx, memory_order_release);
}

bool virtqueue_must_interrupt(struct virtqueue *q)
{
    uint16_t pushed = (uint16_t)(q->used_idx - q->signalled);
    q->signalled = q->used_idx;
    if (pushed == 0) {
        return false;
    }
    atomic_thread_fence(memory_order_seq_cst);
    if (q->event_idx) {
        /* Is the entry the driver waits for among those pushed? */
        uint16_t event = load16(used_event(q), memory_order_relaxed);
        return (uint16_t)(q->used_idx - event - 1) < pushed;
    }
    return (load16(q->avail + AVAIL_FLAGS, memory_order_relaxed) & AVAIL_NO_INTERRUPT) == 0;
}

void virtqueue_suppress_kicks(struct virtqueue *q)
{
    /* With the event index an avail_event left behind is enough. */
    if (!q->event_idx) {
        store16(q->used + USED_FLAGS, USED_NO_NOTIFY, memory_order_relaxed);
    }
}

bool virtqueue_enable_kicks(struct virtqueue *q)
{
    if (q->event_idx) {
        store16(avail_event(q), q->next_avail, memory_order_relaxed);
    } else {
        store16(q->used + USED_FLAGS, 0, memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_seq_cst);
    return q->broken == NULL && load16(q->avail + AVAIL_IDX, memory_order_relaxed) != q->next_avail;
}
