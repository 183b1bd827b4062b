/*
 * --cpu host,hyperv=on: CPUID leaves, and a vCPU's registers.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"
#include "src/arch/x86/hyperv.h"
#include "src/boot/boot.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#define LEAVES_MAX 256
#define VCPU_FD    7

static struct fake_kvm f;
static struct err e;
static int missing_cap;
static struct cpu_model *model;
static char calls[1000]; /* on the vCPU */
static struct {
    struct kvm_cpuid2 c;
    struct kvm_cpuid_entry2 room[LEAVES_MAX];
} seen;

static void fill(struct kvm_cpuid2 *c, const struct kvm_cpuid_entry2 *leaves, uint32_t count)
{
    memcpy(c->entries, leaves, count * sizeof(*leaves));
    c->nent = count;
}

static int supported(struct kvm_cpuid2 *c)
{
    static const struct kvm_cpuid_entry2 leaves[] = {
        {.function = 0, .eax = 1},
        {.function = 1, .edx = 1},
        {.function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b},
        {.function = 0x40000001, .eax = 0x01007efb},
    };
    fill(c, leaves, 4);
    return 0;
}

static int supported_hv(struct kvm_cpuid2 *c)
{
    static const struct kvm_cpuid_entry2 leaves[] = {
        {.function = 0x40000000, .eax = 0x40000082, .ebx = 0x756e694c},
        {.function = 0x40000001, .eax = 0x31237648},
        {.function = 0x40000002, .eax = 0x3839},
        {.function = 0x40000003, .eax = 0xffff, .ebx = UINT32_MAX, .edx = UINT32_MAX},
        {.function = 0x40000004, .eax = UINT32_MAX, .ebx = 0xfff},
        {.function = 0x40000005, .eax = 1024, .ebx = 64},
        {.function = 0x4000000a, .eax = 1},
        {.function = 0x40000080, .eax = 0x40000082},
        {.function = 0x40000082, .eax = 1},
    };
    if (c->nent < 9) {
        return -E2BIG;
    }
    fill(c, leaves, 9);
    return 0;
}

static void note_msrs(const struct kvm_msrs *list)
{
    for (uint32_t i = 0; i < list->nmsrs; i++) {
        const size_t used = strlen(calls);
        if (list->entries[i].index >> 16 == 0x4000) {
            snprintf(calls + used, sizeof(calls) - used, "%x=%llx;", list->entries[i].index & 0xfff,
                     (unsigned long long)list->entries[i].data);
        }
    }
}

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    switch (request) {
    case KVM_CHECK_EXTENSION:
        return (int)(intptr_t)arg != missing_cap;
    case KVM_GET_SUPPORTED_CPUID:
        return supported(arg);
    case KVM_GET_SUPPORTED_HV_CPUID:
        return supported_hv(arg);
    case KVM_SET_CPUID2:
        memcpy(&seen, arg,
               sizeof(seen.c) + ((struct kvm_cpuid2 *)arg)->nent * sizeof(seen.room[0]));
        return 0;
    case KVM_ENABLE_CAP:
        cr_assert_eq(fd, VCPU_FD);
        cr_assert_eq(((struct kvm_enable_cap *)arg)->cap, KVM_CAP_HYPERV_SYNIC2);
        strcat(calls, "synic;");
        return 0;
    case KVM_SET_MSRS:
        note_msrs(arg);
        return -ENOSYS;
    default:
        return -ENOSYS;
    }
}

static void setup(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    e = ERR_INIT;
    missing_cap = -1;
    calls[0] = '\0';
    model = NULL;
}

static void teardown(void)
{
    cpu_model_free(model);
}

TestSuite(hyperv, .init = setup, .fini = teardown);

static void make_vcpu(const char *spec)
{
    cr_assert_eq(cpu_model_new(&model, &f.kvm, spec, 1, &e), 0, "%s", e.what);
    cr_assert_eq(arch_vcpu_init(&f.kvm, VCPU_FD, 0, model, &e), 0, "%s", e.what);
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t function)
{
    const struct kvm_cpuid_entry2 *found = NULL;
    for (uint32_t i = 0; i < seen.c.nent; i++) {
        if (seen.c.entries[i].function == function) {
            cr_assert_null(found, "leaf %x is there twice", function);
            found = &seen.c.entries[i];
        }
    }
    return found;
}

