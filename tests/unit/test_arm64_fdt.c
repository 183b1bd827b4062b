/*
 * The virt machine's device tree: every node and property against what the bindings and QEMU's
 * virt say, written down here once more as text.
 */
#include "src/arch/arm64/fdt.h"
#include "src/arch/tree.h"
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *blob;
static struct err e;

static void stop(void)
{
    free(blob);
    blob = NULL;
}

TestSuite(arm64_fdt, .fini = stop);

static struct virt_inventory full(void)
{
    return (struct virt_inventory){
        .ram_size = 6ULL << 30,
        .cpus = 2,
        .gic = 3,
        .its = true,
        .pmu = true,
        .virtio_count = 2,
        .platform = {{"pvpanic", "qemu,pvpanic-mmio", 1}, {"edu", "vmm,edu", 0x100000}},
        .platform_count = 2,
        .pci =
            {
                .ecam = 0x3f000000,
                .ecam_size = 0x100000,
                .io_gpa = 0x3eff0000,
                .io_size = 0x10000,
                .mem32 = 0x10000000,
                .mem32_size = 0x2eff0000,
                .mem64 = 0x800000000,
                .mem64_size = 0x800000000,
                .intx_gsi = 3,
            },
    };
}

static void make(const struct virt_inventory *has)
{
    free(blob);
    blob = NULL;
    e = ERR_INIT;
    cr_assert_eq(virt_fdt_make(has, &blob, &e), 0, "%s", e.what);
    cr_assert_eq(fdt_check_full(blob, tree_size(blob)), 0);
}

/* --- as text ---------------------------------------------------------------- */

static bool is_text(const char *value, int len)
{
    for (int i = 0; i < len; i++) {
        const bool end = value[i] == '\0';
        if (end ? i == 0 || value[i - 1] == '\0' : value[i] < ' ' || value[i] > '~') {
            return false;
        }
    }
    return len > 0 && value[len - 1] == '\0';
}

/* Strings as "a" "b", all else as cells. */
static void print_value(const char *value, int len, FILE *out)
{
    if (is_text(value, len)) {
        for (const char *s = value; s < value + len; s += strlen(s) + 1) {
            fprintf(out, " \"%s\"", s);
        }
        return;
    }
    cr_assert_eq(len % 4, 0);
    for (int i = 0; i < len; i += 4) {
        fprintf(out, " %x", fdt32_ld((const fdt32_t *)(const void *)(value + i)));
    }
}

static void print_node(int node, FILE *out)
{
    char path[128];
    int at, len;
    cr_assert_eq(fdt_get_path(blob, node, path, sizeof(path)), 0);
    fprintf(out, "%s\n", path);
    fdt_for_each_property_offset(at, blob, node)
    {
        const char *name;
        const char *value = fdt_getprop_by_offset(blob, at, &name, &len);
        fprintf(out, "  %s", name);
        print_value(value, len, out);
        fputc('\n', out);
    }
    fdt_for_each_subnode(at, blob, node)
    {
        print_node(at, out);
    }
}

/* The part of the tree at path is this text. */
static void expect(const char *path, const char *text)
{
    char *got = NULL;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    const int node = fdt_path_offset(blob, path);
    cr_assert_geq(node, 0, "no node %s", path);
    print_node(node, out);
    fclose(out);
    cr_expect_str_eq(got, text, "%s is\n%s\nand not\n%s", path, got, text);
    free(got);
}

static bool has_node(const char *path)
{
    return fdt_path_offset(blob, path) >= 0;
}

/* --- the machine --------------------------------------------------------------- */

Test(arm64_fdt, root_and_memory)
{
    const struct virt_inventory has = full();
    make(&has);
    int len, children = 0, at;
    cr_expect_str_eq(fdt_getprop(blob, 0, "compatible", &len), "linux,dummy-virt");
    cr_expect_str_eq(fdt_getprop(blob, 0, "model", &len), "linux,dummy-virt");
    cr_expect_eq(fdt_address_cells(blob, 0), 2);
    cr_expect_eq(fdt_size_cells(blob, 0), 2);
    cr_expect_eq(fdt32_ld(fdt_getprop(blob, 0, "interrupt-parent", &len)), 1);
    fdt_for_each_subnode(at, blob, 0)
    {
        children++;
    }
    cr_expect_eq(children, 15, "all of them are looked at in these tests");
    expect("/memory@40000000", "/memory@40000000\n"
                               "  device_type \"memory\"\n"
                               "  reg 0 40000000 1 80000000\n");
    expect("/chosen", "/chosen\n"
                      "  stdout-path \"/pl011@9000000\"\n");
    cr_expect_geq(fdt_path_offset(blob, "/pl011@9000000"), 0);
}

