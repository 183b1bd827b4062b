/*
 * ACPI tables other than the DSDT's AML: RSDP, XSDT, FADT, MADT (MCFG: acpi_pci.c); building,
 * installing and dumping the set. Source: ACPI specification 6.4, section 5.2.
 */
#include "src/arch/x86/acpi.h"

#include "src/arch/x86/map.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OEM_ID       "VMM   "
#define OEM_TABLE_ID "VMM PC  "
#define CREATOR_ID   "VMM "

#define RSDP_SIZE   36
#define TABLE_ALIGN 16
#define TABLE_ROOM  (PC_ACPI_END - PC_ACPI_GPA)

/* --- tables ------------------------------------------------------------ */

static uint64_t table_gpa(const struct acpi_table *table)
{
    return PC_ACPI_GPA + table->offset;
}

static void align(struct bytes *b)
{
    bytes_zero(b, -b->len % TABLE_ALIGN);
}

/* Open a table with the common header; returns it, to be passed to end_table(). */
static struct acpi_table *begin_table(struct acpi_tables *t, const char *signature,
                                      uint8_t revision)
{
    struct bytes *b = &t->bytes;
    struct acpi_table *table = &t->table[t->count++];
    align(b);
    snprintf(table->signature, sizeof(table->signature), "%s", signature);
    table->offset = (uint32_t)b->len;
    bytes_put(b, signature, 4);
    bytes_u32(b, 0); /* length and, below, checksum: end_table() */
    bytes_u8(b, revision);
    bytes_u8(b, 0);
    bytes_put(b, OEM_ID, 6);
    bytes_put(b, OEM_TABLE_ID, 8);
    bytes_u32(b, 1);
    bytes_put(b, CREATOR_ID, 4);
    bytes_u32(b, 1);
    return table;
}

static void end_table(struct acpi_tables *t, struct acpi_table *table)
{
    enum { LENGTH = 4, CHECKSUM = 9 };
    if (t->bytes.full) {
        return;
    }
    uint8_t *p = t->bytes.data + table->offset;
    table->length = (uint32_t)t->bytes.len - table->offset;
    put_le32(p + LENGTH, table->length);
    p[CHECKSUM] = bytes_checksum(p, table->length);
}

static struct acpi_table *add_dsdt(struct acpi_tables *t, const struct pc_inventory *has)
{
    struct acpi_table *table = begin_table(t, "DSDT", 2); /* 2: integers have 64 bits */
    acpi_dsdt(&t->bytes, has);
    end_table(t, table);
    return table;
}

/* A generic address structure: one byte register in memory. */
static void put_gas(uint8_t *p, uint64_t gpa)
{
    enum { SYSTEM_MEMORY = 0, BYTE_ACCESS = 1 };
    p[0] = SYSTEM_MEMORY;
    p[1] = 8; /* bits */
    p[2] = 0;
    p[3] = BYTE_ACCESS;
    put_le64(p + 4, gpa);
}

/* FACS, 5.2.10: where a guest says at which address it wants to wake up. No header as others have.
 */
static const struct acpi_table *add_facs(struct acpi_tables *t)
{
    enum { SIZE = 64, ALIGN = 64, LENGTH = 4, VERSION = 32 };
    struct acpi_table *table = &t->table[t->count++];
    uint8_t facs[SIZE] = {'F', 'A', 'C', 'S'};
    bytes_zero(&t->bytes, -t->bytes.len % ALIGN); /* PC_ACPI_GPA is as aligned */
    snprintf(table->signature, sizeof(table->signature), "FACS");
    table->offset = (uint32_t)t->bytes.len;
    table->length = SIZE;
    put_le32(facs + LENGTH, SIZE);
    facs[VERSION] = 1;
    bytes_put(&t->bytes, facs, SIZE);
    return table;
}

