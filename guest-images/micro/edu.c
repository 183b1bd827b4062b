/*
 * edu's registers: identification, liveness, every offset at every width, and
 * the factorial unit, polled. Wants an edu, on PCI or not.
 */
#include "edu.h"

#define SPACE      0x100    /* tried byte by byte */
#define BLOCK      0x100000 /* bytes */
#define LIVENESS   0x12345678U
#define ADDRESS    0x1122334455667788U
#define FACTORIALS 14

struct reg {
    uintptr_t offset;
    unsigned widths; /* those that exist, added up */
    bool readable, writable;
};

static const struct reg regs[] = {
    {EDU_ID, 4, true, false},         {EDU_LIVENESS, 4, true, true},
    {EDU_FACTORIAL, 4, true, true},   {EDU_STATUS, 4, true, true},
    {EDU_IRQ_STATUS, 4, true, false}, {EDU_IRQ_RAISE, 4, false, true},
    {EDU_IRQ_ACK, 4, false, true},    {EDU_DMA_SRC, 4 | 8, true, true},
    {EDU_DMA_DST, 4 | 8, true, true}, {EDU_DMA_COUNT, 4 | 8, true, true},
    {EDU_DMA_CMD, 4 | 8, true, true},
};

static struct edu edu;

static uint64_t read(uintptr_t offset, unsigned width)
{
    return mmio_read(edu.dev.base + offset, width);
}

static void write(uintptr_t offset, unsigned width, uint64_t value)
{
    mmio_write(edu.dev.base + offset, width, value);
}

/* The register an access reaches, or NULL. */
static const struct reg *reached(uintptr_t offset, unsigned width)
{
    for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
        if (regs[i].offset == offset && (regs[i].widths & width) != 0) {
            return &regs[i];
        }
    }
    return NULL;
}

/* What each register holds while this runs. */
static uint64_t expected(uintptr_t offset, unsigned width)
{
    const uint64_t ones = UINT64_MAX >> (64 - 8 * width);
    const struct reg *reg = reached(offset, width);
    if (reg == NULL || !reg->readable) {
        return ones;
    }
    switch (offset) {
    case EDU_ID:
        return EDU_ID_VALUE;
    case EDU_LIVENESS:
        return ~LIVENESS;
    case EDU_FACTORIAL:
        return 120;
    case EDU_DMA_SRC:
    case EDU_DMA_DST:
    case EDU_DMA_COUNT:
        return (ADDRESS + offset) & ones;
    default:
        return 0;
    }
}

static void registers_hold(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
        const unsigned width = (regs[i].widths & 8) != 0 ? 8 : 4;
        CHECK_EQ(read(regs[i].offset, width), expected(regs[i].offset, width));
    }
}

static void read_everywhere(void)
{
    for (uintptr_t offset = 0; offset < SPACE; offset++) {
        for (unsigned width = 1; width <= 8; width *= 2) {
            CHECK_EQ(read(offset, width), expected(offset, width));
        }
    }
}

/* A write that reaches no register, or one that cannot be written, changes none. */
static void write_everywhere(void)
{
    for (uintptr_t offset = 0; offset < SPACE; offset++) {
        for (unsigned width = 1; width <= 8; width *= 2) {
            const struct reg *reg = reached(offset, width);
            if (reg == NULL || !reg->writable) {
                write(offset, width, UINT64_MAX);
            }
        }
        registers_hold();
    }
}

/* The DMA buffer and the rest of the BAR are not registers. */
static void nothing_behind(void)
{
    static const uintptr_t offsets[] = {0x1000, EDU_BUFFER, EDU_BUFFER + 0xff8, BLOCK - 8};
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        write(offsets[i], 8, 0);
        CHECK_EQ(read(offsets[i], 8), UINT64_MAX);
        CHECK_EQ(read(offsets[i], 4), UINT32_MAX);
    }
}

/* Four bytes written to a DMA register replace all of it; only bit 7 of STATUS can be set. */
static void special_writes(void)
{
    write(EDU_DMA_SRC, 4, UINT32_MAX);
    CHECK_EQ(read(EDU_DMA_SRC, 8), UINT32_MAX);
    edu_write(&edu, EDU_DMA_CMD, EDU_DMA_TO_MEMORY | EDU_DMA_IRQ); /* without RUN: ignored */
    CHECK_EQ(edu_read(&edu, EDU_DMA_CMD), 0);
    edu_write(&edu, EDU_STATUS, UINT32_MAX);
    CHECK_EQ(edu_read(&edu, EDU_STATUS), EDU_IRQ_AFTER);
    edu_write(&edu, EDU_STATUS, 0);
    CHECK_EQ(edu_read(&edu, EDU_STATUS), 0);
}

static uint64_t all_registers(uint64_t arg)
{
    (void)arg;
    CHECK_EQ(edu_read(&edu, EDU_ID), EDU_ID_VALUE);
    edu_write(&edu, EDU_LIVENESS, LIVENESS);
    CHECK_EQ(edu_factorial(&edu, 5), 120);
    for (uintptr_t reg = EDU_DMA_SRC; reg <= EDU_DMA_COUNT; reg += 8) {
        write(reg, 8, ADDRESS + reg);
    }
    read_everywhere();
    write_everywhere();
    nothing_behind();
    registers_hold();
    special_writes();
    return 0;
}

static uint64_t factorials(uint64_t arg)
{
    static const uint32_t expect[FACTORIALS] = {
        1,    1,     2,      6,       24,       120,       720,
        5040, 40320, 362880, 3628800, 39916800, 479001600, 1932053504 /* modulo 2^32 */,
    };
    (void)arg;
    for (uint32_t n = 0; n < FACTORIALS; n++) {
        CHECK_EQ(edu_factorial(&edu, n), expect[n]);
    }
    CHECK_EQ(edu_factorial(&edu, 33), 0x80000000);
    CHECK_EQ(edu_factorial(&edu, 34), 0);
    return 0;
}

/* A second operand is ignored while the first is worked on, and taken afterwards. */
static void second_operand(void)
{
    edu_write(&edu, EDU_FACTORIAL, 12);
    const uint32_t result = edu_factorial(&edu, 5);
    CHECK(result == 479001600 || result == 120);
}

int guest_main(void)
{
    CHECK(edu_find(&edu, 0));
    print("edu: %s\n", edu.dev.on_pci ? "PCI function" : "platform device");
    edu_write(&edu, EDU_LIVENESS, 0x12345678);
    CHECK_EQ(edu_read(&edu, EDU_LIVENESS), 0xedcba987);
    user_call(all_registers, 0);
    factorials(0);
    user_call(factorials, 0);
    second_operand();
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), 0);
    print("edu: ok\n");
    return 0;
}
