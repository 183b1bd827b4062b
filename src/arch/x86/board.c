/*
 * The `pc` machine: its memory, and what is in it when the guest starts: tables,
 * kernel, command line. Places are in map.h, the devices in board_devices.c.
 *
 * Locking: main thread, while no vCPU runs.
 */
#include "src/arch/x86/acpi.h"
#include "src/arch/x86/bios.h"
#include "src/arch/x86/cpuid.h"
#include "src/arch/x86/mptable.h"
#include "src/arch/x86/pc.h"
#include "src/base/le.h"
#include "src/boot/cmdline.h"
#include "src/mem/dma.h"

#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char board_machine[] = "pc";
const char board_channel[] = "/dev/ttyS1";

/* --- memory -------------------------------------------------------------- */

static int map_ram(struct machine *m, struct board *b)
{
    int ret;

    region_init_ram(&b->ram, m->topo, "pc.ram", m->ram.size, m->ram.host);
    region_init_alias(&b->ram_low, m->topo, "ram-below-4g", b->map.low_size, &b->ram, 0);
    ret = region_add(&m->mem_root, 0, &b->ram_low, 0);
    if (ret == 0 && b->map.high_size != 0) {
        region_init_alias(&b->ram_high, m->topo, "ram-above-4g", b->map.high_size, &b->ram,
                          b->map.low_size);
        ret = region_add(&m->mem_root, PC_HIGH_RAM_GPA, &b->ram_high, 0);
    }
    return ret;
}

/* The guest's CPUs address as much as the host's. */
static unsigned gpa_bits(void)
{
    enum { LEAST = 36 };
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(0x80000008U, &eax, &ebx, &ecx, &edx) ? eax & 0x3f : LEAST;
}

static int check_pm(const struct config *c, struct err *e)
{
    if (!c->pm || c->acpi) {
        return 0;
    }
    err_set(e, EINVAL, "--machine pc: pm=on is of no use with acpi=off");
    err_hint(e, "leave one of them out");
    err_status(e, EXIT_USAGE);
    return -EINVAL;
}

int board_new(struct machine *m, struct err *e)
{
    struct board *b = calloc(1, sizeof(*b));
    int ret;

    if (b == NULL) {
        return err_set(e, ENOMEM, "cannot set up the machine: out of memory");
    }
    ret = check_pm(m->config, e);
    if (ret == 0) {
        ret = memmap_init(&b->map, m->ram.size, m->config->pci, e);
    }
    if (ret < 0) {
        free(b);
        return ret;
    }
    b->has = (struct pc_inventory){
        .cpus = m->config->cpus,
        .com1 = true,
        .com2 = m->config->exec.program != NULL,
        .rtc = true,
        .pvpanic = true,
        .pm = m->config->pm || (m->config->testdev && m->config->acpi),
        .pci = m->config->pci,
        .pci_mem64 = m->config->pci ? memmap_pci_mem64(&b->map, gpa_bits()) : 0,
    };
    m->board = b;
    m->env.low_ram = b->map.low_size;
    m->env.high_ram = b->map.high_size;
    ret = map_ram(m, b);
    if (ret < 0) {
        err_set(e, -ret, "cannot map guest RAM: %s", strerror(-ret));
    }
    return ret;
}

void board_free(struct machine *m)
{
    struct board *b = m->board;

    if (b == NULL) {
        return;
    }
    if (b->map.high_size != 0) {
        region_fini(&b->ram_high);
    }
    region_fini(&b->ram_low);
    region_fini(&b->ram);
    plug_words_free(&b->words);
    free(b);
    m->board = NULL;
}

/* --- command line -------------------------------------------------------- */

/* Without ACPI a kernel learns of the virtio slots from its command line. */
static char *virtio_words(const struct board *b)
{
    char params[PC_VIRTIO_SLOTS][VIRTIO_PARAM_SIZE];
    const char *words[PC_VIRTIO_SLOTS];

    for (unsigned i = 0; i < b->has.virtio_count; i++) {
        mptable_virtio_param(params[i], b->has.virtio[i].slot);
        words[i] = params[i];
    }
    return cmdline_join(words, b->has.virtio_count);
}

static int make_words(struct machine *m, struct err *e)
{
    struct board *b = m->board;
    char *devices = NULL;
    int ret;

    if (!m->config->acpi && b->has.virtio_count > 0) {
        devices = virtio_words(b);
    }
    ret = plug_words_make(&b->words, m->config, "console=ttyS0", devices, e);
    free(devices);
    return ret;
}

