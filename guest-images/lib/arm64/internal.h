/*
 * What the library's own files share.
 */
#ifndef GUEST_ARM64_INTERNAL_H
#define GUEST_ARM64_INTERNAL_H

#include "guest.h"

/* start.S */
extern const char ap_start[];

/* guest.ld */
extern char ap_stacks[];

_Noreturn void guest_start(const uint8_t *device_tree);
_Noreturn void ap_main(void);
_Noreturn void trap_unexpected(uint64_t vector, uint64_t syndrome, uint64_t at, uint64_t address);
void irq_dispatch(void);

/* The device tree; before all else. */
void fdt_init(const uint8_t *device_tree);
void boot_info_init(void);

/* --- the interrupt controller: GICv3 or GICv2 ------------------------------ */

/* Interrupt ids: private ones of a CPU, GSIs, and GICv3's for messages. */
#define INTID_VIRTUAL_TIMER 27
#define INTID_GSI           32
#define INTID_LPI           8192

/* Make it ready to interrupt this CPU; again is harmless. */
void gic_init(void);
void gic_enable(unsigned intid, bool level);
void gic_disable(unsigned intid);
/* The interrupt that is due, now active, and its end. */
unsigned gic_acknowledge(void);
void gic_end(unsigned intid);

/* GICv3: this CPU's redistributor, 0 on GICv2. */
uintptr_t gic_redistributor(void);

/* The ITS of a GICv3: message n of the function requester, as LPI n. */
bool its_present(void);
struct irq_message its_message(unsigned requester, unsigned n);

#endif
