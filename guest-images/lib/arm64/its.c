/*
 * GICv3's Interrupt Translation Service: a message's data is an event number of
 * the function that sends it; tables in memory make it an LPI of this CPU.
 * Source: Arm IHI 0069, chapter 5 (LPIs, ITS), 12.19 (registers).
 */
#include "internal.h"
#include "virt.h"

/* ITS. */
#define GITS_CTLR       0x0000
#define GITS_TYPER      0x0008
#define GITS_CBASER     0x0080
#define GITS_CWRITER    0x0088
#define GITS_CREADR     0x0090
#define GITS_BASER      0x0100
#define GITS_BASERS     8
#define GITS_TRANSLATER 0x10040

#define TYPER_BY_ADDRESS  0x80000 /* CPUs are named by their redistributor's address */
#define BASER_TYPE(b)     ((b) >> 56 & 7)
#define BASER_DEVICES     1
#define BASER_COLLECTIONS 4
#define BASER_PAGES_64K   0x200

/* Redistributor. */
#define GICR_CTLR        0x0000
#define GICR_TYPER       0x0008
#define GICR_PROPBASER   0x0070
#define GICR_PENDBASER   0x0078
#define GICR_ENABLE_LPIS 1
#define PENDING_IS_ZERO  (1UL << 62)

/* How tables are reached: valid, inner shareable, write-back; at two places in a register. */
#define VALID       (1UL << 63)
#define ITS_CACHED  (7UL << 59 | 1UL << 10)
#define GICR_CACHED (7UL << 7 | 1UL << 10)
#define LPI_ID_BITS 14
#define LPI_ENABLED 0xa1 /* with a priority */
#define KIB64       0x10000

enum {
    CMD_SYNC = 0x05,
    CMD_MAPD = 0x08,
    CMD_MAPC = 0x09,
    CMD_MAPTI = 0x0a,
};

#define FUNCTIONS  256 /* of one bus */
#define EVENT_BITS 5   /* messages of all functions together */
#define ITT_SIZE   512 /* an entry has 16 bytes at most */
#define COMMANDS   128

/* All zero at first. */
static uint8_t devices[KIB64] __attribute__((aligned(KIB64)));
static uint8_t collections[KIB64] __attribute__((aligned(KIB64)));
static uint8_t pending[KIB64] __attribute__((aligned(KIB64)));
static uint64_t commands[COMMANDS][4] __attribute__((aligned(KIB64)));
static uint8_t properties[(1 << LPI_ID_BITS) - INTID_LPI] __attribute__((aligned(4096)));
static uint8_t translations[FUNCTIONS / 8][ITT_SIZE] __attribute__((aligned(256))); /* a slot */
static uint32_t mapped;                                                             /* slots */

static uintptr_t its;
static uint64_t this_cpu; /* as commands name it */

bool its_present(void)
{
    return fdt_compatible("arm,gic-v3-its", 0) != NULL;
}

static void command(uint64_t a, uint64_t b, uint64_t c)
{
    static unsigned next;
    commands[next][0] = a;
    commands[next][1] = b;
    commands[next][2] = c;
    next = (next + 1) % COMMANDS;
    memory_barrier();
    mmio_write64(its + GITS_CWRITER, next * sizeof(commands[0]));
    while (mmio_read64(its + GITS_CREADR) != next * sizeof(commands[0])) {
        cpu_relax();
    }
}

static void give_table(unsigned n)
{
    const uintptr_t reg = its + GITS_BASER + 8UL * n;
    const uint64_t type = BASER_TYPE(mmio_read64(reg));
    if (type == BASER_DEVICES) {
        mmio_write64(reg, VALID | ITS_CACHED | BASER_PAGES_64K | (uintptr_t)devices);
    } else if (type == BASER_COLLECTIONS) {
        mmio_write64(reg, VALID | ITS_CACHED | BASER_PAGES_64K | (uintptr_t)collections);
    }
}

static void enable_lpis(uintptr_t gicr)
{
    mmio_write64(gicr + GICR_PROPBASER, (uintptr_t)properties | GICR_CACHED | (LPI_ID_BITS - 1));
    mmio_write64(gicr + GICR_PENDBASER, (uintptr_t)pending | GICR_CACHED | PENDING_IS_ZERO);
    mmio_write32(gicr + GICR_CTLR, GICR_ENABLE_LPIS);
}

static void init(void)
{
    const uintptr_t gicr = gic_redistributor();
    fdt_node *node = fdt_compatible("arm,gic-v3-its", 0);
    CHECK(node != NULL);
    its = fdt_reg(node, 0);
    enable_lpis(gicr);
    for (unsigned n = 0; n < GITS_BASERS; n++) {
        give_table(n);
    }
    mmio_write64(its + GITS_CBASER, VALID | ITS_CACHED | (uintptr_t)commands);
    mmio_write64(its + GITS_CWRITER, 0);
    mmio_write32(its + GITS_CTLR, 1);
    /* By address, or by the number that the redistributor has. */
    this_cpu = (mmio_read64(its + GITS_TYPER) & TYPER_BY_ADDRESS) != 0
                   ? gicr
                   : (mmio_read64(gicr + GICR_TYPER) >> 8 & 0xffff) << 16;
    command(CMD_MAPC, 0, VALID | this_cpu);
}

struct irq_message its_message(unsigned requester, unsigned n)
{
    const unsigned slot = requester / 8;
    CHECK(requester < FUNCTIONS && requester % 8 == 0 && n < 1U << EVENT_BITS);
    if (its == 0) {
        init();
    }
    if ((mapped & 1U << slot) == 0) {
        mapped |= 1U << slot;
        command(CMD_MAPD | (uint64_t)requester << 32, EVENT_BITS - 1,
                VALID | (uintptr_t)translations[slot]);
    }
    properties[n] = LPI_ENABLED;
    memory_barrier();
    command(CMD_MAPTI | (uint64_t)requester << 32, n | (uint64_t)(INTID_LPI + n) << 32, 0);
    command(CMD_SYNC, 0, this_cpu);
    return (struct irq_message){its + GITS_TRANSLATER, n};
}