/* --- tables and kernel ------------------------------------------------------ */

/*
 * There is no firmware, but Linux on a hardware-reduced ACPI machine reboots by
 * jumping to it in real mode (arch/x86/kernel/reboot.c: BOOT_EFI, which fails,
 * then BOOT_BIOS). This much of it there is.
 */
static int install_reset_vector(struct machine *m, struct err *e)
{
    static const uint8_t code[] = {
        0xb0, 0xfe,              /* mov al, 0xfe */
        0xe6, PC_PORT_I8042_CMD, /* out 0x64, al: reset */
        0xf4,                    /* hlt */
        0xeb, 0xfd,              /* jmp to the hlt */
    };
    int ret = dma_write(m->mem, PC_RESET_GPA, code, sizeof(code));

    return ret < 0 ? err_set(e, -ret, "no guest memory for the reset vector") : 0;
}

/* For kvm-unit-tests, whose real-mode code counts on firmware. */
static int install_bios(struct machine *m, struct err *e)
{
    return m->config->testdev ? bios_install(m->mem, e) : 0;
}

/* The tables that say what the machine has; *rsdp is 0 without ACPI. */
static int install_tables(struct machine *m, uint64_t *rsdp, struct err *e)
{
    struct acpi_tables tables;
    int ret;

    *rsdp = 0;
    if (!m->config->acpi) {
        return mptable_install(m->mem, &m->board->has, e);
    }
    ret = acpi_build(&tables, &m->board->has, e);
    if (ret == 0) {
        ret = acpi_install(&tables, m->mem, rsdp, e);
        m->board->facs = acpi_gpa(&tables, "FACS");
        acpi_free(&tables);
    }
    return ret;
}

int board_load(struct machine *m, struct boot_entry *entry, struct err *e)
{
    struct board *b = m->board;
    struct boot_request request = {
        .arch = &boot_x86,
        .kernel = m->config->kernel,
        .initrds = m->config->initrds.items,
        .initrd_count = m->config->initrds.count,
        .last_initrd = m->last_initrd,
        .mem = m->mem,
        .map = b->map.areas,
        .map_count = b->map.count,
        .low_ram_end = b->map.low_size,
        .ram_is_zero = true,
    };
    int ret = 0;

    if (b->words.cmdline == NULL) {
        ret = make_words(m, e);
    }
    if (ret == 0) {
        ret = install_reset_vector(m, e);
    }
    if (ret == 0) {
        ret = install_bios(m, e);
    }
    if (ret == 0) {
        ret = install_tables(m, &request.rsdp, e);
    }
    if (ret == 0) {
        request.append = b->words.append;
        request.cmdline = b->words.cmdline;
        ret = boot_load(&request, entry, e);
    }
    return ret;
}

/*
 * What firmware does at the end of S3: enter the kernel where it asked for in the FACS, in real
 * mode (ACPI 6.4, 5.2.10).
 */
int board_wake(struct machine *m, struct boot_entry *entry)
{
    enum { WAKING_VECTOR = 12, REAL_MODE_END = 0x100000 };
    uint8_t vector[4];

    if (m->board->facs == 0 ||
        dma_read(m->mem, m->board->facs + WAKING_VECTOR, vector, sizeof(vector)) < 0) {
        return -ENOENT;
    }
    const uint32_t gpa = get_le32(vector);
    *entry = (struct boot_entry){.mode = BOOT_REAL16, .cs = (uint16_t)(gpa >> 4), .ip = gpa & 0xf};
    return gpa != 0 && gpa < REAL_MODE_END ? 0 : -ENOENT;
}

const uint64_t board_ram_gpa = 0;

int board_enter(struct machine *m, enum boot_mode mode, uint64_t gpa, struct boot_entry *entry,
                struct err *e)
{
    return boot_enter(m->mem, mode, gpa, entry, e);
}

int board_dump_tables(struct machine *m, struct err *e)
{
    struct acpi_tables tables;
    int ret;

    if (m->config->dump_acpi == NULL) {
        return 0;
    }
    if (!m->config->acpi) {
        return err_set(e, EINVAL, "--dump-acpi: the machine has no ACPI (acpi=off)");
    }
    ret = acpi_build(&tables, &m->board->has, e);
    if (ret == 0) {
        ret = acpi_dump(&tables, m->config->dump_acpi, e);
        acpi_free(&tables);
    }
    return ret;
}
