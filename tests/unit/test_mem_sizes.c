/*
 * Accesses of every size at every alignment, under all rules of size and in both
 * byte orders, against an oracle that thinks in bytes; and the short way that plain
 * accesses go against the long one.
 */
#include "tests/unit/fake_mem.h"

#include <criterion/criterion.h>
#include <string.h>

static struct topology *topo;
static struct region root;
static struct aspace *as;
static struct fake_io io;

#define IO_ADDR 0x1000

static void setup(void)
{
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    fake_io_init(&io, topo, "io", FAKE_IO_BYTES);
    region_add(&root, IO_ADDR, &io.region, 0);
    as = aspace_new(topo, "memory", &root);
    cr_assert_not_null(as);
}

static void teardown(void)
{
    aspace_free(as);
    fake_io_fini(&io);
    region_fini(&root);
    topology_free(topo);
}

TestSuite(mem_sizes, .init = setup, .fini = teardown);

struct piece {
    unsigned start, size;
};

/*
 * The piece that byte i of an access of len bytes at offset belongs to, said
 * without a loop over pieces: aligned, it is the largest block of a binary
 * subdivision that holds the byte and lies in the access; unaligned, what is left
 * after all full blocks falls apart by its binary digits.
 */
static struct piece oracle_piece(const struct access_rule *guest, unsigned offset, unsigned len,
                                 unsigned i)
{
    unsigned size = guest->max;

    if (!guest->unaligned) {
        for (;; size /= 2) {
            unsigned block = (offset + i) / size * size;
            if (block >= offset && block + size <= offset + len) {
                return (struct piece){block - offset, size};
            }
        }
    }
    if (i < len / size * size) {
        return (struct piece){i / size * size, size};
    }
    for (unsigned at = len / size * size;; at += size) {
        do {
            size /= 2;
        } while (((len - at) & size) == 0);
        if (i < at + size) {
            return (struct piece){at, size};
        }
    }
}

