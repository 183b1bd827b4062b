/*
 * Devices in snapshots. A device that was saved and loaded into a new machine behaves as
 * the one that went on; and a record that is damaged, newer or forged does no harm.
 */
#include "src/device_state.h"
#include "tests/unit/fakes.h"
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

/* edu and virtio-blk work on threads of their own: below, and in test_virtio_state.c. */
static const char *const names[] = {
    "uart16550", "rtc-cmos", "i8042", "acpi-pm",    "pc-ports", "debug-exit",
    "pvpanic",   "pl011",    "pl031", "dma-engine", "fw-cfg",
};
#define NAMES ARRAY_LEN(names)

struct twin {
    struct fake_machine m;
    struct device *devices[NAMES];
};

static void twin_init(struct twin *t)
{
    fake_machine_init(&t->m, 1);
    for (size_t i = 0; i < NAMES; i++) {
        t->devices[i] = fake_device(&t->m, names[i], NULL);
    }
}

static void twin_free(struct twin *t)
{
    for (size_t i = 0; i < NAMES; i++) {
        device_free(t->devices[i]);
    }
    fake_machine_free(&t->m);
}

static uint64_t random_u64(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

static void advance(struct twin *t, uint64_t ns)
{
    fake_clock_advance(&t->m.clock, ns);
    loop_poll(t->m.loop);
}

/* One thing that happens to a machine. Returns what the guest saw of it. */
static uint64_t step(struct twin *t, uint64_t *x)
{
    static const uint8_t input[64] = "some input";
    const struct device *d = t->devices[random_u64(x) % NAMES];
    const struct device_region *r = &d->regions[random_u64(x) % d->region_count];
    struct aspace *as = r->region.parent == &t->m.io_root ? t->m.io : t->m.mem;
    const uint64_t at = r->region.offset + random_u64(x) % (r->region.last + 1);
    const unsigned size = 1u << random_u64(x) % 4;
    const uint64_t value = random_u64(x), kind = random_u64(x) % 64, how = random_u64(x);
    uint64_t result = 0;
    if (kind == 0) {
        advance(t, how % (NS_PER_SEC / 4));
    } else if (kind == 1) {
        t->m.console.in = input;
        t->m.console.in_len = how % sizeof(input);
        result = fake_chardev_pump(&t->m.console);
    } else if (kind == 2) {
        t->m.console.out_len = 0;
        fake_chardev_set_room(&t->m.console, how % 64);
    } else if (kind % 2 == 0) {
        fake_write(as, at, value, size);
    } else {
        result = fake_read(as, at, size);
    }
    return result;
}

/* A new machine at the time of t, with the state of t's devices. */
static void copy_twin(struct twin *t, struct twin *copy)
{
    struct err e = ERR_INIT;
    twin_init(copy);
    atomic_store(&copy->m.clock.ns, atomic_load(&t->m.clock.ns));
    atomic_store(&copy->m.clock.realtime_ns, atomic_load(&t->m.clock.realtime_ns));
    memcpy(copy->m.ram, t->m.ram, t->m.ram_size);
    copy->m.console.room = t->m.console.room;
    copy->m.console.in = t->m.console.in;
    copy->m.console.in_len = t->m.console.in_len;
    for (size_t i = 0; i < NAMES; i++) {
        struct pack out = {0};
        device_pause(t->devices[i]);
        device_state_save(t->devices[i], &out);
        struct unpack in = {.data = out.data, .len = out.len};
        cr_assert_eq(device_state_load(copy->devices[i], &in, &e), 0, "%s", e.what);
        pack_free(&out);
    }
    for (size_t i = 0; i < NAMES; i++) {
        device_resume(t->devices[i]);
        device_resume(copy->devices[i]);
    }
}

static void expect_same_records(struct twin *a, struct twin *b)
{
    for (size_t i = 0; i < NAMES; i++) {
        struct pack of_a = {0}, of_b = {0};
        device_state_save(a->devices[i], &of_a);
        device_state_save(b->devices[i], &of_b);
        cr_expect_eq(of_a.len, of_b.len);
        cr_expect_arr_eq(of_a.data, of_b.data, of_a.len, "the records of %s differ", names[i]);
        pack_free(&of_a);
        pack_free(&of_b);
    }
}

static void live_on_alike(uint64_t seed)
{
    static struct twin a, b;
    uint64_t x = seed, y;
    twin_init(&a);
    for (unsigned i = 0; i < 3000; i++) {
        step(&a, &x);
    }
    copy_twin(&a, &b);
    a.m.console.out_len = b.m.console.out_len = 0;
    y = x;
    for (unsigned i = 0; i < 3000; i++) {
        const uint64_t of_a = step(&a, &x), of_b = step(&b, &y);
        cr_assert_eq(of_a, of_b, "seed %lu, step %u: 0x%lx and 0x%lx", (unsigned long)seed, i,
                     (unsigned long)of_a, (unsigned long)of_b);
        cr_assert_eq(a.m.console.out_len, b.m.console.out_len, "step %u", i);
    }
    advance(&a, NS_PER_SEC);
    advance(&b, NS_PER_SEC);
    for (unsigned gsi = 0; gsi < FAKE_GSIS; gsi++) {
        cr_expect_eq(a.m.irqs.level[gsi], b.m.irqs.level[gsi], "seed %lu, GSI %u",
                     (unsigned long)seed, gsi);
    }
    expect_same_records(&a, &b);
    twin_free(&a);
    twin_free(&b);
}

Test(device_state, a_loaded_machine_lives_on_as_the_saved_one)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        live_on_alike(seed * 88172645463325252);
    }
}

