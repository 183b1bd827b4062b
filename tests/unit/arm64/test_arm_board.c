/*
 * The virt board: how wide its addresses are on this host and that, what does not fit, and
 * what it is not for. Places of devices are in the device tree's tests.
 */
#include "src/arch/arm64/map.h"
#include "src/arch/board.h"
#include "src/vm.h"
#include "tests/unit/arm64/fake_host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define GIB (1ULL << 30)

static struct config config;
static struct machine m;
static struct vm vm;
static struct fake_host h;
static struct err e;

/* The board asks KVM by the vm's own struct. */
static int ask_host(struct kvm *kvm, int fd, unsigned long request, void *arg)
{
    (void)kvm;
    return h.fake.answer(&h.fake, fd, request, arg);
}

static void start(void)
{
    fake_host_init(&h);
    e = ERR_INIT;
    config = (struct config){.cpus = 1, .pci = true};
    kvm_init(&vm.kvm);
    vm.kvm.ioctl = ask_host;
    m = (struct machine){.config = &config, .vm = &vm, .topo = topology_new()};
    cr_assert_not_null(m.topo);
    region_init_container(&m.mem_root, m.topo, "memory", REGION_ALL);
}

static void stop(void)
{
    board_free(&m);
    region_fini(&m.mem_root);
    topology_free(m.topo);
}

TestSuite(arm64_board, .init = start, .fini = stop);

/* Its RAM is never touched here. */
static int make(int host_bits, uint64_t memory)
{
    static uint8_t ram[1];
    board_free(&m);
    e = ERR_INIT;
    h.ipa_bits = host_bits;
    m.ram.size = memory;
    m.ram.host = ram;
    return board_new(&m, &e);
}

/* The 64-bit window of PCI is 32 GiB large and aligned, behind RAM. */
Test(arm64_board, addresses_are_as_narrow_as_the_machine_allows)
{
    static const struct {
        int host_bits;
        uint64_t memory;
        bool pci;
        unsigned bits;
    } cases[] = {
        {44, GIB / 4, false, 32}, {44, 3 * GIB, false, 32},  {44, 3 * GIB + 4096, false, 33},
        {44, GIB / 4, true, 36},  {44, 31 * GIB, true, 36},  {44, 31 * GIB + 4096, true, 37},
        {36, GIB / 4, true, 36},  {35, GIB / 4, true, 32}, /* no such window */
        {0, GIB / 4, true, 36},   {0, 1023 * GIB, true, 40}, {40, 1000 * GIB, false, 40},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        config.pci = cases[i].pci;
        cr_assert_eq(make(cases[i].host_bits, cases[i].memory), 0, "%zu: %s", i, e.what);
        cr_expect_eq(vm.kvm.gpa_bits, cases[i].bits, "%zu: %u", i, vm.kvm.gpa_bits);
    }
}

static void too_much(int host_bits, uint64_t memory, const char *what, const char *hint)
{
    cr_expect_eq(make(host_bits, memory), -ENOMEM);
    cr_expect_eq(e.status, EXIT_HOST);
    cr_expect_not_null(strstr(e.what, what), "%s", e.what);
    cr_expect_not_null(strstr(e.hint, hint), "%s", e.hint);
}

Test(arm64_board, memory_beyond_what_the_host_can_address)
{
    too_much(36, 64 * GIB, "--memory 65536M is more than guests of this host can address (36 bits)",
             "at most --memory 64512M");
    too_much(32, 3 * GIB + 4096, "(32 bits)", "at most --memory 3072M");
    too_much(0, 1024 * GIB, "(40 bits)", "at most --memory 1047552M");
    cr_expect_eq(make(36, 63 * GIB), 0, "%s", e.what);
}

Test(arm64_board, a_gicv2_serves_eight)
{
    config.gic = 2;
    config.cpus = 8;
    cr_expect_eq(make(44, GIB), 0, "%s", e.what);
    cr_expect_eq(vm.kvm.irqchip_version, 2);
    config.cpus = 9;
    cr_expect_eq(make(44, GIB), -EINVAL);
    cr_expect_eq(e.status, EXIT_USAGE);
    cr_expect_not_null(strstr(e.what, "9 CPUs: a GICv2 serves 8 at most"), "%s", e.what);
}
