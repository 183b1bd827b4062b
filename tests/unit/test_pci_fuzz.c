/*
 * A hostile guest writes random bytes to configuration space, through both mechanisms, while
 * devices raise interrupts; now and then all that it can see is compared with a plain model.
 *
 * Under AddressSanitizer, which sees what goes wrong, the eight parts are 10 million writes; in
 * other builds a tenth, to keep the test suite short.
 */
#include "devices/pci_function.h"
#include "tests/unit/pci_model.h"

#include <criterion/criterion.h>

#if defined(__SANITIZE_ADDRESS__)
#define STEPS 1250000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STEPS 1250000
#endif
#endif
#ifndef STEPS
#define STEPS 125000
#endif
#define STEPS_PER_CHECK 250

static const unsigned slots[] = {1, 2, 5}; /* the first and the last share a line */
#define PROBES ARRAY_LEN(slots)

static struct pci_fixture p;
static struct pci_model model;
static struct device *probes[PROBES];
static uint64_t state;

/* xorshift64 */
static uint64_t random_u64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static unsigned below(unsigned n)
{
    return (unsigned)(random_u64() >> 32) % n;
}

static void write_config(unsigned slot, unsigned function, unsigned reg, uint32_t value,
                         unsigned size)
{
    if (reg >= 256 || below(2) == 0) {
        const uint64_t gpa = FIXTURE_ECAM + (slot << 15 | function << 12 | reg);
        fake_write(p.m.mem, gpa, value, size);
    } else {
        fake_write(p.m.io, 0xcf8, 1u << 31 | slot << 11 | function << 8 | (reg & 0xfc), 4);
        fake_write(p.m.io, 0xcfc + reg % 4, value, size);
    }
    pci_model_write(&model, slot, function, reg, value, size);
}

static uint32_t random_value(void)
{
    switch (below(8)) {
    case 0:
        return UINT32_MAX;
    case 1:
        return 0;
    case 2:
        return 1u << below(32);
    default:
        return (uint32_t)random_u64();
    }
}

static void write_anything(void)
{
    const unsigned size = 1u << below(3);
    const unsigned slot = below(8) != 0 ? slots[below(PROBES)] : below(PCI_SLOTS);
    const unsigned function = below(16) == 0 ? below(8) : 0;
    const unsigned reg = below(16) == 0 ? below(4096) : below(256);
    if (slot != 0) { /* the model has probes only */
        write_config(slot, function, reg & ~(size - 1), random_value(), size);
    }
}

/* Random addresses seldom hit a window: this one is in it, or hardly not, and others' are near. */
static void write_good_bar(void)
{
    const unsigned slot = slots[below(PROBES)];
    switch (below(4)) {
    case 0:
        write_config(slot, 0, 0x10, 0xc0000000 - 0x1000 + below(4) * 0x1000, 4);
        break;
    case 1:
        write_config(slot, 0, 0x14, 0x1000 - 0x20 + below(4) * 0x20, 4);
        break;
    case 2:
        write_config(slot, 0, 0x18, 0xc0000000 + below(2) * 0x10000, 4);
        break;
    case 3:
        write_config(slot, 0, 0x1c, below(2) * 8, 4);
        break;
    }
}

static void interrupt(void)
{
    const unsigned i = below(PROBES), vector = below(4);
    const bool up = below(2) == 0;
    device_lock(probes[i]);
    if (up) {
        device_raise(probes[i], vector);
        pci_model_raise(&model, slots[i], vector);
    } else {
        device_lower(probes[i], vector);
        pci_model_lower(&model, slots[i], vector);
    }
    device_unlock(probes[i]);
}

static void one_step(void)
{
    switch (below(16)) {
    case 0:
        write_good_bar();
        break;
    case 1:
        write_config(slots[below(PROBES)], 0, 0x04, below(2) != 0 ? 3 : below(8) | below(2) << 10,
                     2);
        break;
    case 2:
        interrupt();
        break;
    default:
        write_anything();
        break;
    }
}

static void run(uint64_t seed)
{
    state = seed;
    pci_fixture_init(&p, 1);
    pci_model_init(&model, &p, seed);
    for (size_t i = 0; i < PROBES; i++) {
        probes[i] = pci_fixture_add(&p, &pci_probe_class, slots[i], NULL);
        pci_model_add(&model, probes[i]);
    }
    for (unsigned i = 1; i <= STEPS; i++) {
        one_step();
        if (i % STEPS_PER_CHECK == 0) {
            pci_model_check(&model);
        }
    }
    cr_expect_gt(model.changes, STEPS / 50, "BARs moved often enough to tell");
    for (size_t i = 0; i < PROBES; i++) {
        cr_expect_eq(pci_function_of(probes[i])->unmapped.count, 0);
        device_free(probes[i]);
    }
    pci_fixture_free(&p);
}

/* Parts, so that they run side by side. */
#define PART(n)                                                                                    \
    Test(pci_fuzz, part_##n)                                                                       \
    {                                                                                              \
        run(0x9e3779b97f4a7c15 * (n));                                                             \
    }
PART(1)
PART(2)
PART(3)
PART(4)
PART(5)
PART(6)
PART(7)
PART(8)