/* --- records ---------------------------------------------------------- */

struct loaded {
    struct fake_machine m;
    struct device *d;
    struct pack record;
};

static void loaded_init(struct loaded *l, const char *name)
{
    fake_machine_init(&l->m, 1);
    l->d = fake_device(&l->m, name, NULL);
    l->record = (struct pack){0};
    device_state_save(l->d, &l->record);
}

static void loaded_free(struct loaded *l)
{
    pack_free(&l->record);
    device_free(l->d);
    fake_machine_free(&l->m);
}

static int load(struct loaded *l, struct err *e)
{
    struct unpack in = {.data = l->record.data, .len = l->record.len};
    return device_state_load(l->d, &in, e);
}

static void save_as(struct loaded *l, const struct device_class *cls)
{
    const struct device_class *own = l->d->cls;
    pack_free(&l->record);
    l->d->cls = cls;
    device_state_save(l->d, &l->record);
    l->d->cls = own;
}

Test(device_state, fields_come_and_go_by_name_and_version)
{
    struct loaded l;
    struct err e = ERR_INIT;
    loaded_init(&l, "i8042");
    struct field fields[8];
    struct device_class cls = *l.d->cls;
    const size_t count = cls.field_count;
    memcpy(fields, cls.fields, count * sizeof(fields[0]));
    cls.fields = fields;

    struct field first = fields[0]; /* another order */
    fields[0] = fields[1];
    fields[1] = first;
    save_as(&l, &cls);
    cr_expect_eq(load(&l, &e), 0, "%s", e.what);

    cls.field_count = count - 1;
    save_as(&l, &cls);
    cr_expect_lt(load(&l, &e), 0);
    cr_expect(strstr(e.what, "is missing") != NULL, "%s", e.what);

    fields[0].name = "novelty";
    cls.field_count = count;
    save_as(&l, &cls);
    cr_expect_lt(load(&l, &e), 0);
    cr_expect(strstr(e.what, "it has no field 'novelty'") != NULL, "%s", e.what);

    memcpy(fields, l.d->cls->fields, count * sizeof(fields[0]));
    fields[0].count = 2;
    save_as(&l, &cls);
    cr_expect_lt(load(&l, &e), 0);
    cr_expect(strstr(e.what, "has 2 values of 1 bytes, not 1 of 1") != NULL, "%s", e.what);

    fields[0].count = 1;
    cls.version = l.d->cls->version + 1;
    save_as(&l, &cls);
    cr_expect_lt(load(&l, &e), 0);
    cr_expect(strstr(e.what, "version 2") != NULL, "%s", e.what);
    loaded_free(&l);
}

