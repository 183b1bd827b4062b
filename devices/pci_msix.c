/*
 * MSI-X: up to 32 messages, in a table in guest-visible memory, each with a
 * mask. A message raised while masked is noted in the pending bit array and
 * sent when the mask goes. Both are in one BAR of 4 KiB:
 *
 *     0x000  table: 16 bytes a vector: address (64 bits), data, control
 *     0x800  pending bits, 64 of them
 *
 * Aligned accesses of 4 and 8 bytes are taken; all others are refused.
 *
 * A message is handed on (pci_message_set) only while it could be sent, that is
 * unmasked and enabled, for behind it is KVM's table of routes, which is dear to
 * change; masking alone changes nothing there.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.2.
 * Locking: the device's lock, which the core holds around accesses to the BAR.
 */
#include "devices/pci_function.h"
#include "src/base/le.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    MSIX_ID = 0x11,
    MSIX_CONTROL = 0x2, /* from the start of the capability */
    MSIX_TABLE = 0x4,
    MSIX_PENDING = 0x8,
    MSIX_LENGTH = 0xc,

    MSIX_CONTROL_MASK = 0x4000,
    MSIX_CONTROL_ENABLE = 0x8000,

    BAR_SIZE = 0x1000,
    PENDING_AT = 0x800, /* in the BAR */
    PENDING_SIZE = 8,

    ENTRY_SIZE = 16,
    ENTRY_WORDS = ENTRY_SIZE / 4,
    ENTRY_DATA = 2, /* words of an entry */
    ENTRY_CONTROL = 3,
    ENTRY_MASKED = 1, /* in the control word */
};

/* What a guest can change of an entry. */
static const uint32_t entry_writable[ENTRY_WORDS] = {~3u, UINT32_MAX, UINT32_MAX, ENTRY_MASKED};

struct pci_msix {
    struct region region; /* the BAR */
    unsigned vectors;
    struct pci_message messages[DEVICE_VECTORS_MAX];
};

/* --- sending ---------------------------------------------------------- */

static uint16_t control(const struct pci_function *f)
{
    return get_le16(&f->config[f->msix_at + MSIX_CONTROL]);
}

static bool is_masked(const struct pci_function *f, unsigned vector)
{
    const bool active =
        (control(f) & (MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK)) == MSIX_CONTROL_ENABLE;
    return !active || (f->msix_table[vector * ENTRY_WORDS + ENTRY_CONTROL] & ENTRY_MASKED) != 0;
}

/* What the guest changed may have unmasked the vector, or given it another message. */
static void update_vector(struct pci_function *f, unsigned vector)
{
    struct pci_message *m = &f->msix->messages[vector];
    const uint32_t *entry = &f->msix_table[vector * ENTRY_WORDS];
    const uint32_t bit = 1u << vector;
    if (is_masked(f, vector)) {
        return;
    }
    pci_message_set(f, m, entry[0] | (uint64_t)entry[1] << 32, entry[ENTRY_DATA]);
    if ((f->msix_pending & bit) != 0) {
        f->msix_pending &= ~bit;
        pci_message_send(f, m);
    }
}

void pci_msix_send(struct pci_function *f, unsigned vector)
{
    assert(vector < f->msix->vectors);
    if (is_masked(f, vector)) {
        f->msix_pending |= 1u << vector;
    } else {
        pci_message_send(f, &f->msix->messages[vector]);
    }
}

/* --- the BAR ---------------------------------------------------------- */

static bool is_inside(uint64_t offset, unsigned size, uint64_t start, uint64_t length)
{
    return offset >= start && offset - start < length && size <= length - (offset - start);
}

static bool fits_table(const struct pci_function *f, uint64_t offset, unsigned size)
{
    return size >= 4 && offset % size == 0 &&
           is_inside(offset, size, 0, f->msix->vectors * ENTRY_SIZE);
}

static bool fits_pending(uint64_t offset, unsigned size)
{
    return size >= 4 && offset % size == 0 && is_inside(offset, size, PENDING_AT, PENDING_SIZE);
}

static void refuse(struct pci_function *f, uint64_t offset, unsigned size, const char *verb)
{
    guest_error(&f->dev->guest_errors,
                "%s: a %s of %u bytes at 0x%" PRIx64 " of the MSI-X table fits nothing there",
                f->dev->id, verb, size, offset);
}

