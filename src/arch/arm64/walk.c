/*
 * Stage 1 translation, read only.
 *
 * Source: Arm DDI 0487 (Armv8-A), D8: VMSAv8-64 descriptors and translation
 * granules; TCR_EL1, SCTLR_EL1.
 */
#include "src/arch/arm64/walk.h"

#include "src/base/le.h"
#include "src/mem/dma.h"

#define SCTLR_M       1ULL
#define OUTPUT_BITS   0x0000fffffffff000ULL /* of a descriptor and of TTBR */
#define DESC_VALID    1ULL
#define DESC_TABLE    2ULL /* at the last level: a page */
#define FIRST_VA_BITS 25   /* TxSZ is at most 39 */

/* Bits of an address inside a page, from TG0 and TG1, whose numbers differ; 0: reserved. */
static unsigned granule(const struct walk_regs *r, bool upper)
{
    static const uint8_t tg0[] = {12, 16, 14, 0}, tg1[] = {0, 14, 12, 16};
    return upper ? tg1[r->tcr >> 30 & 3] : tg0[r->tcr >> 14 & 3];
}

/* The bits from `from` on. */
static uint64_t above(unsigned from)
{
    return ~0ULL << from;
}

bool walk_translate(const struct walk_regs *r, struct aspace *mem, uint64_t va, uint64_t *gpa)
{
    if ((r->sctlr & SCTLR_M) == 0) {
        *gpa = va;
        return true;
    }
    const bool upper = va >> 63 != 0;
    const unsigned page = granule(r, upper), stride = page - 3;
    const unsigned va_bits = 64 - (unsigned)((upper ? r->tcr >> 16 : r->tcr) & 0x3f);
    if (page == 0 || va_bits < FIRST_VA_BITS || va_bits > 48 ||
        (va & above(va_bits)) != (upper ? above(va_bits) : 0)) {
        return false;
    }
    uint64_t table = (upper ? r->ttbr1 : r->ttbr0) & (OUTPUT_BITS | 0xfc0);
    for (unsigned level = (va_bits - page + stride - 1) / stride; level-- > 0;) {
        const unsigned shift = page + level * stride;
        const unsigned index_bits = va_bits - shift < stride ? va_bits - shift : stride;
        uint8_t raw[8];
        if (dma_read(mem, table + 8 * (va >> shift & ~above(index_bits)), raw, 8) < 0) {
            return false;
        }
        const uint64_t desc = get_le64(raw);
        const bool is_table = (desc & DESC_TABLE) != 0;
        if ((desc & DESC_VALID) == 0 || (level == 0 && !is_table)) {
            return false;
        }
        if (level == 0 || !is_table) {
            *gpa = (desc & OUTPUT_BITS & above(shift)) | (va & ~above(shift));
            return true;
        }
        table = desc & OUTPUT_BITS & above(page);
    }
    return false;
}