/* The FADT's fixed hardware, 4.8: devices/acpi_fixed.c. */
static void put_fixed_hardware(uint8_t *fadt, const struct acpi_table *facs)
{
    enum {
        FIRMWARE_CTRL = 36,
        SCI_INT = 46,
        PM1A_EVT_BLK = 56,
        PM1A_CNT_BLK = 64,
        PM_TMR_BLK = 76,
        PM1_EVT_LEN = 88,
        PM1_CNT_LEN = 89,
        PM_TMR_LEN = 91,
        P_LVL2_LAT = 96,
        P_LVL3_LAT = 98,
    };
    enum { NO_C2 = 101, NO_C3 = 1001 }; /* latencies in us that say so */
    put_le32(fadt + FIRMWARE_CTRL, (uint32_t)table_gpa(facs));
    put_le16(fadt + SCI_INT, PC_GSI_SCI);
    put_le32(fadt + PM1A_EVT_BLK, PC_PORT_PM1_EVENT);
    put_le32(fadt + PM1A_CNT_BLK, PC_PORT_PM1_CTL);
    put_le32(fadt + PM_TMR_BLK, PC_PORT_PM_TIMER);
    fadt[PM1_EVT_LEN] = 4;
    fadt[PM1_CNT_LEN] = 2;
    fadt[PM_TMR_LEN] = 4;
    put_le16(fadt + P_LVL2_LAT, NO_C2);
    put_le16(fadt + P_LVL3_LAT, NO_C3);
}

/* FADT, 5.2.9. facs NULL: hardware-reduced, so the power management blocks stay zero. */
static struct acpi_table *add_fadt(struct acpi_tables *t, const struct pc_inventory *has,
                                   const struct acpi_table *dsdt, const struct acpi_table *facs)
{
    enum {
        HEADER = 36,
        SIZE = 276, /* revision 6 */
        DSDT = 40,
        CENTURY = 108,
        BOOT_ARCH = 109,
        FLAGS = 112,
        RESET_REG = 116,
        RESET_VALUE = 128,
        X_DSDT = 140,
        SLEEP_CONTROL = 244,
        SLEEP_STATUS = 256,
    };
    enum { NO_VGA = 1 << 2, NO_CMOS_RTC = 1 << 5 };
    enum {
        WBINVD = 1 << 0,
        NO_FIXED_POWER_BUTTON = 1 << 4,
        NO_FIXED_SLEEP_BUTTON = 1 << 5,
        RESET_REG_VALID = 1 << 10,
        HARDWARE_REDUCED = 1 << 20,
    };
    struct acpi_table *table = begin_table(t, "FACP", 6);
    uint8_t fadt[SIZE] = {0};
    put_le32(fadt + DSDT, (uint32_t)table_gpa(dsdt));
    put_le64(fadt + X_DSDT, table_gpa(dsdt));
    fadt[CENTURY] = has->rtc ? 0x32 : 0; /* CMOS index */
    put_le16(fadt + BOOT_ARCH, has->rtc ? NO_VGA : NO_VGA | NO_CMOS_RTC);
    put_le32(fadt + FLAGS, WBINVD | NO_FIXED_POWER_BUTTON | NO_FIXED_SLEEP_BUTTON |
                               RESET_REG_VALID | (facs == NULL ? HARDWARE_REDUCED : 0));
    if (facs != NULL) {
        put_fixed_hardware(fadt, facs);
    }
    put_gas(fadt + SLEEP_CONTROL, PC_ACPI_REGS_GPA + PC_ACPI_SLEEP_CONTROL);
    put_gas(fadt + SLEEP_STATUS, PC_ACPI_REGS_GPA + PC_ACPI_SLEEP_STATUS);
    put_gas(fadt + RESET_REG, PC_ACPI_REGS_GPA + PC_ACPI_RESET);
    fadt[RESET_VALUE] = PC_ACPI_RESET_VALUE;
    bytes_put(&t->bytes, fadt + HEADER, SIZE - HEADER);
    end_table(t, table);
    return table;
}

