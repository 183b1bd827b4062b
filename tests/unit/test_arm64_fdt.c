/*
 * The virt machine's device tree: every node and property against what the bindings and QEMU's
 * virt say, written down here once more as text; /chosen; trees from files.
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
        .pci = true,
        .pci_mem64 = 0x800000000,
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
    has.pci_mem64 = 0;
    make(&has);
    int len;
    fdt_getprop(blob, fdt_path_offset(blob, "/pcie@10000000"), "ranges", &len);
    cr_expect_eq(len, 2 * 7 * 4, "two windows");
    has.pci = false;
    make(&has);
    cr_expect(!has_node("/pcie@10000000"));
}

/* --- /chosen ------------------------------------------------------------------------ */

static const char *chosen_string(const char *name)
{
    return fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), name, NULL);
}

static uint64_t chosen_u64(const char *name)
{
    int len;
    const void *at = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), name, &len);
    cr_assert(at != NULL && len == 8, "%s", name);
    return fdt64_ld(at);
}

static void choose(const struct tree_chosen *c)
{
    cr_assert_eq(tree_choose(blob, c, &e), 0, "%s", e.what);
    cr_assert_eq(fdt_check_full(blob, tree_size(blob)), 0);
}

Test(arm64_fdt, chosen)
{
    const struct virt_inventory has = full();
    struct tree_chosen c = {
        .bootargs = "console=ttyAMA0 a=b", .initrd = 0x148000000, .initrd_size = 0x1234};
    uint8_t rng[32];
    int len;
    make(&has);
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "console=ttyAMA0 a=b");
    cr_expect_str_eq(chosen_string("stdout-path"), "/pl011@9000000");
    cr_expect_eq(chosen_u64("linux,initrd-start"), 0x148000000);
    cr_expect_eq(chosen_u64("linux,initrd-end"), 0x148001234);
    const uint64_t kaslr = chosen_u64("kaslr-seed");
    const void *seed = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "rng-seed", &len);
    cr_assert_eq(len, 32);
    memcpy(rng, seed, 32);

    c = (struct tree_chosen){.bootargs = "other", .keep_bootargs = true};
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "console=ttyAMA0 a=b");
    cr_expect_null(chosen_string("linux,initrd-start"));
    cr_expect_null(chosen_string("linux,initrd-end"));
    cr_expect_neq(chosen_u64("kaslr-seed"), kaslr, "fresh");
    cr_expect_arr_neq(chosen_string("rng-seed"), rng, 32);
    c.keep_bootargs = false;
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "other");
}

Test(arm64_fdt, a_tree_without_chosen_gets_it)
{
    const struct virt_inventory has = full();
    const struct tree_chosen c = {.bootargs = "args", .keep_bootargs = true};
    make(&has);
    cr_assert_eq(fdt_del_node(blob, fdt_path_offset(blob, "/chosen")), 0);
    choose(&c);
    cr_expect_str_eq(chosen_string("bootargs"), "args");
}

Test(arm64_fdt, a_command_line_too_long_for_any_tree)
{
    const struct virt_inventory has = full();
    char *line = malloc(TREE_MAX + 1);
    memset(line, 'x', TREE_MAX);
    line[TREE_MAX] = '\0';
    make(&has);
    cr_expect_lt(tree_choose(blob, &(struct tree_chosen){.bootargs = line}, &e), 0);
    cr_expect_not_null(strstr(e.what, "FDT_ERR_NOSPACE"));
    free(line);
}

/* --- files ------------------------------------------------------------------------------ */

static void expect_refused(const char *path, const char *text)
{
    void *read = NULL;
    e = ERR_INIT;
    cr_expect_lt(tree_read(path, &read, &e), 0);
    cr_expect_not_null(strstr(e.what, text), "wanted \"%s\" in \"%s\"", text, e.what);
    cr_expect_not_null(strstr(e.what, path));
}

Test(arm64_fdt, a_tree_goes_to_a_file_and_back)
{
    const struct virt_inventory has = full();
    struct memory_file file;
    void *read = NULL;
    make(&has);
    memory_file_init(&file, "", 0);
    cr_assert_eq(tree_write(blob, file.path, &e), 0, "%s", e.what);
    cr_assert_eq(tree_read(file.path, &read, &e), 0, "%s", e.what);
    cr_expect_eq(tree_size(read), tree_size(blob));
    cr_expect_arr_eq(read, blob, tree_size(blob));
    free(read);
    for (size_t len = 0; len < tree_size(blob); len += len < 64 ? 1 : 37) {
        memory_file_set(&file, blob, len);
        expect_refused(file.path, "is none, or damaged");
    }
    memory_file_close(&file);
    cr_expect_lt(tree_write(blob, "/nonexistent/tree", &e), 0);
    cr_expect_not_null(strstr(e.what, "/nonexistent/tree, No such file"));
}

Test(arm64_fdt, files_that_are_no_trees)
{
    struct memory_file file;
    char *large = calloc(1, TREE_MAX);
    memory_file_init(&file, "/dts-v1/; / { };", 16);
    expect_refused(file.path, "is none, or damaged");
    memory_file_set(&file, large, TREE_MAX);
    expect_refused(file.path, "2 MiB or more");
    memory_file_close(&file);
    free(large);
    expect_refused("/nonexistent/tree", "No such file");
    expect_refused("/proc", "Is a directory");
}

/* The same structure whatever bits are damaged: refused, or a tree that can be walked. */
Test(arm64_fdt, damaged_trees)
{
    const struct virt_inventory has = full();
    const struct tree_chosen c = {.bootargs = "args", .initrd = 1, .initrd_size = 1};
    struct memory_file file;
    uint64_t rng = 1;
    make(&has);
    const size_t size = tree_size(blob);
    uint8_t *bytes = malloc(size);
    memory_file_init(&file, "", 0);
    for (unsigned i = 0; i < 1000; i++) {
        void *read = NULL;
        memcpy(bytes, blob, size);
        for (unsigned n = 0; n < 2; n++) {
            rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[(rng >> 33) % (n == 0 ? 64 : size)] = (uint8_t)(rng >> 56);
        }
        memory_file_set(&file, bytes, size);
        if (tree_read(file.path, &read, &e) == 0) {
            tree_choose(read, &c, &e);
            free(read);
        }
    }
    memory_file_close(&file);
    free(bytes);
}

/* dtc finds nothing to complain of. */
Test(arm64_fdt, dtc_is_content)
{
    if (system("command -v dtc >/dev/null") != 0) {
        cr_skip_test("dtc is not installed");
    }
    for (unsigned gic = 2; gic <= 3; gic++) {
        struct virt_inventory has = full();
        char command[128], line[256] = "";
        struct memory_file file;
        has.gic = gic;
        has.its = gic == 3;
        make(&has);
        choose(&(struct tree_chosen){.bootargs = "console=ttyAMA0", .initrd_size = 1});
        memory_file_init(&file, blob, tree_size(blob));
        snprintf(command, sizeof(command), "dtc -I dtb -O dts -o /dev/null /proc/%d/fd/%d 2>&1",
                 getpid(), file.fd);
        FILE *dtc = popen(command, "r");
        cr_assert_not_null(dtc);
        cr_expect_null(fgets(line, sizeof(line), dtc), "GICv%u: %s", gic, line);
        cr_expect_eq(pclose(dtc), 0);
        memory_file_close(&file);
    }
}
