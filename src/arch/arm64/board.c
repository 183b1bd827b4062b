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
#include "src/arch/plug.h"
#include "src/arch/tree.h"
#include "src/boot/cmdline.h"
#include "src/mem/dma.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIBED_GPA_BITS 40 /* where there is no KVM to ask */

struct board {
    struct region ram;
    struct device *pci_host; /* NULL: no PCI */
    struct virt_inventory has;
    char *append;   /* --append, joined */
    char *bootargs; /* the same with what a Linux guest needs besides */
};

const char board_machine[] = "virt";

/* --- memory ------------------------------------------------------------------ */

/* Choose how wide guest-physical addresses are: as narrow as the machine allows, since the host
 * walks fewer levels of tables then. */
static int choose_width(struct machine *m, struct virt_inventory *has, struct err *e)
{
    struct kvm *kvm = m->vm != NULL ? &m->vm->kvm : NULL;
    const unsigned most =
        kvm != NULL ? (unsigned)kvm_check_cap(kvm, KVM_CAP_ARM_VM_IPA_SIZE) : DESCRIBED_GPA_BITS;
    const uint64_t ram_end = VIRT_RAM_GPA + has->ram_size;
    const uint64_t mem64 = (ram_end + VIRT_PCI_MEM64_ALIGN - 1) & -VIRT_PCI_MEM64_ALIGN;
    uint64_t end = ram_end;
    unsigned bits = 32;

    if (most < 64 && ram_end > 1ULL << most) {
        int ret = err_set(e, ENOMEM,
                          "--memory %" PRIu64 "M is more than guests of this host can "
                          "address (%u bits)",
                          has->ram_size >> 20, most);
        err_hint(e, "at most --memory %lluM", ((1ULL << most) - VIRT_RAM_GPA) >> 20);
        return ret;
    }
    if (has->pci && (most >= 64 || mem64 + VIRT_PCI_MEM64_SIZE <= 1ULL << most)) {
        has->pci_mem64 = mem64;
        end = mem64 + VIRT_PCI_MEM64_SIZE;
    }
    while (bits < most && end > 1ULL << bits) {
        bits++;
    }
    if (kvm != NULL) {
        kvm->gpa_bits = bits;
        kvm->irqchip_version = m->config->gic;
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
        .pci = m->config->pci,
    };
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
        free(b->append);
        free(b->bootargs);
        free(b);
        m->board = NULL;
    }
}

/* --- devices ----------------------------------------------------------------- */

static int add_pci(struct machine *m, struct err *e)
{
    struct board *b = m->board;
    char text[256];

    snprintf(text, sizeof(text),
             "pci-host,ecam=%llu,io_size=%llu,io_gpa=%llu,mem32=%llu,mem32_size=%llu,"
             "mem64=%" PRIu64 ",mem64_size=%llu,intx_gsi=%d",
             VIRT_ECAM_GPA, VIRT_PCI_IO_SIZE, VIRT_PCI_IO_GPA, VIRT_PCI_MEM32_GPA,
             VIRT_PCI_MEM32_SIZE, b->has.pci_mem64, b->has.pci_mem64 ? VIRT_PCI_MEM64_SIZE : 0,
             VIRT_SPI_INTX);
    b->pci_host = machine_add_device(m, text, NULL, e);
    return b->pci_host != NULL ? 0 : -EINVAL;
}

