/*
 * A model of a PCI bus: see pci_model.h.
 */
#include "tests/unit/pci_model.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

enum {
    COMMAND = 0x04,
    STATUS = 0x06,
    MSI_CONTROL = 0x42,
    AF_CONTROL = 0x54,
};

static const struct {
    unsigned reg;
    uint64_t size;
    bool io, wide;
} layout[MODEL_BARS] = {
    {0x10, PROBE_MEM_SIZE, false, false},
    {0x14, PROBE_IO_SIZE, true, false},
    {0x18, PROBE_MEM64_SIZE, false, true},
};

static uint64_t bytes_at(const struct model_function *f, unsigned reg, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)f->bytes[reg + i] << 8 * i;
    }
    return value;
}

/* --- what happens -------------------------------------------------------- */

static bool inside(uint64_t address, uint64_t size, uint64_t first, uint64_t window_size)
{
    return address >= first && address - first <= window_size - size;
}

static bool should_decode(const struct model_function *f, unsigned bar, uint64_t address)
{
    const uint64_t size = layout[bar].size;
    const bool enabled = (f->bytes[COMMAND] & (layout[bar].io ? 1 : 2)) != 0;
    if (layout[bar].io) {
        return enabled && inside(address, size, FIXTURE_IO, FIXTURE_IO_SIZE);
    }
    return enabled &&
           (inside(address, size, FIXTURE_MEM32, FIXTURE_MEM32_SIZE) ||
            (layout[bar].wide && inside(address, size, FIXTURE_MEM64, FIXTURE_MEM64_SIZE)));
}

static void update_bars(struct pci_model *m, struct model_function *f)
{
    for (unsigned i = 0; i < MODEL_BARS; i++) {
        const uint64_t address =
            bytes_at(f, layout[i].reg, layout[i].wide ? 8 : 4) / layout[i].size * layout[i].size;
        const bool decoded = should_decode(f, i, address);
        struct model_bar *b = &f->bars[i];
        if (decoded && (!b->decoded || b->address != address)) {
            b->since = ++m->changes;
        }
        b->decoded = decoded;
        b->address = address;
    }
}

static void set_first_state(struct model_function *f)
{
    uint8_t writable;
    for (unsigned reg = 0; reg < sizeof(f->bytes); reg++) {
        pci_probe_oracle(reg, &f->bytes[reg], &writable);
    }
    f->raised = 0;
    f->resets++;
}

void pci_model_init(struct pci_model *m, struct pci_fixture *real, uint64_t seed)
{
    *m = (struct pci_model){.real = real, .seed = seed};
}

void pci_model_add(struct pci_model *m, struct device *d)
{
    cr_assert(pci_slot(d) < MODEL_SLOTS);
    struct model_function *f = &m->functions[pci_slot(d)];
    f->dev = d;
    set_first_state(f);
}

void pci_model_write(struct pci_model *m, unsigned slot, unsigned function, unsigned reg,
                     uint32_t value, unsigned size)
{
    struct model_function *f = &m->functions[slot % MODEL_SLOTS];
    if (slot >= MODEL_SLOTS || f->dev == NULL || function != 0 || reg >= sizeof(f->bytes)) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t first, writable;
        pci_probe_oracle(reg + i, &first, &writable);
        f->bytes[reg + i] &= (uint8_t)~writable;
        f->bytes[reg + i] |= (uint8_t)(value >> 8 * i) & writable;
    }
    if (reg == AF_CONTROL && (value & 1) != 0) {
        set_first_state(f);
    }
    update_bars(m, f);
}

void pci_model_raise(struct pci_model *m, unsigned slot, unsigned vector)
{
    m->functions[slot].raised |= 1u << vector;
}

void pci_model_lower(struct pci_model *m, unsigned slot, unsigned vector)
{
    m->functions[slot].raised &= ~(1u << vector);
}

/* --- checks ---------------------------------------------------------------- */

#define check(m, ok, ...)                                                                          \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            char what[128];                                                                        \
            snprintf(what, sizeof(what), __VA_ARGS__);                                             \
            cr_assert_fail("seed %" PRIu64 ": %s", (m)->seed, what);                               \
        }                                                                                          \
    } while (0)

static bool shows_intx(const struct model_function *f)
{
    return f->raised != 0 && (f->bytes[MSI_CONTROL] & 1) == 0;
}

