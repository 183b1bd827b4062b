/*
 * AML encoding of resource templates. Source: ACPI specification 6.4, section
 * 6.4 (resource descriptors).
 */
#include "src/arch/x86/aml.h"

/* The first byte of a descriptor; large ones have their length in the two that follow. */
enum {
    IRQ = 0x22,
    IO = 0x47,
    END_TAG = 0x79,
    MEMORY32_FIXED = 0x86,
    DWORD_ADDRESS = 0x87,
    WORD_ADDRESS = 0x88,
    EXTENDED_INTERRUPT = 0x89,
    QWORD_ADDRESS = 0x8a,
};

/* Of address spaces, 6.4.3.5.1. */
enum { MEMORY_RANGE = 0, IO_RANGE = 1, BUS_RANGE = 2 };
enum { FIXED = 0x0c }; /* produced; lowest and highest address cannot change */
enum { READ_WRITE = 1, ALL_PORTS = 3 };

size_t aml_crs(struct bytes *b)
{
    aml_name(b, "_CRS");
    return aml_buffer(b);
}

void aml_crs_end(struct bytes *b, size_t mark)
{
    bytes_u8(b, END_TAG);
    bytes_u8(b, 0); /* checksum: not used */
    aml_buffer_end(b, mark);
}

void aml_io(struct bytes *b, uint16_t base, uint8_t count)
{
    bytes_u8(b, IO);
    bytes_u8(b, 1); /* decodes 16 bits */
    bytes_u16(b, base);
    bytes_u16(b, base);
    bytes_u8(b, 1); /* alignment */
    bytes_u8(b, count);
}

void aml_irq(struct bytes *b, unsigned irq)
{
    bytes_u8(b, IRQ);
    bytes_u16(b, (uint16_t)(1U << irq));
}

void aml_memory32(struct bytes *b, uint32_t base, uint32_t size)
{
    bytes_u8(b, MEMORY32_FIXED);
    bytes_u16(b, 9);
    bytes_u8(b, READ_WRITE);
    bytes_u32(b, base);
    bytes_u32(b, size);
}

void aml_interrupt(struct bytes *b, uint8_t flags, uint32_t gsi)
{
    bytes_u8(b, EXTENDED_INTERRUPT);
    bytes_u16(b, 6);
    bytes_u8(b, flags);
    bytes_u8(b, 1); /* one interrupt */
    bytes_u32(b, gsi);
}

/* --- windows of a bridge --------------------------------------------------- */

static void begin_address(struct bytes *b, uint8_t descriptor, uint16_t length, uint8_t type,
                          uint8_t type_flags)
{
    bytes_u8(b, descriptor);
    bytes_u16(b, length);
    bytes_u8(b, type);
    bytes_u8(b, FIXED);
    bytes_u8(b, type_flags);
}

static void word_range(struct bytes *b, uint8_t type, uint8_t type_flags, uint16_t base,
                       uint16_t size)
{
    begin_address(b, WORD_ADDRESS, 13, type, type_flags);
    bytes_u16(b, 0); /* granularity */
    bytes_u16(b, base);
    bytes_u16(b, (uint16_t)(base + size - 1));
    bytes_u16(b, 0); /* translation: the same address on both sides */
    bytes_u16(b, size);
}

void aml_bus_window(struct bytes *b, uint16_t first, uint16_t count)
{
    word_range(b, BUS_RANGE, 0, first, count);
}

void aml_io_window(struct bytes *b, uint16_t base, uint16_t size)
{
    word_range(b, IO_RANGE, ALL_PORTS, base, size);
}

void aml_memory32_window(struct bytes *b, uint32_t base, uint32_t size)
{
    begin_address(b, DWORD_ADDRESS, 23, MEMORY_RANGE, READ_WRITE);
    bytes_u32(b, 0);
    bytes_u32(b, base);
    bytes_u32(b, base + size - 1);
    bytes_u32(b, 0);
    bytes_u32(b, size);
}

void aml_memory64_window(struct bytes *b, uint64_t base, uint64_t size)
{
    begin_address(b, QWORD_ADDRESS, 43, MEMORY_RANGE, READ_WRITE);
    bytes_u64(b, 0);
    bytes_u64(b, base);
    bytes_u64(b, base + size - 1);
    bytes_u64(b, 0);
    bytes_u64(b, size);
}