static uint64_t bar_read(void *opaque, uint64_t offset, unsigned size)
{
    struct pci_function *f = opaque;
    if (fits_table(f, offset, size)) {
        const uint32_t *word = &f->msix_table[offset / 4];
        return size == 4 ? word[0] : word[0] | (uint64_t)word[1] << 32;
    }
    if (fits_pending(offset, size)) {
        return offset == PENDING_AT ? f->msix_pending : 0;
    }
    refuse(f, offset, size, "read");
    return UINT64_MAX;
}

static void bar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct pci_function *f = opaque;
    if (!fits_table(f, offset, size)) {
        refuse(f, offset, size, "write");
        return;
    }
    for (unsigned i = 0; i < size / 4; i++) {
        const uint64_t word = offset / 4 + i;
        f->msix_table[word] = (uint32_t)(value >> 32 * i) & entry_writable[word % ENTRY_WORDS];
    }
    update_vector(f, (unsigned)(offset / ENTRY_SIZE));
}

/* All sizes and alignments come through whole: refusals are counted here. */
static const struct region_ops bar_ops = {
    .read = bar_read,
    .write = bar_write,
    .guest = {.min = 1, .max = 8, .unaligned = true},
    .impl = {.min = 1, .max = 8, .unaligned = true},
    .endian = ENDIAN_LITTLE,
};

/* --- the capability --------------------------------------------------- */

static void add_capability(struct pci_function *f, unsigned bar)
{
    f->msix_at = pci_add_capability(f, MSIX_ID, MSIX_LENGTH);
    pci_declare(f, f->msix_at + MSIX_CONTROL, 2, f->msix->vectors - 1,
                MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);
    pci_declare(f, f->msix_at + MSIX_TABLE, 4, bar, 0);
    pci_declare(f, f->msix_at + MSIX_PENDING, 4, PENDING_AT | bar, 0);
    pci_bar_add(f, bar, PCI_BAR_MEM32, false, &f->msix->region);
}

int pci_add_msix(struct device *d, unsigned bar, unsigned vectors, struct err *e)
{
    if (!pci_plugged(d)) {
        return 0;
    }
    struct pci_function *f = pci_function_of(d);
    char name[DEVICE_ID_MAX + sizeof(".msix")];
    assert(vectors >= 1 && vectors <= DEVICE_VECTORS_MAX && f->msix == NULL);
    f->msix = calloc(1, sizeof(*f->msix));
    if (f->msix == NULL) {
        return err_set(e, ENOMEM, "cannot add MSI-X to %s, out of memory", d->id);
    }
    snprintf(name, sizeof(name), "%s.msix", d->id);
    region_init_io(&f->msix->region, d->env->topo, name, BAR_SIZE, &bar_ops, f, &d->guard);
    for (; f->msix->vectors < vectors; f->msix->vectors++) {
        const int ret = pci_message_get(f, &f->msix->messages[f->msix->vectors], e);
        if (ret < 0) {
            return ret;
        }
    }
    add_capability(f, bar);
    return 0;
}

void pci_msix_fini(struct pci_function *f)
{
    if (f->msix == NULL) {
        return;
    }
    region_fini(&f->msix->region);
    for (unsigned i = 0; i < f->msix->vectors; i++) {
        pci_message_put(f, &f->msix->messages[i]);
    }
    free(f->msix);
    f->msix = NULL;
    f->msix_at = 0;
}

bool pci_msix_enabled(const struct pci_function *f)
{
    return f->msix_at != 0 && (control(f) & MSIX_CONTROL_ENABLE) != 0;
}

void pci_msix_update(struct pci_function *f)
{
    for (unsigned i = 0; pci_msix_enabled(f) && i < f->msix->vectors; i++) {
        update_vector(f, i);
    }
}

void pci_msix_reset(struct pci_function *f)
{
    f->msix_pending = 0;
    for (unsigned i = 0; i < ARRAY_LEN(f->msix_table); i++) {
        f->msix_table[i] = i % ENTRY_WORDS == ENTRY_CONTROL ? ENTRY_MASKED : 0;
    }
}

bool pci_msix_has(const struct pci_function *f, uint32_t vectors)
{
    return f->msix != NULL && (uint64_t)vectors >> f->msix->vectors == 0;
}

void pci_msix_loaded(struct pci_function *f)
{
    for (unsigned i = 0; i < ARRAY_LEN(f->msix_table); i++) {
        f->msix_table[i] &= entry_writable[i % ENTRY_WORDS];
    }
    if (!pci_msix_has(f, f->msix_pending)) {
        f->msix_pending = 0;
    }
}
