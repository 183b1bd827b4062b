/*
 * ACPI tables of the `pc` machine, in the hardware-reduced form unless it has pm: a guest learns
 * from them its CPUs, its interrupt controllers, how to power off and reset,
 * and the devices it cannot probe.
 *
 * Locking: none; set-up runs on one thread.
 */
#ifndef ARCH_X86_ACPI_H
#define ARCH_X86_ACPI_H

#include "src/arch/x86/inventory.h"
#include "src/base/bytes.h"
#include "src/base/err.h"
#include "src/mem/aspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_MAX_TABLES 8

struct acpi_table {
    char signature[5];
    uint32_t offset; /* in acpi_tables.bytes */
    uint32_t length;
};

/* The tables as they will lie in guest memory from PC_ACPI_GPA on. */
struct acpi_tables {
    struct bytes bytes;
    size_t count;
    struct acpi_table table[ACPI_MAX_TABLES]; /* the RSDP is the first */
};

/* Build all tables. -ENOMEM; -E2BIG: they do not fit below 1 MiB. */
int acpi_build(struct acpi_tables *t, const struct pc_inventory *has, struct err *e);
void acpi_free(struct acpi_tables *t);

/* Copy them into guest memory (at every machine reset). *rsdp: where the guest finds them. */
int acpi_install(const struct acpi_tables *t, struct aspace *mem, uint64_t *rsdp, struct err *e);

/* The guest-physical address of the table with this signature, once installed; 0: there is none. */
uint64_t acpi_gpa(const struct acpi_tables *t, const char *signature);

/* Write each as DIR/<signature>.aml; DIR is made if it is missing. */
int acpi_dump(const struct acpi_tables *t, const char *dir, struct err *e);

/* --- parts, appended to b -------------------------------------------------- */

/* The DSDT's AML, without table header. (acpi_dsdt.c) */
void acpi_dsdt(struct bytes *b, const struct pc_inventory *has);
/* The PCI devices in its scope \_SB, and what follows the MCFG's header. (acpi_pci.c) */
void acpi_dsdt_pci(struct bytes *b, const struct pc_inventory *has);
void acpi_mcfg(struct bytes *b);

#endif
