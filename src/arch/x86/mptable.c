/*
 * MP table. Source: Intel MultiProcessor Specification 1.4, chapter 4. It lies
 * in the BIOS area, one of the places systems search for the floating pointer,
 * and the only one that has room for all CPUs.
 */
#include "src/arch/x86/mptable.h"

#include "src/arch/x86/map.h"
#include "src/base/bytes.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <stdio.h>

#define POINTER_SIZE 16
#define HEADER_SIZE  44
#define SPEC_1_4     4
#define ISA_IRQS     16
#define ALL_CPUS     0xff
/* Header, CPUs of 20 bytes; of 8: two buses, IOAPIC, interrupts, and two local ones. */
#define MAX_SIZE                                                                                   \
    (POINTER_SIZE + HEADER_SIZE + MPTABLE_MAX_CPUS * 20 + (2 + 1 + ISA_IRQS + PCI_SLOTS + 2) * 8)

enum entry_type {
    ENTRY_CPU = 0,
    ENTRY_BUS = 1,
    ENTRY_IOAPIC = 2,
    ENTRY_INTERRUPT = 3,
    ENTRY_LOCAL_INTERRUPT = 4,
};

enum interrupt_type {
    INTERRUPT_INT = 0,
    INTERRUPT_NMI = 1,
    INTERRUPT_EXTINT = 3,
};

/* Of interrupts; 0: as the bus has them, ISA's are edge-triggered. */
#define ACTIVE_HIGH_LEVEL 0xd
#define ACTIVE_LOW_LEVEL  0xf

/* A table being written. The number of a PCI bus is its PCI number, so ISA comes after it. */
struct mptable {
    struct bytes bytes;
    unsigned entries;
    uint8_t isa_bus;
    uint8_t ioapic_id;
};

static struct bytes *add_entry(struct mptable *t, enum entry_type type)
{
    t->entries++;
    bytes_u8(&t->bytes, (uint8_t)type);
    return &t->bytes;
}

static void add_cpus(struct mptable *t, unsigned cpus)
{
    enum { APIC_VERSION = 0x14, ENABLED = 1, BOOT = 2, FAMILY_6 = 0x600, FPU_APIC = 0x201 };
    for (unsigned i = 0; i < cpus; i++) {
        struct bytes *b = add_entry(t, ENTRY_CPU);
        bytes_u8(b, (uint8_t)i);
        bytes_u8(b, APIC_VERSION);
        bytes_u8(b, i == 0 ? ENABLED | BOOT : ENABLED);
        bytes_u32(b, FAMILY_6);
        bytes_u32(b, FPU_APIC);
        bytes_zero(b, 8);
    }
}

static void add_bus(struct mptable *t, uint8_t id, const char name[6])
{
    struct bytes *b = add_entry(t, ENTRY_BUS);
    bytes_u8(b, id);
    bytes_put(b, name, 6);
}

static void add_ioapic(struct mptable *t)
{
    enum { IOAPIC_VERSION = 0x11, ENABLED = 1 };
    struct bytes *b = add_entry(t, ENTRY_IOAPIC);
    bytes_u8(b, t->ioapic_id);
    bytes_u8(b, IOAPIC_VERSION);
    bytes_u8(b, ENABLED);
    bytes_u32(b, PC_IOAPIC_GPA);
}

static void add_io_interrupt(struct mptable *t, uint16_t flags, uint8_t bus, uint8_t irq,
                             uint8_t pin)
{
    struct bytes *b = add_entry(t, ENTRY_INTERRUPT);
    bytes_u8(b, INTERRUPT_INT);
    bytes_u16(b, flags);
    bytes_u8(b, bus);
    bytes_u8(b, irq);
    bytes_u8(b, t->ioapic_id);
    bytes_u8(b, pin);
}

static void add_local_interrupt(struct mptable *t, enum interrupt_type type, uint8_t lint)
{
    struct bytes *b = add_entry(t, ENTRY_LOCAL_INTERRUPT);
    bytes_u8(b, (uint8_t)type);
    bytes_u16(b, 0);
    bytes_u8(b, t->isa_bus);
    bytes_u8(b, 0);
    bytes_u8(b, ALL_CPUS);
    bytes_u8(b, lint);
}