static bool power_of_two(unsigned n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* May a callback have this width where `left` bytes of a piece are to do, from offset `at` on? */
static bool width_fits(const struct fake_call *c, const struct access_rule *impl, unsigned at,
                       unsigned left)
{
    bool wider_possible = c->offset == at && 2 * c->size <= impl->max && 2 * c->size <= left &&
                          (impl->unaligned || at % (2 * c->size) == 0);

    return power_of_two(c->size) && c->size >= impl->min && c->size <= impl->max &&
           (impl->unaligned || c->offset % c->size == 0) && !wider_possible &&
           (c->size == impl->min || c->size <= left);
}

/*
 * Account for call c, of an access of len bytes at offset that is complete up to
 * *done. The call must keep to impl and carry the right bytes: of a write the
 * data at its place and zeros around it.
 */
static bool call_fits(const struct fake_call *c, const struct access_rule *impl, unsigned offset,
                      unsigned len, unsigned *done, const uint8_t *data)
{
    struct piece piece = oracle_piece(&io.ops.guest, offset, len, *done);
    unsigned end = piece.start + piece.size, before = *done;

    if (!width_fits(c, impl, offset + *done, end - *done)) {
        return false;
    }
    for (unsigned lane = 0; lane < c->size; lane++) {
        unsigned shift = 8 * (io.ops.endian == ENDIAN_BIG ? c->size - 1 - lane : lane);
        bool mine = c->offset + lane == offset + *done && *done < end;
        if (c->write && (uint8_t)(c->value >> shift) != (mine ? data[*done] : 0)) {
            return false;
        }
        *done += mine;
    }
    return *done > before;
}

/* Calls that were made, for an access whose bytes were accepted as in `accepted`. */
static bool calls_fit(unsigned offset, unsigned len, const bool *accepted, const uint8_t *data)
{
    unsigned done = 0, call = 0;

    while (done < len) {
        if (!accepted[done]) {
            done++;
        } else if (call == io.call_count ||
                   !call_fits(&io.calls[call++], &io.ops.impl, offset, len, &done, data)) {
            return false;
        }
    }
    return call == io.call_count;
}

/* What the rules make of one access: NULL, or what is wrong. */
static const char *try_access(unsigned offset, unsigned len, bool write)
{
    uint8_t data[16];
    bool accepted[16], all = true;
    enum access_result result;

    for (unsigned i = 0; i < len; i++) {
        data[i] = (uint8_t)(0xa0 + i);
        accepted[i] = oracle_piece(&io.ops.guest, offset, len, i).size >= io.ops.guest.min;
        all = all && accepted[i];
    }
    io.call_count = 0;
    result = write ? aspace_write(as, IO_ADDR + offset, data, len)
                   : aspace_read(as, IO_ADDR + offset, data, len);
    if (result != (all ? ACCESS_OK : ACCESS_REFUSED)) {
        return "result";
    }
    for (unsigned i = 0; !write && i < len; i++) {
        if (data[i] != (accepted[i] ? io.bytes[offset + i] : 0xff)) {
            return "bytes read";
        }
    }
    return calls_fit(offset, len, accepted, data) ? NULL : "calls";
}

static void try_rules(struct access_rule guest, struct access_rule impl, enum endian endian)
{
    io.ops.guest = guest;
    io.ops.impl = impl;
    io.ops.endian = endian;
    for (unsigned access = 0; access < 2 * 9 * 12; access++) {
        bool write = access & 1;
        unsigned offset = access / 2 % 9, len = 1 + access / 18;
        const char *wrong = try_access(offset, len, write);
        cr_assert_null(wrong, "wrong %s: guest %u..%u%s, impl %u..%u%s, %s-endian, %s of %u at %u",
                       wrong, guest.min, guest.max, guest.unaligned ? " unaligned" : "", impl.min,
                       impl.max, impl.unaligned ? " unaligned" : "",
                       endian == ENDIAN_BIG ? "big" : "little", write ? "write" : "read", len,
                       offset);
    }
}

/* All rules with min <= max; returns false after the last. */
static bool rule_number(unsigned n, struct access_rule *rule)
{
    *rule = (struct access_rule){
        .min = 1u << n % 4,
        .max = 1u << n / 4 % 4,
        .unaligned = n / 16 == 1,
    };
    return n < 32;
}

static void try_all_rules(enum endian endian,
                          void (*try)(struct access_rule, struct access_rule, enum endian))
{
    struct access_rule guest, impl;

    for (unsigned g = 0; rule_number(g, &guest); g++) {
        for (unsigned i = 0; rule_number(i, &impl); i++) {
            if (guest.min <= guest.max && impl.min <= impl.max) {
                try(guest, impl, endian);
            }
        }
    }
}

Test(mem_sizes, little_endian)
{
    try_all_rules(ENDIAN_LITTLE, try_rules);
}

Test(mem_sizes, big_endian)
{
    try_all_rules(ENDIAN_BIG, try_rules);
}

/* --- the short way and the long one ----------------------------------- */

/*
 * A window onto the device's registers from some offset on, right behind a byte of RAM: an access
 * that begins with that byte has two parts, and such parts go the long way.
 */
#define WINDOW_ADDR 0x2000
static struct region window;

/* What an access came to, and the device's part in it. */
struct outcome {
    enum access_result result;
    uint8_t data[17];
    unsigned call_count;
    struct fake_call calls[16];
    uint64_t refused;
};

/* Of `extra` bytes of RAM and len of the device. */
static struct outcome outcome_of(uint64_t addr, unsigned extra, unsigned len, bool write)
{
    struct outcome o = {0};
    uint64_t refused = aspace_counts(as).refused;
    uint8_t data[17];

    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(0xa0 + i - extra);
    }
    io.call_count = 0;
    o.result = write ? aspace_write(as, addr - extra, data, extra + len)
                     : aspace_read(as, addr - extra, data, extra + len);
    memcpy(o.data, data + extra, len);
    o.call_count = io.call_count;
    memcpy(o.calls, io.calls, io.call_count * sizeof(o.calls[0]));
    o.refused = aspace_counts(as).refused - refused;
    return o;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    bool calls = a->call_count == b->call_count;

    for (unsigned i = 0; calls && i < a->call_count; i++) {
        const struct fake_call *x = &a->calls[i], *y = &b->calls[i];
        calls = x->write == y->write && x->offset == y->offset && x->value == y->value &&
                x->size == y->size;
    }
    return calls && a->result == b->result && a->refused == b->refused &&
           memcmp(a->data, b->data, sizeof(a->data)) == 0;
}

static void compare_ways(struct access_rule guest, struct access_rule impl, enum endian endian)
{
    io.ops.guest = guest;
    io.ops.impl = impl;
    io.ops.endian = endian;
    for (unsigned access = 0; access < 2 * 16; access++) {
        bool write = access & 1;
        unsigned len = 1 + access / 2;
        struct outcome direct = outcome_of(WINDOW_ADDR, 0, len, write);
        struct outcome split = outcome_of(WINDOW_ADDR, 1, len, write);
        cr_assert(same(&direct, &split),
                  "guest %u..%u%s, impl %u..%u%s, %s-endian, %s of %u at %lu", guest.min, guest.max,
                  guest.unaligned ? " unaligned" : "", impl.min, impl.max,
                  impl.unaligned ? " unaligned" : "", endian == ENDIAN_BIG ? "big" : "little",
                  write ? "write" : "read", len, window.target_offset);
    }
}

Test(mem_sizes, plain_accesses_do_what_the_long_way_does)
{
    struct fake_ram ram;

    fake_ram_init(&ram, topo, REGION_RAM, "ram", 1);
    region_add(&root, WINDOW_ADDR - 1, &ram.region, 0);
    region_init_alias(&window, topo, "window", FAKE_IO_BYTES, &io.region, 0);
    region_add(&root, WINDOW_ADDR, &window, 0);
    for (unsigned offset = 0; offset < 9; offset++) {
        region_set_alias_offset(&window, offset);
        try_all_rules(ENDIAN_LITTLE, compare_ways);
        try_all_rules(ENDIAN_BIG, compare_ways);
    }
    region_fini(&window);
    fake_ram_fini(&ram);
}