/* A class of version 2 reads what its version 1 saved: the new field keeps its reset value. */
Test(device_state, a_field_newer_than_the_record_keeps_its_reset_value)
{
    struct loaded l;
    struct err e = ERR_INIT;
    loaded_init(&l, "i8042");
    struct field fields[8];
    struct device_class newer = *l.d->cls, older = newer;
    memcpy(fields, newer.fields, newer.field_count * sizeof(fields[0]));
    fields[newer.field_count - 1].since = 2;
    newer.fields = fields;
    newer.version = 2;
    older.field_count--;
    save_as(&l, &older);
    l.d->cls = &newer;
    cr_expect_eq(load(&l, &e), 0, "%s", e.what);
    loaded_free(&l);
}

Test(device_state, the_record_of_another_device_is_refused)
{
    struct loaded l, other;
    struct err e = ERR_INIT;
    loaded_init(&l, "i8042");
    loaded_init(&other, "pl031");
    struct unpack in = {.data = other.record.data, .len = other.record.len};
    cr_expect_lt(device_state_load(l.d, &in, &e), 0);
    cr_expect(strstr(e.what, "it was a 'pl031'") != NULL, "%s", e.what);
    loaded_free(&other);
    loaded_free(&l);
}

Test(device_state, a_record_cut_anywhere_is_refused)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < NAMES; i++) {
        struct loaded l;
        loaded_init(&l, names[i]);
        const size_t len = l.record.len;
        for (size_t n = 0; n < len; n += n < 200 ? 1 : 13) {
            l.record.len = n;
            cr_expect_lt(load(&l, &e), 0, "%s, %zu of %zu bytes", names[i], n, len);
        }
        l.record.len = len;
        cr_expect_eq(load(&l, &e), 0, "%s", e.what);
        loaded_free(&l);
    }
}

/* Saved with one id, loaded with another; the guest is told once, and not of a mere pause. */
Test(device_state, a_generation_id_is_another_after_a_load)
{
    struct loaded l;
    struct err e = ERR_INIT;
    loaded_init(&l, "vmgenid");
    const uint64_t low = fake_read(l.m.mem, FAKE_SLOT_GPA(0), 8);
    const uint64_t high = fake_read(l.m.mem, FAKE_SLOT_GPA(0) + 8, 8);
    device_pause(l.d);
    device_resume(l.d);
    cr_expect_eq(l.m.slots[0].raises, 0);
    cr_expect_eq(fake_read(l.m.mem, FAKE_SLOT_GPA(0), 8), low);
    cr_assert_eq(load(&l, &e), 0, "%s", e.what);
    device_resume(l.d);
    device_resume(l.d);
    cr_expect_eq(l.m.slots[0].raises, 1);
    cr_expect_eq(l.m.slots[0].raised, 0, "it is no level");
    cr_expect(fake_read(l.m.mem, FAKE_SLOT_GPA(0), 8) != low ||
              fake_read(l.m.mem, FAKE_SLOT_GPA(0) + 8, 8) != high);
    loaded_free(&l);
}

Test(device_state, a_guest_can_tell_restored_machines_from_the_saved_one)
{
    struct loaded l;
    struct err e = ERR_INIT;
    loaded_init(&l, "snapshot-ready");
    cr_expect_eq(fake_read(l.m.io, 0x508, 4), 0);
    fake_write(l.m.io, 0x508, 1, 4);
    cr_expect_eq(l.m.event_count, 1);
    cr_expect_eq(l.m.events[0].event, MACHINE_READY);
    cr_assert_eq(load(&l, &e), 0, "%s", e.what);
    cr_expect_eq(fake_read(l.m.io, 0x508, 4), 1);
    cr_expect_eq(fake_read(l.m.io, 0x509, 1), 0);
    loaded_free(&l);
}