Test(arm64_fdt, processors)
{
    const struct virt_inventory has = full();
    make(&has);
    expect("/cpus", "/cpus\n"
                    "  #address-cells 1\n"
                    "  #size-cells 0\n"
                    "/cpus/cpu@0\n"
                    "  device_type \"cpu\"\n"
                    "  compatible \"arm,armv8\"\n"
                    "  reg 0\n"
                    "  enable-method \"psci\"\n"
                    "/cpus/cpu@1\n"
                    "  device_type \"cpu\"\n"
                    "  compatible \"arm,armv8\"\n"
                    "  reg 1\n"
                    "  enable-method \"psci\"\n");
    expect("/psci", "/psci\n"
                    "  compatible \"arm,psci-1.0\" \"arm,psci-0.2\" \"arm,psci\"\n"
                    "  method \"hvc\"\n"
                    "  cpu_suspend c4000001\n"
                    "  cpu_off 84000002\n"
                    "  cpu_on c4000003\n"
                    "  migrate c4000005\n");
    expect("/timer", "/timer\n"
                     "  compatible \"arm,armv8-timer\" \"arm,armv7-timer\"\n"
                     "  always-on\n"
                     "  interrupts 1 d 4 1 e 4 1 b 4 1 a 4\n");
    expect("/pmu", "/pmu\n"
                   "  compatible \"arm,armv8-pmuv3\"\n"
                   "  interrupts 1 7 4\n");
}

Test(arm64_fdt, affinity_is_kvms)
{
    struct virt_inventory has = full();
    has.cpus = 123;
    make(&has);
    expect("/cpus/cpu@f", "/cpus/cpu@f\n  device_type \"cpu\"\n  compatible \"arm,armv8\"\n"
                          "  reg f\n  enable-method \"psci\"\n");
    expect("/cpus/cpu@100", "/cpus/cpu@100\n  device_type \"cpu\"\n  compatible \"arm,armv8\"\n"
                            "  reg 100\n  enable-method \"psci\"\n");
    cr_expect(has_node("/cpus/cpu@70a"), "number 122");
    cr_expect(!has_node("/cpus/cpu@70b"));
    cr_expect(!has_node("/cpus/cpu@10"));
    cr_expect_eq(virt_affinity(4095), 0xff0f);
    cr_expect_eq(virt_affinity(4096), 0x10000);
}

/* What both controllers have. */
#define INTC                                                                                       \
    "/intc@8000000\n  interrupt-controller\n  #interrupt-cells 3\n  #address-cells 2\n"            \
    "  #size-cells 2\n  ranges\n  phandle 1\n"

Test(arm64_fdt, gicv3)
{
    struct virt_inventory has = full();
    make(&has);
    expect("/intc@8000000", INTC "  compatible \"arm,gic-v3\"\n"
                                 "  #redistributor-regions 1\n"
                                 "  reg 0 8000000 0 10000 0 80a0000 0 f60000\n"
                                 "/intc@8000000/its@8080000\n"
                                 "  compatible \"arm,gic-v3-its\"\n"
                                 "  msi-controller\n"
                                 "  #msi-cells 1\n"
                                 "  reg 0 8080000 0 20000\n"
                                 "  phandle 2\n");
    has.its = false;
    make(&has);
    cr_expect(!has_node("/intc@8000000/its@8080000"));
    cr_expect_null(fdt_getprop(blob, fdt_path_offset(blob, "/pcie@10000000"), "msi-map", NULL));
}

Test(arm64_fdt, gicv2)
{
    struct virt_inventory has = full();
    has.gic = 2;
    has.its = false;
    make(&has);
    expect("/intc@8000000", INTC "  compatible \"arm,cortex-a15-gic\"\n"
                                 "  reg 0 8000000 0 10000 0 8010000 0 10000\n");
    expect("/timer", "/timer\n"
                     "  compatible \"arm,armv8-timer\" \"arm,armv7-timer\"\n"
                     "  always-on\n"
                     "  interrupts 1 d 304 1 e 304 1 b 304 1 a 304\n");
    expect("/pmu", "/pmu\n"
                   "  compatible \"arm,armv8-pmuv3\"\n"
                   "  interrupts 1 7 304\n");
    has.pmu = false;
    make(&has);
    cr_expect(!has_node("/pmu"));
}

Test(arm64_fdt, built_in_devices)
{
    const struct virt_inventory has = full();
    make(&has);
    expect("/apb-pclk", "/apb-pclk\n"
                        "  compatible \"fixed-clock\"\n"
                        "  #clock-cells 0\n"
                        "  clock-frequency 16e3600\n"
                        "  clock-output-names \"clk24mhz\"\n"
                        "  phandle 3\n");
    expect("/pl011@9000000", "/pl011@9000000\n"
                             "  compatible \"arm,pl011\" \"arm,primecell\"\n"
                             "  reg 0 9000000 0 1000\n"
                             "  interrupts 0 1 4\n"
                             "  clocks 3 3\n"
                             "  clock-names \"uartclk\" \"apb_pclk\"\n");
    expect("/pl031@9010000", "/pl031@9010000\n"
                             "  compatible \"arm,pl031\" \"arm,primecell\"\n"
                             "  reg 0 9010000 0 1000\n"
                             "  interrupts 0 2 4\n"
                             "  clocks 3\n"
                             "  clock-names \"apb_pclk\"\n");
}

