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
 * Source: ACPI specification 6.4, section 20 (AML) and 6.4 (resources).
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

/* --- other terms ------------------------------------------------------- */

/* Name (path, ...): the object follows. */
void aml_name(struct bytes *b, const char *path);

/* Memory-mapped operation region of one 32-bit register, and its field. */
void aml_register32(struct bytes *b, const char *region, const char *field, uint64_t gpa);

/* Local0 = source */
void aml_store_local0(struct bytes *b, const char *source);
/* Local0 & mask */
void aml_local0_and(struct bytes *b, uint64_t mask);
/* Notify (device, value) */
void aml_notify(struct bytes *b, const char *device, uint8_t value);

/* --- resources --------------------------------------------------------- */

/* Name (_CRS, ResourceTemplate () { ... }); closed by aml_resources_end(). */
struct aml_resources {
    size_t mark;
    size_t start; /* of the descriptors */
};
struct aml_resources aml_crs(struct bytes *b);
void aml_resources_end(struct bytes *b, struct aml_resources r);

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

#endif
