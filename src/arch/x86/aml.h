/*
 * Writing AML, the byte code of ACPI tables. Each function appends one term;
 * terms that contain others are opened by a function that returns a mark and
 * closed by aml_end(mark):
 *
 *     size_t dev = aml_device(b, "COM1");
 *     aml_name(b, "_UID");
 *     aml_integer(b, 1);
 *     aml_end(b, dev);
 *
 * Source: ACPI specification 6.4, section 20 (AML) and 6.4 (resources, aml_resources.c).
 */
#ifndef ARCH_X86_AML_H
#define ARCH_X86_AML_H

#include "src/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- data -------------------------------------------------------------- */

/* The shortest encoding of v. */
void aml_integer(struct bytes *b, uint64_t v);
void aml_string(struct bytes *b, const char *text);

/* A compressed id: "PNP0501", three letters and four hexadecimal digits. */
void aml_eisa_id(struct bytes *b, const char *id);

/* Buffer (16) of a UUID's bytes as ToUUID() has them: text "33db4d5b-1ff7-...". */
void aml_uuid(struct bytes *b, const char *text);

/* A name such as "COM1", "\\_SB.COM1", "\\_S5": segments of at most 4 characters. */
void aml_path(struct bytes *b, const char *path);

/* --- terms with contents: open, fill, aml_end() ------------------------ */

void aml_end(struct bytes *b, size_t mark);

size_t aml_scope(struct bytes *b, const char *path);
size_t aml_device(struct bytes *b, const char *name);
size_t aml_method(struct bytes *b, const char *name, unsigned args, bool serialized);
size_t aml_package(struct bytes *b, uint8_t elements);

/* The predicate follows, then the statements. */
size_t aml_if(struct bytes *b);
size_t aml_else(struct bytes *b);

/* Buffer (size) of the bytes that follow; closed by aml_buffer_end(). */
size_t aml_buffer(struct bytes *b);
void aml_buffer_end(struct bytes *b, size_t mark);

/* --- other terms ------------------------------------------------------- */

/* Name (path, ...): the object follows. */
void aml_name(struct bytes *b, const char *path);
void aml_name_integer(struct bytes *b, const char *path, uint64_t value);

/* Memory-mapped operation region of one 32-bit register, and its field. */
void aml_register32(struct bytes *b, const char *region, const char *field, uint64_t gpa);

/* CreateDWordField: name is the 32 bits at byte offset of the buffer in argument arg. */
void aml_dword_field(struct bytes *b, unsigned arg, unsigned offset, const char *name);

/*
 * Operators. Their operands follow in order, as terms: `aml_op(b, AML_STORE); aml_path(b, "ESEL");
 * aml_local(b, 0);` is Store (ESEL, Local0). AND and OR have a target, which may be AML_NOWHERE.
 */
enum aml_op {
    AML_NOWHERE = 0x00,
    AML_STORE = 0x70,  /* source, target */
    AML_AND = 0x7b,    /* x, y, target */
    AML_OR = 0x7d,     /* x, y, target */
    AML_NOTIFY = 0x86, /* device, value */
    AML_NOT = 0x92,    /* x; logical */
    AML_EQUAL = 0x93,  /* x, y */
    AML_RETURN = 0xa4, /* value */
};
void aml_op(struct bytes *b, enum aml_op op);
void aml_local(struct bytes *b, unsigned n);
void aml_arg(struct bytes *b, unsigned n);

/* --- resources --------------------------------------------------------- */

/* Name (_CRS, ResourceTemplate () { ... }); closed by aml_crs_end(). */
size_t aml_crs(struct bytes *b);
void aml_crs_end(struct bytes *b, size_t mark);

/* count ports from base. */
void aml_io(struct bytes *b, uint16_t base, uint8_t count);
/* ISA irq: edge, active high, exclusive. */
void aml_irq(struct bytes *b, unsigned irq);
void aml_memory32(struct bytes *b, uint32_t base, uint32_t size);

/* An interrupt by GSI: active high, the device consumes it. */
#define AML_INT_LEVEL  0x01
#define AML_INT_EDGE   0x03
#define AML_INT_SHARED 0x08
void aml_interrupt(struct bytes *b, uint8_t flags, uint32_t gsi);

/* What a host bridge passes on: bus numbers, ports, memory. Addresses are the same on both sides.
 */
void aml_bus_window(struct bytes *b, uint16_t first, uint16_t count);
void aml_io_window(struct bytes *b, uint16_t base, uint16_t size);
void aml_memory32_window(struct bytes *b, uint32_t base, uint32_t size);
void aml_memory64_window(struct bytes *b, uint64_t base, uint64_t size);

#endif