Test(arm64_fdt, plugged_devices)
{
    struct virt_inventory has = full();
    make(&has);
    expect("/virtio_mmio@a000000", "/virtio_mmio@a000000\n"
                                   "  compatible \"virtio,mmio\"\n"
                                   "  reg 0 a000000 0 200\n"
                                   "  interrupts 0 10 1\n"
                                   "  dma-coherent\n");
    expect("/virtio_mmio@a000200", "/virtio_mmio@a000200\n"
                                   "  compatible \"virtio,mmio\"\n"
                                   "  reg 0 a000200 0 200\n"
                                   "  interrupts 0 11 1\n"
                                   "  dma-coherent\n");
    expect("/pvpanic@c000000", "/pvpanic@c000000\n"
                               "  compatible \"qemu,pvpanic-mmio\"\n"
                               "  reg 0 c000000 0 1\n"
                               "  interrupts 0 70 4\n"
                               "  dma-coherent\n");
    expect("/edu@c100000", "/edu@c100000\n"
                           "  compatible \"vmm,edu\"\n"
                           "  reg 0 c100000 0 100000\n"
                           "  interrupts 0 71 4\n"
                           "  dma-coherent\n");
    has.virtio_count = has.platform_count = 0;
    make(&has);
    cr_expect(!has_node("/virtio_mmio@a000000"));
    cr_expect(!has_node("/pvpanic@c000000"));
}

Test(arm64_fdt, pci)
{
    struct virt_inventory has = full();
    make(&has);
    expect(
        "/pcie@10000000",
        "/pcie@10000000\n"
        "  compatible \"pci-host-ecam-generic\"\n"
        "  device_type \"pci\"\n"
        "  #address-cells 3\n"
        "  #size-cells 2\n"
        "  #interrupt-cells 1\n"
        "  linux,pci-domain 0\n"
        "  bus-range 0 0\n"
        "  dma-coherent\n"
        "  reg 0 3f000000 0 100000\n"
        "  ranges"
        " 1000000 0 0 0 3eff0000 0 10000"
        " 2000000 0 10000000 0 10000000 0 2eff0000"
        " 3000000 8 0 8 0 8 0\n"
        "  interrupt-map-mask 1800 0 0 7\n"
        "  interrupt-map"
        " 0 0 0 1 1 0 0 0 3 4 0 0 0 2 1 0 0 0 4 4 0 0 0 3 1 0 0 0 5 4 0 0 0 4 1 0 0 0 6 4"
        " 800 0 0 1 1 0 0 0 4 4 800 0 0 2 1 0 0 0 5 4 800 0 0 3 1 0 0 0 6 4 800 0 0 4 1 0 0 0 3 4"
        " 1000 0 0 1 1 0 0 0 5 4 1000 0 0 2 1 0 0 0 6 4 1000 0 0 3 1 0 0 0 3 4"
        " 1000 0 0 4 1 0 0 0 4 4"
        " 1800 0 0 1 1 0 0 0 6 4 1800 0 0 2 1 0 0 0 3 4 1800 0 0 3 1 0 0 0 4 4"
        " 1800 0 0 4 1 0 0 0 5 4\n"
        "  msi-map 0 2 0 10000\n");
    has.pci.mem64_size = 0;
    make(&has);
    int len;
    fdt_getprop(blob, fdt_path_offset(blob, "/pcie@10000000"), "ranges", &len);
    cr_expect_eq(len, 2 * 7 * 4, "two windows");
    has.pci = (struct pci_windows){0};
    make(&has);
    cr_expect(!has_node("/pcie@10000000"));
}

/* --- dtc ---------------------------------------------------------------------------- */

static void expect_silent(unsigned gic, const char *command)
{
    char line[256] = "";
    FILE *dtc = popen(command, "r");
    cr_assert_not_null(dtc);
    cr_expect_null(fgets(line, sizeof(line), dtc), "GICv%u: %s: %s", gic, command, line);
    cr_expect_eq(pclose(dtc), 0);
}

/* It finds nothing to complain of, neither in the tree nor in the source it makes of it. But for a
 * clock it wants a name, and the source has the phandle's number: a compiled tree has no names. */
Test(arm64_fdt, dtc_is_content)
{
    if (system("dtc --version >/dev/null 2>&1") != 0) {
        cr_skip_test("dtc is not installed");
    }
    const struct tree_chosen chosen = {.bootargs = "console=ttyAMA0", .initrd_size = 1};
    for (unsigned gic = 2; gic <= 3; gic++) {
        struct virt_inventory has = full();
        char command[160];
        struct memory_file file;
        has.gic = gic;
        has.its = gic == 3;
        make(&has);
        cr_assert_eq(tree_choose(blob, &chosen, &e), 0, "%s", e.what);
        memory_file_init(&file, blob, tree_size(blob));
        snprintf(command, sizeof(command), "dtc -I dtb -O dtb -o /dev/null /proc/%d/fd/%d 2>&1",
                 getpid(), file.fd);
        expect_silent(gic, command);
        snprintf(command, sizeof(command),
                 "dtc -I dtb -O dts /proc/%d/fd/%d |"
                 "dtc -I dts -O dtb -W no-clocks_property -o /dev/null 2>&1",
                 getpid(), file.fd);
        expect_silent(gic, command);
        memory_file_close(&file);
    }
}
