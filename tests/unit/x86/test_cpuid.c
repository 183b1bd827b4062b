/*
 * CPUID: topology for any number of CPUs, and --cpu.
 */
#include "src/arch/x86/cpuid.h"

#include "src/arch/cpu_spec.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define LEAVES_MAX 32

static union {
    struct kvm_cpuid2 c;
    uint8_t room[sizeof(struct kvm_cpuid2) + LEAVES_MAX * sizeof(struct kvm_cpuid_entry2)];
} table;
static struct err e;

static void add(uint32_t leaf, uint32_t index, uint32_t eax, uint32_t ebx, uint32_t ecx,
                uint32_t edx)
{
    cr_assert_lt(table.c.nent, LEAVES_MAX);
    table.c.entries[table.c.nent++] = (struct kvm_cpuid_entry2){
        .function = leaf, .index = index, .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx};
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
    for (uint32_t i = 0; i < table.c.nent; i++) {
        if (table.c.entries[i].function == function && table.c.entries[i].index == index) {
            return &table.c.entries[i];
        }
    }
    cr_assert_fail("no leaf %x.%u", function, index);
    return NULL;
}

/* A host processor with 32 logical CPUs that shows its own topology. */
static void setup_intel(void)
{
    memset(&table, 0, sizeof(table));
    e = ERR_INIT;
    add(0, 0, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69);
    add(1, 0, 0x000306f2, 0x1f200800, 1U << 3 | 1U << 28, 1U << 28 | 1);
    add(4, 0, 0xfc004121, 0x01c0003f, 0x3f, 0);
    add(4, 2, 0xfc01c163, 0x03c0003f, 0xfff, 0);
    add(4, 3, 0, 0, 0, 0);
    add(7, 0, 0, 1U << 5, 0, 0);
    add(0xa, 0, 0x08300805, 0, 0xf, 0x603);
    add(0xb, 0, 1, 2, 0x100, 0x1f);
    add(0xb, 1, 5, 32, 0x201, 0x1f);
    add(0x1f, 0, 1, 2, 0x100, 0x1f);
    add(0x80000001, 0, 0, 0, 1, 1U << 29);
    add(0x80000008, 0, 0x3027, 0, 0, 0);
}