static void add_cpu(struct bytes *b, uint32_t id)
{
    enum { LAPIC = 0, X2APIC = 9, ENABLED = 1 };
    if (id < 255) {
        bytes_u8(b, LAPIC);
        bytes_u8(b, 8);
        bytes_u8(b, (uint8_t)id); /* processor UID */
        bytes_u8(b, (uint8_t)id);
        bytes_u32(b, ENABLED);
    } else {
        bytes_u8(b, X2APIC);
        bytes_u8(b, 16);
        bytes_u16(b, 0);
        bytes_u32(b, id);
        bytes_u32(b, ENABLED);
        bytes_u32(b, id); /* processor UID */
    }
}

/* NMIs arrive at LINT1 of every CPU. */
static void add_nmi(struct bytes *b, bool x2apic)
{
    enum { LAPIC_NMI = 4, X2APIC_NMI = 10, LINT1 = 1 };
    bytes_u8(b, LAPIC_NMI);
    bytes_u8(b, 6);
    bytes_u8(b, 0xff);
    bytes_u16(b, 0);
    bytes_u8(b, LINT1);
    if (x2apic) {
        bytes_u8(b, X2APIC_NMI);
        bytes_u8(b, 12);
        bytes_u16(b, 0);
        bytes_u32(b, UINT32_MAX);
        bytes_u8(b, LINT1);
        bytes_zero(b, 3);
    }
}

/*
 * Of ISA irqs that are not edge-triggered: a PC's are, unless told otherwise. PCI's are active low,
 * which _PRT cannot say and a guest takes for granted; it refuses a pin that is said to be both.
 */
static void add_overrides(struct bytes *b, const struct pc_inventory *has)
{
    enum { OVERRIDE = 2, ISA_BUS = 0, ISA_IRQS = 16 };
    enum { ACTIVE_HIGH_LEVEL = 0xd, ACTIVE_LOW_LEVEL = 0xf };
    const uint32_t sci = has->pm ? 1U << PC_GSI_SCI : 0;
    const uint32_t low = pc_intx_irqs(has), level = low | pc_platform_irqs(has) | sci;
    for (unsigned irq = 0; irq < ISA_IRQS; irq++) {
        if ((level >> irq & 1) != 0) {
            bytes_u8(b, OVERRIDE);
            bytes_u8(b, 10);
            bytes_u8(b, ISA_BUS);
            bytes_u8(b, (uint8_t)irq);
            bytes_u32(b, irq); /* GSI */
            bytes_u16(b, low >> irq & 1 ? ACTIVE_LOW_LEVEL : ACTIVE_HIGH_LEVEL);
        }
    }
}

/* MADT, 5.2.12. Each ISA irq is the GSI and the IOAPIC pin of its number, as KVM routes it. */
static struct acpi_table *add_madt(struct acpi_tables *t, const struct pc_inventory *has)
{
    enum { IOAPIC = 1, PCAT_COMPAT = 1 /* there are 8259s too */ };
    struct bytes *b = &t->bytes;
    struct acpi_table *table = begin_table(t, "APIC", 5);
    bytes_u32(b, PC_LAPIC_GPA);
    bytes_u32(b, PCAT_COMPAT);
    for (uint32_t i = 0; i < has->cpus; i++) {
        add_cpu(b, i);
    }
    bytes_u8(b, IOAPIC);
    bytes_u8(b, 12);
    bytes_u16(b, 0); /* id 0 */
    bytes_u32(b, PC_IOAPIC_GPA);
    bytes_u32(b, 0); /* first GSI */
    add_overrides(b, has);
    add_nmi(b, has->cpus > 255);
    end_table(t, table);
    return table;
}

static struct acpi_table *add_mcfg(struct acpi_tables *t)
{
    struct acpi_table *table = begin_table(t, "MCFG", 1);
    acpi_mcfg(&t->bytes);
    end_table(t, table);
    return table;
}

static struct acpi_table *add_xsdt(struct acpi_tables *t, const struct acpi_table *const *tables,
                                   size_t count)
{
    struct acpi_table *table = begin_table(t, "XSDT", 1);
    for (size_t i = 0; i < count; i++) {
        bytes_u64(&t->bytes, table_gpa(tables[i]));
    }
    end_table(t, table);
    return table;
}

