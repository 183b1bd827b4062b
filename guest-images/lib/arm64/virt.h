/*
 * What only arm64 guests have: the `virt` machine's fixed places, the device
 * tree, PSCI and the interrupt numbers of the GIC.
 */
#ifndef GUEST_ARM64_VIRT_H
#define GUEST_ARM64_VIRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the machine --------------------------------------------------------- */

#define MACHINE_GPA  0x08000000UL /* all of its own devices */
#define MACHINE_SIZE 0x08000000UL

#define UART_GPA   0x09000000UL /* PL011 */
#define RTC_GPA    0x09010000UL /* PL031 */
#define VIRTIO_GPA 0x0a000000UL
#define ECAM_GPA   0x3f000000UL

#define VIRTIO_SLOTS  32
#define VIRTIO_STRIDE 0x200UL

#define GSI_UART   1
#define GSI_INTX   3 /* of slot n: + n % 4 */
#define GSI_VIRTIO 16

/* --- the device tree ------------------------------------------------------ */

/*
 * A node is a pointer into the tree's structure block. What is read is not checked against the
 * tree's end: the guest trusts its loader.
 */
typedef const uint8_t fdt_node;

/* The root, then each node in order; NULL behind the last. */
fdt_node *fdt_root(void);
fdt_node *fdt_next(fdt_node *node);

/* Its property and the property's length in bytes, or NULL. */
const uint8_t *fdt_property(fdt_node *node, const char *name, size_t *length);

/* Whether a property is, or is a list that has, this string. */
bool fdt_is(fdt_node *node, const char *property, const char *value);

/* The n-th node (0 and up) whose property has this string, or NULL. */
fdt_node *fdt_find(const char *property, const char *value, unsigned n);
/* The same for compatible = value. */
fdt_node *fdt_compatible(const char *value, unsigned n);

/* Big-endian numbers at p: of one cell, of two. */
uint32_t fdt_cell(const uint8_t *p);
uint64_t fdt_cells(const uint8_t *p);

/* The n-th address of the property reg, where address and size have two cells each. */
uint64_t fdt_reg(fdt_node *node, unsigned n);

/* The GSI of its only interrupt. */
unsigned fdt_gsi(fdt_node *node);

/* --- PSCI ------------------------------------------------------------------ */

#define PSCI_CPU_OFF      0x84000002U
#define PSCI_CPU_ON       0xc4000003U
#define PSCI_SYSTEM_OFF   0x84000008U
#define PSCI_SYSTEM_RESET 0x84000009U

uint64_t psci(uint32_t function, uint64_t a, uint64_t b, uint64_t c);

#endif