/* KVM routes ISA irq n to IOAPIC pin n; what PCI uses is no ISA irq. */
static void add_interrupts(struct mptable *t, const struct pc_inventory *has)
{
    enum { PCI_BUS = 0, INTA = 0 };
    const uint32_t pci = pc_intx_irqs(has), level = pc_platform_irqs(has);
    for (uint8_t irq = 0; irq < ISA_IRQS; irq++) {
        if ((pci >> irq & 1) == 0) {
            add_io_interrupt(t, level >> irq & 1 ? ACTIVE_HIGH_LEVEL : 0, t->isa_bus, irq, irq);
        }
    }
    for (unsigned i = 0; i < has->intx_count; i++) {
        const struct pc_intx *x = &has->intx[i];
        add_io_interrupt(t, ACTIVE_LOW_LEVEL, PCI_BUS, (uint8_t)(x->slot << 2 | INTA),
                         (uint8_t)x->gsi);
    }
    add_local_interrupt(t, INTERRUPT_EXTINT, 0);
    add_local_interrupt(t, INTERRUPT_NMI, 1);
}

static void fill_pointer(uint8_t *p)
{
    memcpy(p, "_MP_", 4);
    put_le32(p + 4, (uint32_t)PC_MPTABLE_GPA + POINTER_SIZE);
    p[8] = POINTER_SIZE / 16;
    p[9] = SPEC_1_4;
    p[10] = bytes_checksum(p, POINTER_SIZE);
}

static void fill_header(uint8_t *p, size_t length, unsigned entries)
{
    memcpy(p, "PCMP", 4);
    put_le16(p + 4, (uint16_t)length);
    p[6] = SPEC_1_4;
    memcpy(p + 8, "VMM     pc          ", 20); /* OEM id, product id */
    put_le16(p + 34, (uint16_t)entries);
    put_le32(p + 36, PC_LAPIC_GPA);
    p[7] = bytes_checksum(p, length);
}

int mptable_install(struct aspace *mem, const struct pc_inventory *has, struct err *e)
{
    if (has->cpus > MPTABLE_MAX_CPUS) {
        int rc = err_set(e, EINVAL, "%u CPUs are too many without ACPI, %d is the most", has->cpus,
                         MPTABLE_MAX_CPUS);
        err_hint(e, "leave acpi=off out");
        return rc;
    }
    uint8_t room[MAX_SIZE];
    struct mptable t = {
        .bytes = {.data = room, .cap = sizeof(room)},
        .isa_bus = has->pci ? 1 : 0,
        .ioapic_id = (uint8_t)has->cpus, /* the first id no CPU has */
    };
    bytes_zero(&t.bytes, POINTER_SIZE + HEADER_SIZE);
    add_cpus(&t, has->cpus);
    if (has->pci) {
        add_bus(&t, 0, "PCI   ");
    }
    add_bus(&t, t.isa_bus, "ISA   ");
    add_ioapic(&t);
    add_interrupts(&t, has);
    fill_pointer(room);
    fill_header(room + POINTER_SIZE, t.bytes.len - POINTER_SIZE, t.entries);
    int rc = dma_write(mem, PC_MPTABLE_GPA, room, t.bytes.len);
    if (rc < 0) {
        return err_set(e, -rc, "no guest memory at 0x%llx for the MP table", PC_MPTABLE_GPA);
    }
    return 0;
}

unsigned mptable_virtio_irq(unsigned slot)
{
    /* Edges, so not those that PCI (12 to 15) and platform devices (5, 6, 10, 11) may have. */
    static const uint8_t irqs[] = {7, 9};
    return irqs[slot % sizeof(irqs)];
}

void mptable_virtio_param(char *buf, unsigned slot)
{
    snprintf(buf, VIRTIO_PARAM_SIZE, "virtio_mmio.device=%llu@0x%llx:%u", PC_VIRTIO_STRIDE,
             PC_VIRTIO_GPA + slot * PC_VIRTIO_STRIDE, mptable_virtio_irq(slot));
}
