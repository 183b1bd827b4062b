/*
 * The `virt` machine: its memory, its devices, and the device tree and kernel that are in memory
 * when the guest starts. Where all that is, virt_machine says.
 *
 * Locking: main thread, while no vCPU runs.
 */
#include "src/arch/board.h"
#include "devices/pci.h"
#include "src/arch/virt/virt.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct board {
    struct region ram;
    struct device *pci_host; /* NULL: no PCI */
    struct virt_inventory has;
    struct plug_words words;
};

const char board_machine[] = "virt";

/* --- memory ------------------------------------------------------------------ */

/* The most bits of a guest-physical address that this host can give. */
static unsigned most_bits(struct machine *m)
{
    const int bits = m->vm != NULL ? kvm_check_cap(&m->vm->kvm, virt_machine.gpa_bits_cap) : 0;

    return bits != 0 ? (unsigned)bits : virt_machine.gpa_bits;
}

/* Choose how wide guest-physical addresses are: as narrow as the machine allows, since the host
 * walks fewer levels of tables then. */
static int choose_width(struct machine *m, struct virt_inventory *has, struct err *e)
{
    enum { LEAST = 32 };
    const unsigned most = most_bits(m);
    const uint64_t limit = 1ULL << most, ram = board_ram_gpa;
    const uint64_t ram_end = ram + has->ram_size, align = virt_machine.mem64_align;
    const uint64_t mem64 = (ram_end + align - 1) & -align;
    uint64_t end = ram_end;
    unsigned bits = LEAST;

    if (ram_end > limit) {
        err_set(e, ENOMEM,
                "--memory %" PRIu64 "M is more than guests of this host can address (%u bits)",
                has->ram_size >> 20, most);
        err_hint(e, "at most --memory %" PRIu64 "M", (limit - ram) >> 20);
        return -ENOMEM;
    }
    if (m->config->pci && mem64 + virt_machine.mem64_size <= limit) {
        has->pci.mem64 = mem64;
        has->pci.mem64_size = virt_machine.mem64_size;
        end = mem64 + virt_machine.mem64_size;
    }
    while (bits < most && end > 1ULL << bits) {
        bits++;
    }
    if (m->vm != NULL) {
        m->vm->kvm.gpa_bits = bits;
    }
    return 0;
}

/* Of the RAM, what lies below 4 GiB. */
static uint64_t low_ram(uint64_t size)
{
    const uint64_t room = (1ULL << 32) - board_ram_gpa;

    return size < room ? size : room;
}

int board_new(struct machine *m, struct err *e)
{
    struct board *b;
    int ret = virt_machine.prepare(m, e);

    if (ret < 0) {
        return ret;
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
        b->has.pci = virt_machine.pci;
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
    ret = region_add(&m->mem_root, board_ram_gpa, &b->ram, 0);
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

static int add_uart2(struct machine *m, struct err *e)
{
    char text[80];

    snprintf(text, sizeof(text), "%s,addr=%" PRIu64 ",gsi=%u,channel=on", virt_machine.uart2,
             virt_machine.uart2_gpa, virt_machine.uart2_gsi);
    return machine_add_device(m, text, NULL, e) != NULL ? 0 : -EINVAL;
}

int board_add_devices(struct machine *m, struct err *e)
{
    const char *const *built_in = virt_machine.built_in;
    int ret = 0;

    for (size_t i = 0; i < ARRAY_LEN(virt_machine.built_in) && built_in[i] != NULL && ret == 0;
         i++) {
        ret = machine_add_device(m, built_in[i], NULL, e) != NULL ? 0 : -EINVAL;
    }
    if (ret == 0 && m->board->has.uart2) {
        ret = add_uart2(m, e);
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
    const struct virt_slots *slots = &virt_machine.platform;
    struct virt_inventory *has = &m->board->has;
    const unsigned n = has->platform_count;
    const int ret = plug_mmio(d, &slots->at, n, slots->gsi + n, e);

    if (ret == 0) {
        has->platform[has->platform_count++] =
            (struct fdt_platform){d->cls->name, d->cls->compatible, d->cls->blocks[0].size};
    }
    return ret;
}

/* They take the slots in order, so that the first disk is vda. */
static int place_virtio(struct machine *m, struct device *d, struct err *e)
{
    const struct virt_slots *slots = &virt_machine.virtio;
    struct virt_inventory *has = &m->board->has;
    const unsigned n = has->virtio_count;

    if (n == slots->at.count) {
        return err_set(e, ENOSPC, "there are only %u virtio slots", slots->at.count);
    }
    has->virtio_count++;
    return plug_virtio(d, slots->at.gpa + n * slots->at.stride, slots->gsi + n, e);
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
    return virt_machine.make_tree(m, &m->board->has, tree, e);
}

static struct tree_board tree_board(void)
{
    return (struct tree_board){.arch = virt_machine.boot,
                               .console = virt_machine.console,
                               .ram_gpa = board_ram_gpa,
                               .make = make_tree};
}

int board_load(struct machine *m, struct boot_entry *entry, struct err *e)
{
    const struct tree_board b = tree_board();

    return tree_board_load(m, &b, &m->board->words, entry, e);
}

int board_wake(struct machine *m, struct boot_entry *entry)
{
    (void)m, (void)entry;
    return -ENOENT; /* no device here sends the machine to sleep */
}

int board_dump_tables(struct machine *m, struct err *e)
{
    const struct tree_board b = tree_board();

    return tree_board_dump(m, &b, &m->board->words, e);
}
