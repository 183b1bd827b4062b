/*
 * The `virt` machine: its memory, its devices, and the device tree and kernel that
 * are in memory when the guest starts. Places are in map.h.
 *
 * Locking: main thread, while no vCPU runs.
 */
#include "src/arch/board.h"

#include "devices/pci.h"
#include "src/arch/arm64/fdt.h"
#include "src/arch/arm64/regs.h"
#include "src/arch/tree_board.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

struct board {
    struct region ram;
    struct device *pci_host; /* NULL: no PCI */
    struct virt_inventory has;
    struct plug_words words;
};

const char board_machine[] = "virt";
const char board_channel[] = "/dev/ttyAMA1";

/* --- memory ------------------------------------------------------------------ */

/* The most bits of a guest-physical address that this host can give. */
static unsigned most_bits(struct machine *m)
{
    const int bits = m->vm != NULL ? kvm_check_cap(&m->vm->kvm, KVM_CAP_ARM_VM_IPA_SIZE) : 0;

    return bits != 0 ? (unsigned)bits : VIRT_GPA_BITS;
}

/* Choose how wide guest-physical addresses are: as narrow as the machine allows, since the host
 * walks fewer levels of tables then. */
static int choose_width(struct machine *m, struct virt_inventory *has, struct err *e)
{
    enum { LEAST = 32 };
    const unsigned most = most_bits(m);
    const uint64_t limit = 1ULL << most;
    const uint64_t ram_end = VIRT_RAM_GPA + has->ram_size;
    const uint64_t mem64 = (ram_end + VIRT_PCI_MEM64_ALIGN - 1) & -VIRT_PCI_MEM64_ALIGN;
    uint64_t end = ram_end;
    unsigned bits = LEAST;

    if (ram_end > limit) {
        err_set(e, ENOMEM,
                "--memory %" PRIu64 "M is more than guests of this host can address (%u bits)",
                has->ram_size >> 20, most);
        err_hint(e, "at most --memory %lluM", (limit - VIRT_RAM_GPA) >> 20);
        return -ENOMEM;
    }
    if (m->config->pci && mem64 + VIRT_PCI_MEM64_SIZE <= limit) {
        has->pci.mem64 = mem64;
        has->pci.mem64_size = VIRT_PCI_MEM64_SIZE;
        end = mem64 + VIRT_PCI_MEM64_SIZE;
    }
    while (bits < most && end > 1ULL << bits) {
        bits++;
    }
    if (m->vm != NULL) {
        m->vm->kvm.gpa_bits = bits;
        m->vm->kvm.irqchip_version = m->config->gic;
    }
    return 0;
}

/* Of the RAM from VIRT_RAM_GPA on, what lies below 4 GiB. */
static uint64_t low_ram(uint64_t size)
{
    const uint64_t room = (1ULL << 32) - VIRT_RAM_GPA;

    return size < room ? size : room;
}

int board_new(struct machine *m, struct err *e)
{
    static const struct pci_windows windows = {
        .ecam = VIRT_ECAM_GPA,
        .ecam_size = VIRT_ECAM_SIZE,
        .io_size = VIRT_PCI_IO_SIZE,
        .io_gpa = VIRT_PCI_IO_GPA,
        .mem32 = VIRT_PCI_MEM32_GPA,
        .mem32_size = VIRT_PCI_MEM32_SIZE,
        .intx_gsi = VIRT_SPI_INTX,
    };
    struct board *b;
    int ret;

    if (m->config->gic == 2 && m->config->cpus > VIRT_GICV2_CPUS_MAX) {
        err_set(e, EINVAL, "%u CPUs: a GICv2 serves %d at most", m->config->cpus,
                VIRT_GICV2_CPUS_MAX);
        err_status(e, EXIT_USAGE);
        return -EINVAL;
    }
    b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return err_set(e, ENOMEM, "cannot set up the machine: out of memory");
    }
    b->has = (struct virt_inventory){
        .ram_size = m->ram.size,
        .cpus = m->config->cpus,
        .uart2 = m->config->exec.program != NULL,
    };
    if (m->config->pci) {
        b->has.pci = windows;
    }
    ret = choose_width(m, &b->has, e);
    if (ret < 0) {
        free(b);
        return ret;
    }
    m->board = b;
    m->env.low_ram = low_ram(m->ram.size);
    m->env.high_ram = m->ram.size - m->env.low_ram;
    m->env.io = NULL; /* there are no ports */
    m->env.io_root = NULL;
    region_init_ram(&b->ram, m->topo, "virt.ram", m->ram.size, m->ram.host);
    ret = region_add(&m->mem_root, VIRT_RAM_GPA, &b->ram, 0);
    return ret < 0 ? err_set(e, -ret, "cannot map guest RAM: %s", strerror(-ret)) : 0;
}

void board_free(struct machine *m)
{
    struct board *b = m->board;

    if (b != NULL) {
        region_fini(&b->ram);
        plug_words_free(&b->words);
        free(b);
        m->board = NULL;
    }
}

