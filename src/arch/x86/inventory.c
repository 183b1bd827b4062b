/*
 * See inventory.h.
 */
#include "src/arch/x86/inventory.h"

uint32_t pc_intx_irqs(const struct pc_inventory *has)
{
    uint32_t irqs = 0;
    for (unsigned i = 0; i < has->intx_count; i++) {
        irqs |= 1U << has->intx[i].gsi;
    }
    return irqs;
}

uint32_t pc_platform_irqs(const struct pc_inventory *has)
{
    uint32_t irqs = 0;
    for (unsigned i = 0; i < has->platform_count; i++) {
        irqs |= 1U << has->platform[i].gsi;
    }
    return irqs;
}
