/*
 * The path of a guest access: lookup, split at the ends of ranges, then RAM or
 * the callbacks of a device, in sizes and byte order that it understands.
 *
 * Bytes stay in memory order throughout; only a callback sees a value.
 *
 * Locking: views are read without a lock (reader.c); a device's guard is held
 * around its callbacks, over all pieces of one access to one range. A callback
 * may commit a change, and with no reader online that frees the view at once: a
 * flat_range is not used after a callback.
 */
#include "src/base/le.h"
#include "src/base/trace.h"
#include "src/mem/internal.h"
#include "src/mem/ramcopy.h"

#include <inttypes.h>
#include <string.h>

struct access {
    uint64_t addr;
    size_t len;
    bool write;
    union {
        uint8_t *in;        /* a read: where the bytes go */
        const uint8_t *out; /* a write: where they come from */
    };
};

/* The n bytes of a that begin after the first `skip`. */
static struct access part(const struct access *a, size_t skip, size_t n)
{
    struct access p = *a;

    p.addr += skip;
    p.len = n;
    if (a->write) {
        p.out += skip;
    } else {
        p.in += skip;
    }
    return p;
}

/* An access that did not come through: counted; a read gets `fill` in each byte. */
static enum access_result fail(_Atomic uint64_t *count, const struct access *a, int fill,
                               enum access_result result)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (!a->write) {
        memset(a->in, fill, a->len);
    }
    return result;
}

static unsigned rule_min(const struct access_rule *rule)
{
    return rule->min != 0 ? rule->min : 1;
}

/* The largest power of two that `left` bytes, the rule's max and the offset's alignment allow. */
static unsigned natural_size(const struct access_rule *rule, uint64_t offset, size_t left)
{
    unsigned size = rule->max != 0 ? rule->max : 4;

    while (size > left || (!rule->unaligned && (offset & (size - 1)) != 0)) {
        size /= 2;
    }
    return size;
}

/* One callback, and the `count` bytes from byte `lane` of its value that belong to the access. */
struct call {
    uint64_t offset;
    unsigned width, lane, count;
};

/* The callback for the first of the `left` bytes at offset: see struct region_ops on impl. */
static struct call plan_call(const struct access_rule *impl, uint64_t offset, size_t left)
{
    unsigned min = rule_min(impl);
    unsigned size = natural_size(impl, offset, left);
    unsigned lane = impl->unaligned ? 0 : (unsigned)(offset & (min - 1));

    if (size >= min) {
        return (struct call){offset, size, 0, size};
    }
    return (struct call){offset - lane, min, lane, left < min - lane ? (unsigned)left : min - lane};
}

/* How far up in a value of `width` bytes the byte is that memory holds as its number `byte`. */
static unsigned byte_shift(enum endian endian, unsigned width, unsigned byte)
{
    return 8 * (endian == ENDIAN_BIG ? width - 1 - byte : byte);
}

static void make_call(const struct region *r, const struct call *c, const struct access *a)
{
    const struct region_ops *ops = r->ops;
    uint64_t value = 0;

    if (!a->write) {
        value = ops->read(r->opaque, c->offset, c->width);
        for (unsigned i = 0; i < c->count; i++) {
            a->in[i] = (uint8_t)(value >> byte_shift(ops->endian, c->width, c->lane + i));
        }
    } else {
        for (unsigned i = 0; i < c->count; i++) {
            value |= (uint64_t)a->out[i] << byte_shift(ops->endian, c->width, c->lane + i);
        }
        ops->write(r->opaque, c->offset, value, c->width);
    }
}

/* One size that the guest may use, by as many callbacks as impl makes of it. */
static void io_piece(const struct region *r, uint64_t offset, struct access a)
{
    while (a.len != 0) {
        struct call c = plan_call(&r->ops->impl, offset, a.len);
        make_call(r, &c, &a);
        offset += c.count;
        a = part(&a, c.count, a.len - c.count);
    }
}

/* value: the first bytes as a little-endian number. */
static void trace_io(const struct aspace *as, bool write, uint64_t addr, const uint8_t *data,
                     size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len && i < sizeof(value); i++) {
        value |= (uint64_t)data[i] << (8 * i);
    }
    trace_emit(write ? TRACE_mem_write : TRACE_mem_read,
               "%s 0x%" PRIx64 " size %zu value 0x%" PRIx64, as->name, addr, len, value);
}

static enum access_result io_access(struct aspace *as, const struct region *r, uint64_t offset,
                                    const struct access *a)
{
    const struct access_rule *guest = &r->ops->guest;
    enum access_result result = ACCESS_OK;
    size_t n;

    if (io_callback_depth != 0) {
        if (r->guard != NULL) {
            atomic_fetch_add_explicit(&r->guard->refused, 1, memory_order_relaxed);
        }
        return fail(&as->reentry, a, 0xff, ACCESS_REENTRY);
    }
    guard_enter(r->guard);
    for (size_t done = 0; done < a->len; done += n) {
        struct access piece;
        n = natural_size(guest, offset + done, a->len - done);
        piece = part(a, done, n);
        if (n >= rule_min(guest)) {
            io_piece(r, offset + done, piece);
        } else {
            result =
                fail(&as->refused, &piece, r->ops->refused_reads_zero ? 0 : 0xff, ACCESS_REFUSED);
        }
    }
    guard_leave(r->guard);
    if (trace_on(a->write ? TRACE_mem_write : TRACE_mem_read)) {
        trace_io(as, a->write, a->addr, a->write ? a->out : a->in, a->len);
    }
    return result;
}

