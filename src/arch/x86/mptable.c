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
/* Header, CPUs of 20 bytes, bus, IOAPIC, interrupts and two local ones of 8. */
#define MAX_SIZE (POINTER_SIZE + HEADER_SIZE + MPTABLE_MAX_CPUS * 20 + (2 + ISA_IRQS + 2) * 8)

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

#define ISA_BUS 0

static void add_cpus(struct bytes *b, unsigned cpus)
{
    enum { APIC_VERSION = 0x14, ENABLED = 1, BOOT = 2, FAMILY_6 = 0x600, FPU_APIC = 0x201 };
    for (unsigned i = 0; i < cpus; i++) {
        bytes_u8(b, ENTRY_CPU);
        bytes_u8(b, (uint8_t)i);
        bytes_u8(b, APIC_VERSION);
        bytes_u8(b, i == 0 ? ENABLED | BOOT : ENABLED);
        bytes_u32(b, FAMILY_6);
        bytes_u32(b, FPU_APIC);
        bytes_zero(b, 8);
    }
}

static void add_bus_and_ioapic(struct bytes *b, uint8_t ioapic_id)
{
    enum { IOAPIC_VERSION = 0x11, ENABLED = 1 };
    bytes_u8(b, ENTRY_BUS);
    bytes_u8(b, ISA_BUS);
    bytes_put(b, "ISA   ", 6);
    bytes_u8(b, ENTRY_IOAPIC);
    bytes_u8(b, ioapic_id);
    bytes_u8(b, IOAPIC_VERSION);
    bytes_u8(b, ENABLED);
    bytes_u32(b, PC_IOAPIC_GPA);
}

/* Trigger and polarity are those of the bus: ISA, edge and active high. */
static void add_interrupt(struct bytes *b, enum entry_type entry, enum interrupt_type type,
                          uint8_t irq, uint8_t apic_id, uint8_t pin)
{
    bytes_u8(b, (uint8_t)entry);
    bytes_u8(b, (uint8_t)type);
    bytes_u16(b, 0);
    bytes_u8(b, ISA_BUS);
    bytes_u8(b, irq);
    bytes_u8(b, apic_id);
    bytes_u8(b, pin);
}

/* KVM routes ISA irq n to IOAPIC pin n. */
static void add_interrupts(struct bytes *b, uint8_t ioapic_id)
{
    for (uint8_t irq = 0; irq < ISA_IRQS; irq++) {
        add_interrupt(b, ENTRY_INTERRUPT, INTERRUPT_INT, irq, ioapic_id, irq);
    }
    add_interrupt(b, ENTRY_LOCAL_INTERRUPT, INTERRUPT_EXTINT, 0, ALL_CPUS, 0);
    add_interrupt(b, ENTRY_LOCAL_INTERRUPT, INTERRUPT_NMI, 0, ALL_CPUS, 1);
}

static void fill_pointer(uint8_t *p)
{
    memcpy(p, "_MP_", 4);
    put_le32(p + 4, (uint32_t)PC_MPTABLE_GPA + POINTER_SIZE);
    p[8] = POINTER_SIZE / 16;
    p[9] = SPEC_1_4;
    p[10] = bytes_checksum(p, POINTER_SIZE);
}

static void fill_header(uint8_t *p, size_t length, unsigned cpus)
{
    memcpy(p, "PCMP", 4);
    put_le16(p + 4, (uint16_t)length);
    p[6] = SPEC_1_4;
    memcpy(p + 8, "VMM     pc          ", 20); /* OEM id, product id */
    put_le16(p + 34, (uint16_t)(cpus + 2 + ISA_IRQS + 2));
    put_le32(p + 36, PC_LAPIC_GPA);
    p[7] = bytes_checksum(p, length);
}

int mptable_install(struct aspace *mem, unsigned cpus, struct err *e)
{
    if (cpus > MPTABLE_MAX_CPUS) {
        int rc = err_set(e, EINVAL, "%u CPUs are too many without ACPI, %d is the most", cpus,
                         MPTABLE_MAX_CPUS);
        err_hint(e, "leave acpi=off out");
        return rc;
    }
    uint8_t room[MAX_SIZE];
    struct bytes b = {.data = room, .cap = sizeof(room)};
    const uint8_t ioapic_id = (uint8_t)cpus; /* the first id no CPU has */
    bytes_zero(&b, POINTER_SIZE + HEADER_SIZE);
    add_cpus(&b, cpus);
    add_bus_and_ioapic(&b, ioapic_id);
    add_interrupts(&b, ioapic_id);
    fill_pointer(room);
    fill_header(room + POINTER_SIZE, b.len - POINTER_SIZE, cpus);
    int rc = dma_write(mem, PC_MPTABLE_GPA, room, b.len);
    if (rc < 0) {
        return err_set(e, -rc, "no guest memory at 0x%llx for the MP table", PC_MPTABLE_GPA);
    }
    return 0;
}

unsigned mptable_virtio_irq(unsigned slot)
{
    /* Not 0 timer, 1 keyboard, 2 cascade, 3 and 4 serial, 8 clock, 13 coprocessor. */
    static const uint8_t irqs[] = {5, 6, 7, 9, 10, 11, 12, 14, 15};
    return irqs[slot % sizeof(irqs)];
}

void mptable_virtio_param(char *buf, unsigned slot)
{
    snprintf(buf, VIRTIO_PARAM_SIZE, "virtio_mmio.device=%llu@0x%llx:%u", PC_VIRTIO_STRIDE,
             PC_VIRTIO_GPA + slot * PC_VIRTIO_STRIDE, mptable_virtio_irq(slot));
}