static void setup_amd(void)
{
    memset(&table, 0, sizeof(table));
    e = ERR_INIT;
    add(0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
    add(1, 0, 0x00a10f11, 0x05200800, 0, 1U << 28);
    add(0xb, 0, 1, 2, 0x100, 5);
    add(0x80000001, 0, 0, 0, 2, 0);
    add(0x80000008, 0, 0x3030, 0, 0x701f, 0);
    add(0x8000001d, 3, 0x0003c163, 0, 0, 0);
    add(0x8000001e, 0, 5, 0x102, 0x300, 0);
}

TestSuite(cpuid_intel, .init = setup_intel);
TestSuite(cpuid_amd, .init = setup_amd);

Test(cpuid_intel, one_cpu_has_no_neighbours)
{
    cpuid_prepare(&table.c, 1, true);
    cpuid_set_index(&table.c, 0);
    cr_assert_eq(leaf(1, 0)->ebx, 0x00010800);
    cr_assert_eq(leaf(1, 0)->edx, 1);
    cr_assert_eq(leaf(4, 2)->eax, 0x00000163);
    cr_assert_eq(leaf(0xb, 0)->eax, 0);
    cr_assert_eq(leaf(0xb, 1)->eax, 0);
    cr_assert_eq(leaf(0xb, 1)->ebx, 1);
}

Test(cpuid_intel, what_the_hypervisor_adds_and_hides)
{
    cpuid_prepare(&table.c, 1, true);
    uint32_t kept = 1U << 28;
    cr_assert_eq(leaf(1, 0)->ecx, kept | 1U << 21 | 1U << 24 | 1U << 31);
    cr_assert_eq(leaf(0xa, 0)->eax, 0);
    cr_assert_eq(leaf(0xa, 0)->edx, 0);
    setup_intel();
    cpuid_prepare(&table.c, 1, false);
    cr_assert_eq(leaf(1, 0)->ecx, kept | 1U << 21 | 1U << 31);
}

Test(cpuid_intel, three_cpus_take_two_bits_of_id)
{
    cpuid_prepare(&table.c, 3, true);
    cpuid_set_index(&table.c, 2);
    cr_assert_eq(leaf(1, 0)->ebx, 0x02040800);
    cr_assert_eq(leaf(1, 0)->edx, 1U << 28 | 1);
    /* L1 is private, L3 shared by 4 ids; 4 core ids in the package. */
    cr_assert_eq(leaf(4, 0)->eax, 0x0c000121);
    cr_assert_eq(leaf(4, 2)->eax, 0x0c00c163, "%x", leaf(4, 2)->eax);
    cr_assert_eq(leaf(4, 3)->eax, 0);
    for (uint32_t f = 0xb; f <= 0x1f; f += 0x14) {
        cr_assert_eq(leaf(f, 0)->ecx, 0x100);
        cr_assert_eq(leaf(f, 0)->ebx, 1);
        cr_assert_eq(leaf(f, 1)->eax, 2);
        cr_assert_eq(leaf(f, 1)->ebx, 3);
        cr_assert_eq(leaf(f, 1)->ecx, 0x201);
        cr_assert_eq(leaf(f, 2)->ecx, 2);
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert_eq(leaf(f, i)->edx, 2);
            cr_assert_eq(leaf(f, i)->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
        }
    }
}

Test(cpuid_intel, ids_beyond_a_byte_are_in_the_x2apic_leaf)
{
    cpuid_prepare(&table.c, 1000, true);
    cpuid_set_index(&table.c, 999);
    cr_assert_eq(leaf(1, 0)->ebx >> 24, 999 & 0xff);
    cr_assert_eq(leaf(1, 0)->ebx >> 16 & 0xff, 255);
    cr_assert_eq(leaf(0xb, 1)->eax, 10);
    cr_assert_eq(leaf(0xb, 1)->edx, 999);
    cr_assert_eq(leaf(4, 2)->eax >> 26, 63);
    cr_assert_eq(leaf(4, 2)->eax >> 14 & 0xfff, 1023);
}

Test(cpuid_intel, a_processor_without_the_leaf_gets_none)
{
    table.c.entries[0].eax = 0xd;
    cpuid_prepare(&table.c, 2, true);
    cpuid_set_index(&table.c, 1);
    cr_assert_eq(leaf(0xb, 1)->ebx, 2);
    for (uint32_t i = 0; i < table.c.nent; i++) {
        cr_assert_neq(table.c.entries[i].function, 0x1f);
    }
}

Test(cpuid_intel, amd_only_fields_stay_zero)
{
    cpuid_prepare(&table.c, 4, true);
    cr_assert_eq(leaf(0x80000008, 0)->ecx, 0);
    cr_assert_eq(leaf(0x80000008, 0)->eax, 0x3027);
    cr_assert_eq(leaf(0x80000001, 0)->ecx, 1);
}

Test(cpuid_amd, four_cpus)
{
    cpuid_prepare(&table.c, 4, true);
    cpuid_set_index(&table.c, 3);
    cr_assert_eq(leaf(0x80000008, 0)->ecx, 0x2003);
    cr_assert_eq(leaf(0x80000001, 0)->ecx, 2);
    cr_assert_eq(leaf(0x8000001d, 3)->eax, 0x0000c163);
    cr_assert_eq(leaf(0x8000001e, 0)->eax, 3);
    cr_assert_eq(leaf(0x8000001e, 0)->ebx, 3);
    cr_assert_eq(leaf(0x8000001e, 0)->ecx, 0);
}

Test(cpuid_amd, one_cpu_is_not_many)
{
    cpuid_prepare(&table.c, 1, true);
    cr_assert_eq(leaf(0x80000001, 0)->ecx, 0);
    cr_assert_eq(leaf(0x80000008, 0)->ecx, 0);
}

Test(cpuid_amd, id_bits)
{
    cr_assert_eq(cpuid_id_bits(1), 0);
    cr_assert_eq(cpuid_id_bits(2), 1);
    cr_assert_eq(cpuid_id_bits(3), 2);
    cr_assert_eq(cpuid_id_bits(4), 2);
    cr_assert_eq(cpuid_id_bits(1024), 10);
}

/* --- --cpu ------------------------------------------------------------ */

Test(cpuid_intel, host_changes_nothing)
{
    uint8_t before[sizeof(table)];
    memcpy(before, &table, sizeof(table));
    cr_assert_eq(cpuid_apply_spec(&table.c, NULL, &e), 0);
    cr_assert_eq(cpuid_apply_spec(&table.c, "host", &e), 0);
    cr_assert_eq(memcmp(before, &table, sizeof(table)), 0);
}

Test(cpuid_intel, features_are_taken_away_by_name)
{
    cr_assert_eq(cpuid_apply_spec(&table.c, "host,-avx2,-lm,-fpu", &e), 0);
    cr_assert_eq(leaf(7, 0)->ebx, 0);
    cr_assert_eq(leaf(0x80000001, 0)->edx, 0);
    cr_assert_eq(leaf(1, 0)->edx, 1U << 28);
}

Test(cpuid_intel, taking_away_what_is_not_there_is_no_error)
{
    cr_assert_eq(cpuid_apply_spec(&table.c, "host,-svm,-sev_es", &e), 0);
}

Test(cpuid_intel, asking_for_what_is_there_is_no_error)
{
    cr_assert_eq(cpuid_apply_spec(&table.c, "host,+avx2", &e), 0);
    cr_assert_eq(leaf(7, 0)->ebx, 1U << 5);
}

Test(cpuid_intel, a_switch_is_no_feature)
{
    uint8_t before[sizeof(table)];
    memcpy(before, &table, sizeof(table));
    cr_assert_eq(cpuid_apply_spec(&table.c, "host,hyperv=on", &e), 0);
    cr_assert_eq(memcmp(before, &table, sizeof(table)), 0);
    cr_assert(cpu_spec_switch("host,-avx2,hyperv=on", "hyperv"));
    cr_assert_not(cpu_spec_switch("host,hyperv=off", "hyperv"));
    cr_assert_not(cpu_spec_switch("host,hyperv=on,hyperv=off", "hyperv"), "the last counts");
    cr_assert_not(cpu_spec_switch("host,-hyperv", "hyperv"));
    cr_assert_not(cpu_spec_switch("host,,", "hyperv"));
    cr_assert_not(cpu_spec_switch(NULL, "hyperv"));
}

static void refused(const char *spec, const char *what, const char *hint)
{
    e = ERR_INIT;
    cr_assert_eq(cpuid_apply_spec(&table.c, spec, &e), -EINVAL, "%s", spec);
    cr_assert_eq(e.status, EXIT_USAGE);
    cr_assert_not_null(strstr(e.what, what), "%s", e.what);
    cr_assert_not_null(strstr(e.hint, hint), "%s", e.hint);
}

Test(cpuid_intel, bad_specs_are_usage_errors)
{
    refused("host,+avx512f", "'avx512f'", "");
    refused("host,+sev", "'sev'", "");
    refused("host,-axv2", "'axv2'", "'avx2'");
    refused("host,-", "''", "/proc/cpuinfo");
    refused("host,avx2", "'avx2'", "--cpu host,-avx512f");
    refused("host,-avx2=on", "'-avx2'", "");
    refused("host,hyperv=maybe", "'maybe'", "");
    refused("host,hyperv", "'hyperv'", "--cpu host,-avx512f");
    refused("host,hyper=on", "'hyper'", "");
    refused("qemu64", "'qemu64'", "host");
    refused("", "", "");
    refused("host,,-avx2", "", "");
}

Test(cpuid_amd, every_name_means_one_bit)
{
    for (size_t w = 0; w < feature_word_count; w++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            const char *name = feature_words[w].names[bit];
            for (size_t i = (w * 32) + bit + 1; name != NULL && i < feature_word_count * 32; i++) {
                const char *other = feature_words[i / 32].names[i % 32];
                cr_assert(other == NULL || strcmp(name, other) != 0, "%s is there twice", name);
            }
        }
    }
}

Test(cpuid_amd, the_hosts_name_fills_only_what_kvm_left_empty)
{
    static const uint32_t host[4] = {1, 2, 3, 4};
    const uint32_t before = table.c.nent;

    add(0x80000006, 0, 7, 0, 0, 0);
    add(0x80000003, 0, 0, 0, 0, 0);
    cpuid_fill(&table.c, 0x80000002, host);
    cpuid_fill(&table.c, 0x80000003, host);
    cpuid_fill(&table.c, 0x80000006, host);
    cr_assert_eq(table.c.nent, before + 3);
    cr_assert_eq(leaf(0x80000002, 0)->edx, 4);
    cr_assert_eq(leaf(0x80000003, 0)->ebx, 2);
    cr_assert_eq(leaf(0x80000006, 0)->eax, 7);
}