/* --- forged records --------------------------------------------------- */

/* What a guest may do afterwards, and time. */
static void poke(struct fake_machine *m, const struct device *d, uint64_t *x)
{
    for (unsigned i = 0; i < 50 && d->region_count > 0; i++) {
        const struct device_region *r = &d->regions[random_u64(x) % d->region_count];
        struct aspace *as = r->region.parent == &m->io_root ? m->io : m->mem;
        const uint64_t at = r->region.offset + random_u64(x) % (r->region.last + 1);
        const unsigned size = 1u << random_u64(x) % 4;
        if (i % 2 == 0) {
            fake_write(as, at, random_u64(x), size);
        } else {
            fake_read(as, at, size);
        }
    }
    fake_clock_advance(&m->clock, NS_PER_SEC);
    m->console.out_len = 0;
    loop_poll(m->loop);
}

/* Makes the device a record is loaded into. */
struct maker {
    struct device *(*make)(const struct maker *k);
    const char *name, *props;
    struct fake_machine *m;
    struct pci_fixture *p;
};

static struct device *make_plain(const struct maker *k)
{
    return fake_device(k->m, k->name, k->props);
}

static struct device *make_pci(const struct maker *k)
{
    struct err e = ERR_INIT;
    return pci_fixture_add(k->p, device_class_find(k->name, &e), 0, k->props);
}

static void change_bytes(uint8_t *bytes, size_t len, uint64_t *x)
{
    static const uint8_t likely[] = {0, 1, 0x7f, 0x80, 0xff};
    for (uint64_t n = 1 + random_u64(x) % 8; n > 0; n--) {
        const uint64_t value = random_u64(x);
        bytes[random_u64(x) % len] =
            value % 2 == 0 ? likely[value / 2 % sizeof(likely)] : (uint8_t)(value >> 8);
    }
}

/* Change bytes of the record and load it, many times; where it is taken, go on from there. */
static void forge(const struct maker *k, unsigned rounds)
{
    uint64_t x = 88172645463325252;
    struct pack record = {0};
    struct device *d = k->make(k);
    device_state_save(d, &record);
    uint8_t *bytes = malloc(record.len);
    for (unsigned i = 0; i < rounds; i++) {
        struct err e = ERR_INIT;
        struct unpack in = {.data = bytes, .len = record.len};
        memcpy(bytes, record.data, record.len);
        change_bytes(bytes, record.len, &x);
        device_pause(d);
        if (device_state_load(d, &in, &e) == 0) {
            device_resume(d);
            poke(k->m, d, &x);
        } else { /* vmm ends then: nobody uses the device */
            device_free(d);
            k->m->slot_count = 0;
            d = k->make(k);
        }
    }
    free(bytes);
    pack_free(&record);
    device_free(d);
    k->m->slot_count = 0;
}

Test(device_state, forged_records_do_no_harm)
{
    static const char *const all[] = {"uart16550", "rtc-cmos", "i8042", "acpi-pm",
                                      "pl011",     "pl031",    "edu",   "dma-engine"};
    struct fake_machine m;
    fake_machine_init(&m, 1);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        forge(&(struct maker){.make = make_plain, .name = all[i], .m = &m}, 1000);
    }
    fake_machine_free(&m);
}

Test(device_state, forged_records_of_pci_functions_do_no_harm)
{
    struct pci_fixture p;
    pci_fixture_init(&p, 1);
    struct maker k = {.make = make_pci, .name = "edu", .m = &p.m, .p = &p};
    forge(&k, 1000);
    k.name = "dma-engine";
    k.props = "msix=on,channels=3";
    forge(&k, 1000);
    pci_fixture_free(&p);
}