static void check_bytes(const struct pci_model *m, unsigned slot)
{
    const struct model_function *f = &m->functions[slot];
    for (unsigned reg = 0; reg < sizeof(f->bytes); reg += 4) {
        uint32_t expected = (uint32_t)bytes_at(f, reg, 4);
        if (reg == COMMAND && shows_intx(f)) {
            expected |= 0x08 << 16;
        }
        const uint32_t value = fake_config_read(m->real, slot, reg, 4);
        check(m, value == expected, "slot %u register 0x%02x is 0x%x, should be 0x%x", slot, reg,
              value, expected);
    }
}

static void check_lines(const struct pci_model *m)
{
    bool level[PCI_PINS] = {false};
    for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
        const struct model_function *f = &m->functions[slot];
        if (f->dev != NULL && shows_intx(f) && (f->bytes[COMMAND + 1] & 4) == 0) {
            level[slot % PCI_PINS] = true;
        }
    }
    for (unsigned pin = 0; pin < PCI_PINS; pin++) {
        check(m, m->real->m.irqs.level[FIXTURE_GSI + pin] == level[pin], "line %u", pin);
    }
}

/* The region a probe has behind a BAR: they are made in order. */
static const struct region *region_of(const struct model_function *f, unsigned bar)
{
    return &f->dev->regions[bar].region;
}

/* The BAR on top at an address, or NULL, and whose it is. */
static const struct model_bar *visible(const struct pci_model *m, bool io, uint64_t address,
                                       const struct region **region)
{
    const struct model_bar *top = NULL;
    for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
        const struct model_function *f = &m->functions[slot];
        for (unsigned i = 0; f->dev != NULL && i < MODEL_BARS; i++) {
            const struct model_bar *b = &f->bars[i];
            if (layout[i].io == io && b->decoded && address - b->address < layout[i].size &&
                (top == NULL || b->since > top->since)) {
                top = b;
                *region = region_of(f, i);
            }
        }
    }
    return top;
}

static bool is_probe(const struct pci_model *m, const struct region *r)
{
    for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
        const struct model_function *f = &m->functions[slot];
        for (unsigned i = 0; f->dev != NULL && i < MODEL_BARS; i++) {
            if (r == region_of(f, i)) {
                return true;
            }
        }
    }
    return false;
}

/* At one address the view shows the BAR that the model has there, or nothing of a probe. */
static void check_address(const struct pci_model *m, bool io, uint64_t address)
{
    const struct flatview *v = aspace_view(io ? m->real->m.io : m->real->m.mem);
    const struct flat_range *r = flatview_find(v, address);
    const struct region *region = NULL;
    const struct model_bar *b = visible(m, io, address, &region);
    if (b == NULL) {
        check(m, r == NULL || !is_probe(m, r->region), "%s is at 0x%" PRIx64, r->region->name,
              address);
        return;
    }
    check(m, r != NULL && r->region == region, "a BAR is not at 0x%" PRIx64, address);
    check(m, r->offset + (address - r->addr.first) == address - b->address,
          "a wrong part of %s is at 0x%" PRIx64, r->region->name, address);
}

static void check_bars(const struct pci_model *m)
{
    for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
        const struct model_function *f = &m->functions[slot];
        for (unsigned i = 0; f->dev != NULL && i < MODEL_BARS; i++) {
            const uint64_t first = f->bars[i].address, last = first + layout[i].size - 1;
            const bool io = layout[i].io;
            check_address(m, io, first);
            check_address(m, io, last);
            check_address(m, io, first + layout[i].size / 2);
            check_address(m, io, first - 1);
            check_address(m, io, last + 1);
        }
    }
}

/* Nothing of a probe is anywhere else: each range of the view is where the model has it. */
static void check_view(const struct pci_model *m, bool io)
{
    const struct flatview *v = aspace_view(io ? m->real->m.io : m->real->m.mem);
    for (size_t i = 0; i < v->count; i++) {
        check_address(m, io, v->ranges[i].addr.first);
        check_address(m, io, v->ranges[i].addr.last);
    }
}

void pci_model_check(const struct pci_model *m)
{
    for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
        const struct model_function *f = &m->functions[slot];
        if (f->dev != NULL) {
            check_bytes(m, slot);
            check(m, pci_probe_resets(f->dev) == f->resets, "slot %u: resets", slot);
        }
    }
    check_lines(m);
    check_bars(m);
    check_view(m, false);
    check_view(m, true);
    check(m, flatview_find(aspace_view(m->real->m.mem), 0)->region == &m->real->m.ram_region,
          "RAM is covered");
}