/* --- devices ----------------------------------------------------------------- */

/* The second UART, which is Linux's ttyAMA1. */
static int add_channel(struct machine *m, struct err *e)
{
    char text[64];

    snprintf(text, sizeof(text), "pl011,addr=%llu,gsi=%d,channel=on", VIRT_UART2_GPA,
             VIRT_SPI_UART2);
    return machine_add_device(m, text, NULL, e) != NULL ? 0 : -EINVAL;
}

int board_add_devices(struct machine *m, struct err *e)
{
    static const char *const built_in[] = {"pl011", "pl031", "pvpanic"};
    int ret = 0;

    for (size_t i = 0; i < ARRAY_LEN(built_in) && ret == 0; i++) {
        ret = machine_add_device(m, built_in[i], NULL, e) != NULL ? 0 : -EINVAL;
    }
    if (ret == 0 && m->board->has.uart2) {
        ret = add_channel(m, e);
    }
    if (ret == 0 && m->config->pci) {
        m->board->pci_host = plug_pci_host(m, &m->board->has.pci, e);
        ret = m->board->pci_host != NULL ? 0 : -EINVAL;
    }
    if (ret == 0 && m->config->pci && m->config->testdev) {
        ret = machine_add_device(m, "pci-testdev", NULL, e) != NULL ? 0 : -EINVAL;
    }
    return ret == 0 ? plug_disks(m, e) : ret;
}

static int place_pci(struct machine *m, struct device *d, struct err *e)
{
    return plug_pci(m->board->pci_host, d, e);
}

static int place_platform(struct machine *m, struct device *d, struct err *e)
{
    static const struct plug_slots slots = {VIRT_PLATFORM_GPA, VIRT_PLATFORM_STRIDE,
                                            VIRT_PLATFORM_SLOTS};
    struct virt_inventory *has = &m->board->has;
    const unsigned n = has->platform_count;
    const int ret = plug_mmio(d, &slots, n, VIRT_SPI_PLATFORM + n, e);

    if (ret == 0) {
        has->platform[has->platform_count++] =
            (struct fdt_platform){d->cls->name, d->cls->compatible, d->cls->blocks[0].size};
    }
    return ret;
}

/* They take the slots in order, so that the first disk is vda. */
static int place_virtio(struct machine *m, struct device *d, struct err *e)
{
    struct virt_inventory *has = &m->board->has;
    const unsigned n = has->virtio_count;

    if (n == VIRT_VIRTIO_SLOTS) {
        return err_set(e, ENOSPC, "there are only %d virtio slots", VIRT_VIRTIO_SLOTS);
    }
    has->virtio_count++;
    return plug_virtio(d, VIRT_VIRTIO_GPA + n * VIRT_VIRTIO_STRIDE, VIRT_SPI_VIRTIO + n, e);
}

int board_place(struct machine *m, struct device *d, struct err *e)
{
    static const struct plug_buses buses = {
        .pci = place_pci, .mmio = place_platform, .virtio = place_virtio};

    return plug_device(m, d, &buses, e);
}

int board_assign(struct machine *m, struct err *e)
{
    return m->board->pci_host != NULL ? pci_assign(m->board->pci_host, e) : 0;
}

/* --- kernel and device tree ------------------------------------------------------- */

static int make_tree(struct machine *m, void **tree, struct err *e)
{
    struct virt_inventory *has = &m->board->has;
    struct kvm *kvm = m->vm != NULL ? &m->vm->kvm : NULL;

    has->gic = kvm != NULL ? kvm->irqchip_version : m->config->gic == 2 ? 2 : 3;
    has->pmu = kvm == NULL || cpu_has_pmu(kvm, m->config->cpu);
    has->its = has->gic == 3 && (kvm == NULL || kvm->its_fd >= 0);
    return virt_fdt_make(has, tree, e);
}

static const struct tree_board virt = {
    .arch = &boot_arm64,
    .console = "console=ttyAMA0",
    .ram_gpa = VIRT_RAM_GPA,
    .make = make_tree,
};

int board_load(struct machine *m, struct boot_entry *entry, struct err *e)
{
    return tree_board_load(m, &virt, &m->board->words, entry, e);
}

int board_wake(struct machine *m, struct boot_entry *entry)
{
    (void)m, (void)entry;
    return -ENOENT; /* no device here sends the machine to sleep */
}

const uint64_t board_ram_gpa = VIRT_RAM_GPA;

int board_enter(struct machine *m, enum boot_mode mode, uint64_t gpa, struct boot_entry *entry,
                struct err *e)
{
    (void)m;
    if (mode != BOOT_EL1) {
        return err_set(e, EINVAL, "code on arm64 begins in EL1");
    }
    *entry = (struct boot_entry){.format = BOOT_FLAT, .mode = mode, .ip = gpa};
    return 0;
}

int board_dump_tables(struct machine *m, struct err *e)
{
    return tree_board_dump(m, &virt, &m->board->words, e);
}