int board_add_devices(struct machine *m, struct err *e)
{
    static const char *const built_in[] = {"pl011", "pl031", "pvpanic"};
    int ret = 0;

    for (size_t i = 0; i < ARRAY_LEN(built_in) && ret == 0; i++) {
        ret = machine_add_device(m, built_in[i], NULL, e) != NULL ? 0 : -EINVAL;
    }
    if (ret == 0 && m->config->pci) {
        ret = add_pci(m, e);
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
            (struct virt_platform){d->cls->name, d->cls->compatible, d->cls->blocks[0].size};
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

static int make_cmdline(struct machine *m, struct err *e)
{
    const struct config *c = m->config;
    struct board *b = m->board;
    const struct cmdline_defaults defaults = {.console = "console=ttyAMA0", .root = plug_root(c)};

    b->append = cmdline_join(c->appends.items, c->appends.count);
    if (b->append != NULL) {
        b->bootargs = cmdline_linux(b->append, &defaults);
    }
    return b->bootargs != NULL ? 0 : err_set(e, ENOMEM, "out of memory for the command line");
}

static int load_kernel(struct machine *m, struct boot_entry *entry, struct err *e)
{
    struct board *b = m->board;
    const struct boot_request request = {
        .arch = &boot_arm64,
        .kernel = m->config->kernel,
        .initrds = m->config->initrds.items,
        .initrd_count = m->config->initrds.count,
        .cmdline = b->bootargs,
        .append = b->append,
        .mem = m->mem,
        .ram_base = VIRT_RAM_GPA,
        .low_ram_end = VIRT_RAM_GPA + m->ram.size,
    };

    return boot_load(&request, entry, e);
}

/* The tree for the kernel that entry is of. */
static int make_tree(struct machine *m, const struct boot_entry *entry, void **blob, struct err *e)
{
    struct virt_inventory *has = &m->board->has;
    const struct kvm *kvm = m->vm != NULL ? &m->vm->kvm : NULL;
    const struct tree_chosen chosen = {
        .bootargs = entry->format == BOOT_FLAT ? m->board->append : m->board->bootargs,
        .keep_bootargs = m->config->appends.count == 0,
        .initrd = entry->initrd,
        .initrd_size = entry->initrd_size,
    };
    int ret;

    if (m->config->dtb != NULL) {
        ret = tree_read(m->config->dtb, blob, e);
    } else {
        has->gic = kvm != NULL ? kvm->irqchip_version : m->config->gic == 2 ? 2 : 3;
        has->pmu = kvm == NULL || cpu_has_pmu(&m->vm->kvm, m->config->cpu);
        has->its = has->gic == 3 && (kvm == NULL || kvm->its_fd >= 0);
        ret = virt_fdt_make(has, blob, e);
    }
    if (ret == 0) {
        ret = tree_choose(*blob, &chosen, e);
        if (ret < 0) {
            free(*blob);
        }
    }
    return ret;
}

/* Load the kernel, if there is one, and make the tree for it; the caller frees it. */
static int load(struct machine *m, struct boot_entry *entry, void **tree, struct err *e)
{
    int ret = m->board->bootargs == NULL ? make_cmdline(m, e) : 0;

    *entry = (struct boot_entry){.format = BOOT_IMAGE};
    if (ret == 0 && m->config->kernel != NULL) {
        ret = load_kernel(m, entry, e);
    }
    return ret == 0 ? make_tree(m, entry, tree, e) : ret;
}

int board_load(struct machine *m, struct boot_entry *entry, struct err *e)
{
    void *tree = NULL;
    int ret = load(m, entry, &tree, e);

    if (ret < 0) {
        return ret;
    }
    if (tree_size(tree) > entry->fdt_max) {
        ret = err_set(e, E2BIG, "the device tree has %zu bytes, the kernel takes %" PRIu64,
                      tree_size(tree), entry->fdt_max);
    } else if (dma_write(m->mem, entry->fdt, tree, tree_size(tree)) < 0 ||
               (entry->fdt_copy != 0 &&
                dma_write(m->mem, entry->fdt_copy, tree, tree_size(tree)) < 0)) {
        ret =
            err_set(e, EFAULT, "no guest memory at 0x%" PRIx64 " for the device tree", entry->fdt);
    }
    free(tree);
    return ret;
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
    struct boot_entry entry;
    void *tree = NULL;
    int ret;

    if (m->config->dump_fdt == NULL) {
        return 0;
    }
    ret = load(m, &entry, &tree, e);
    if (ret == 0) {
        ret = tree_write(tree, m->config->dump_fdt, e);
        free(tree);
    }
    return ret;
}