/* All bytes of a lie in range r. */
static enum access_result range_access(struct aspace *as, const struct flat_range *r,
                                       const struct access *a)
{
    const struct region *region = r->region;
    uint64_t offset = r->offset + (a->addr - r->addr.first);

    if (a->write && r->readonly) {
        return fail(&as->refused, a, 0, ACCESS_REFUSED);
    }
    if (region->kind == REGION_IO) {
        return io_access(as, region, offset, a);
    }
    if (a->write) {
        ram_store(region->host + offset, a->out, a->len);
    } else {
        ram_load(a->in, region->host + offset, a->len);
    }
    return ACCESS_OK;
}

static enum access_result unassigned(struct aspace *as, const struct access *a)
{
    trace(TRACE_mem_unassigned, "%s 0x%" PRIx64 " size %zu", as->name, a->addr, a->len);
    return fail(&as->unassigned, a, 0xff, ACCESS_UNASSIGNED);
}

/* How many of the bytes of a are at or below last. */
static size_t bytes_until(const struct access *a, uint64_t last)
{
    return a->len - 1 <= last - a->addr ? a->len : (size_t)(last - a->addr) + 1;
}

/* An access that leaves the range it begins in, or begins in none. */
static enum access_result split_access(struct aspace *as, struct access a)
{
    enum access_result first = ACCESS_OK, result;

    while (a.len != 0) {
        const struct flatview *v = current_view(as);
        const struct flat_range *r = flatview_find(v, a.addr);
        uint64_t last = r != NULL ? r->addr.last : flatview_hole_last(v, a.addr);
        struct access piece = part(&a, 0, bytes_until(&a, last));

        result = r != NULL ? range_access(as, r, &piece) : unassigned(as, &piece);
        first = first != ACCESS_OK ? first : result;
        a = part(&a, piece.len, a.len - piece.len);
        if (last == UINT64_MAX && a.len != 0) {
            result = unassigned(as, &a);
            return first != ACCESS_OK ? first : result;
        }
    }
    return first;
}

static enum access_result access_bytes(struct aspace *as, struct access a)
{
    const struct flat_range *r = flatview_find(current_view(as), a.addr);

    if (r != NULL && range_contains_len(r->addr, a.addr, a.len)) {
        return range_access(as, r, &a);
    }
    return split_access(as, a);
}

/* --- the plain access ------------------------------------------------- */

/*
 * Where this thread's last access was found: a guest polls one register, a driver stays with one
 * device. Only a hint, because the view may be a newer one, or that of another address space.
 */
static _Thread_local size_t last_found;

/* flatview_find(), sooner where the last access was. */
static const struct flat_range *find(const struct flatview *v, uint64_t addr)
{
    size_t hint = last_found;
    const struct flat_range *r;

    if (hint < v->count && range_contains(v->ranges[hint].addr, addr)) {
        return &v->ranges[hint];
    }
    r = flatview_find(v, addr);
    if (r != NULL) {
        last_found = (size_t)(r - v->ranges);
    }
    return r;
}

/* Does the rule take the access as it is? */
static bool takes(const struct access_rule *rule, uint64_t offset, size_t len)
{
    return len <= (rule->max != 0 ? rule->max : 4) && len >= rule->min && (len & (len - 1)) == 0 &&
           (rule->unaligned || (offset & (len - 1)) == 0);
}

/* One callback that is the whole access; region NULL where it takes more than that. */
struct plain {
    const struct region *region;
    uint64_t offset;
};

/*
 * Nearly all accesses are one callback with the bytes as they are. They go a shorter way, which
 * does for them what access_bytes() does; the unit tests compare the two.
 */
static struct plain find_plain(const struct aspace *as, uint64_t addr, size_t len, bool write)
{
    const struct flat_range *r = find(current_view(as), addr);
    const struct region_ops *ops;
    uint64_t offset;

    if (r == NULL || len - 1 > r->addr.last - addr || (write && r->readonly) ||
        r->region->kind != REGION_IO || io_callback_depth != 0) {
        return (struct plain){NULL, 0};
    }
    ops = r->region->ops;
    offset = r->offset + (addr - r->addr.first);
    if (ops->endian != ENDIAN_LITTLE || !takes(&ops->guest, offset, len) ||
        !takes(&ops->impl, offset, len)) {
        return (struct plain){NULL, 0};
    }
    return (struct plain){r->region, offset};
}

enum access_result aspace_read(struct aspace *as, uint64_t addr, void *data, size_t len)
{
    struct plain p = find_plain(as, addr, len, false);
    uint64_t value;

    if (p.region == NULL) {
        return access_bytes(as, (struct access){.addr = addr, .len = len, .in = data});
    }
    guard_enter(p.region->guard);
    value = p.region->ops->read(p.region->opaque, p.offset, (unsigned)len);
    guard_leave(p.region->guard);
    put_le_n(data, value, len);
    if (trace_on(TRACE_mem_read)) {
        trace_io(as, false, addr, data, len);
    }
    return ACCESS_OK;
}

enum access_result aspace_write(struct aspace *as, uint64_t addr, const void *data, size_t len)
{
    struct plain p = find_plain(as, addr, len, true);

    if (p.region == NULL) {
        return access_bytes(as,
                            (struct access){.addr = addr, .len = len, .write = true, .out = data});
    }
    guard_enter(p.region->guard);
    p.region->ops->write(p.region->opaque, p.offset, get_le_n(data, len), (unsigned)len);
    guard_leave(p.region->guard);
    if (trace_on(TRACE_mem_write)) {
        trace_io(as, true, addr, data, len);
    }
    return ACCESS_OK;
}