/* RSDP, 5.2.5.3; its place is claimed first and filled last. */
static void fill_rsdp(uint8_t *p, uint64_t xsdt)
{
    enum { CHECKSUM = 8, FIRST_PART = 20, EXTENDED_CHECKSUM = 32 };
    memset(p, 0, RSDP_SIZE);
    memcpy(p, "RSD PTR ", 8);
    memcpy(p + 9, OEM_ID, 6);
    p[15] = 2; /* revision */
    put_le32(p + 20, RSDP_SIZE);
    put_le64(p + 24, xsdt);
    p[CHECKSUM] = bytes_checksum(p, FIRST_PART);
    p[EXTENDED_CHECKSUM] = bytes_checksum(p, RSDP_SIZE);
}

/* --- the set ----------------------------------------------------------- */

int acpi_build(struct acpi_tables *t, const struct pc_inventory *has, struct err *e)
{
    *t = (struct acpi_tables){0};
    uint8_t *room = malloc(TABLE_ROOM);
    if (room == NULL) {
        return err_set(e, ENOMEM, "out of memory for the ACPI tables");
    }
    t->bytes = (struct bytes){.data = room, .cap = TABLE_ROOM};
    bytes_zero(&t->bytes, RSDP_SIZE);
    t->table[t->count++] = (struct acpi_table){.signature = "RSDP", .length = RSDP_SIZE};

    const struct acpi_table *dsdt = add_dsdt(t, has);
    const struct acpi_table *facs = has->pm ? add_facs(t) : NULL;
    const struct acpi_table *listed[3] = {add_fadt(t, has, dsdt, facs), add_madt(t, has)};
    size_t count = 2;
    if (has->pci) {
        listed[count++] = add_mcfg(t);
    }
    const struct acpi_table *xsdt = add_xsdt(t, listed, count);
    if (t->bytes.full) {
        acpi_free(t);
        return err_set(e, E2BIG, "the ACPI tables for %u CPUs and %u virtio devices are too large",
                       has->cpus, has->virtio_count);
    }
    fill_rsdp(t->bytes.data, table_gpa(xsdt));
    return 0;
}

void acpi_free(struct acpi_tables *t)
{
    free(t->bytes.data);
    *t = (struct acpi_tables){0};
}

int acpi_install(const struct acpi_tables *t, struct aspace *mem, uint64_t *rsdp, struct err *e)
{
    int rc = dma_write(mem, PC_ACPI_GPA, t->bytes.data, t->bytes.len);
    if (rc < 0) {
        return err_set(e, -rc, "no guest memory at 0x%llx for the ACPI tables", PC_ACPI_GPA);
    }
    *rsdp = PC_ACPI_GPA;
    return 0;
}

uint64_t acpi_gpa(const struct acpi_tables *t, const char *signature)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->table[i].signature, signature) == 0) {
            return table_gpa(&t->table[i]);
        }
    }
    return 0;
}

static int dump_table(const struct acpi_tables *t, const struct acpi_table *table, const char *dir,
                      struct err *e)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s.aml", dir, table->signature) >= (int)sizeof(path)) {
        return err_set(e, ENAMETOOLONG, "cannot write into %s, its name is too long", dir);
    }
    FILE *f = fopen(path, "we");
    if (f == NULL) {
        return err_set(e, errno, "cannot write %s, %s", path, strerror(errno));
    }
    const size_t n = fwrite(t->bytes.data + table->offset, 1, table->length, f);
    if (fclose(f) != 0 || n != table->length) {
        return err_set(e, EIO, "cannot write %s, %s", path, strerror(errno));
    }
    return 0;
}

int acpi_dump(const struct acpi_tables *t, const char *dir, struct err *e)
{
    if (mkdir(dir, 0777) < 0 && errno != EEXIST) {
        return err_set(e, errno, "cannot make the folder %s, %s", dir, strerror(errno));
    }
    for (size_t i = 0; i < t->count; i++) {
        int rc = dump_table(t, &t->table[i], dir, e);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}