Test(hyperv, off_means_kvms_leaves_where_they_are)
{
    make_vcpu("host");
    cr_assert_eq(leaf(0x40000000)->ebx, 0x4b4d564b);
    cr_assert_eq(leaf(0x40000001)->eax, 0x01007efb);
    cr_assert_null(leaf(0x40000003));
    cr_assert_str_eq(calls, "", "no controller, no registers");
}

Test(hyperv, on_puts_its_leaves_first_and_kvms_behind)
{
    make_vcpu("host,-kvm_pv_eoi,hyperv=on");
    cr_assert_eq(leaf(0x40000000)->ebx, 0x756e694c);
    cr_assert_eq(leaf(0x40000001)->eax, 0x31237648);
    cr_assert_eq(leaf(0x40000100)->eax, 0x40000101);
    cr_assert_eq(leaf(0x40000100)->ebx, 0x4b4d564b);
    cr_assert_eq(leaf(0x40000101)->eax, 0x01007ebb, "a feature of KVM's was taken away");
    cr_assert_str_eq(calls, "synic;");
}

Test(hyperv, only_what_vmm_keeps_is_promised)
{
    make_vcpu("host,hyperv=on");
    cr_assert_eq(leaf(0x40000000)->eax, 0x40000005);
    cr_assert_eq(leaf(0x40000003)->eax, 0xffff);
    cr_assert_eq(leaf(0x40000003)->ebx, ~(1U << 11 | 1U << 20), "debugging, extended hypercalls");
    cr_assert_eq(leaf(0x40000003)->edx, ~(1U << 1 | 1U << 11), "debugging");
    cr_assert_eq(leaf(0x40000004)->eax, ~(1U << 14), "enlightened VMCS");
    cr_assert_null(leaf(0x4000000a));
    cr_assert_null(leaf(0x40000080));
}

Test(hyperv, a_kvm_without_it_is_named)
{
    missing_cap = KVM_CAP_HYPERV_SYNIC2;
    cr_assert_eq(cpu_model_new(&model, &f.kvm, "host,hyperv=on", 1, &e), -ENOTSUP);
    cr_assert_eq(e.status, EXIT_NO_KVM);
    cr_assert_not_null(strstr(e.what, "KVM_CAP_HYPERV_SYNIC2 (--cpu hyperv=on)"), "%s", e.what);
    cr_assert_eq(cpu_model_new(&model, &f.kvm, "host", 1, &e), 0, "not asked for, not missed");
}

Test(hyperv, kvms_refusals_are_reported)
{
    f.fail_code = -EINVAL;
    f.answer = NULL;
    f.fail_request = KVM_GET_SUPPORTED_HV_CPUID;
    cr_assert_eq(cpu_model_new(&model, &f.kvm, "host,hyperv=on", 1, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, "Hyper-V features"), "%s", e.what);
    f.answer = answer;
    cr_assert_eq(cpu_model_new(&model, &f.kvm, "host,hyperv=on", 1, &e), 0);
    f.answer = NULL;
    f.fail_request = KVM_ENABLE_CAP;
    cr_assert_eq(arch_vcpu_init(&f.kvm, VCPU_FD, 3, model, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, "vCPU 3"), "%s", e.what);
}

Test(hyperv, a_reset_takes_back_what_the_guest_told_kvm)
{
    make_vcpu("host,hyperv=on");
    calls[0] = '\0';
    cr_assert_eq(arch_vcpu_reset(&f.kvm, VCPU_FD, 0, model, &e), 0);
    cr_assert_not_null(strstr(calls, ";82=0;83=0;90=10000;91=10000;"), "%s", calls);
    cr_assert_not_null(strstr(calls, "b0=0;b1=0;"), "%s", calls);
    cr_assert_not_null(strstr(calls, ";21=0;1=0;0=0;"), "%s", calls);
    cr_assert_null(strstr(calls, "synic"), "it stays on");
}
