/*
 * Start states: the three entry modes, waiting processors, local APIC, MSRs.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"
#include "src/arch/x86/regs.h"
#include "src/boot/boot.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

static uint32_t lapic_reg(const struct kvm_lapic_state *l, unsigned offset)
{
    uint32_t value;
    memcpy(&value, &l->regs[offset], sizeof(value));
    return value;
}

Test(regs, general_registers_are_the_entrys)
{
    const struct boot_entry entry = {.ip = 0x100200, .sp = 0x8000, .ax = 1, .bx = 2, .si = 3};
    struct kvm_regs r;
    memset(&r, 0xee, sizeof(r));
    regs_start(&r, &entry);
    cr_assert(r.rip == 0x100200 && r.rsp == 0x8000 && r.rax == 1 && r.rbx == 2 && r.rsi == 3);
    cr_assert(r.rcx == 0 && r.rdx == 0 && r.rdi == 0 && r.rbp == 0 && r.r15 == 0);
    cr_assert_eq(r.rflags, 2);
}

Test(regs, real_mode_starts_at_segment_zero)
{
    const struct boot_entry entry = {.mode = BOOT_REAL16, .ip = 0x7c00};
    struct kvm_sregs s;
    sregs_start(&s, &entry, 0);
    cr_assert_eq(s.cr0, 0x10);
    cr_assert_eq(s.efer, 0);
    cr_assert(s.cs.base == 0 && s.cs.selector == 0 && s.cs.limit == 0xffff);
    cr_assert(s.cs.type == 0xb && s.cs.s == 1 && s.cs.present == 1 && s.cs.db == 0);
    cr_assert(s.ss.type == 3 && s.ss.limit == 0xffff);
    cr_assert_eq(s.idt.limit, 0x3ff);
}

Test(regs, real_mode_starts_in_the_segment_asked_for)
{
    const struct boot_entry entry = {.mode = BOOT_REAL16, .cs = 0x9a01, .ip = 0xc};
    struct kvm_sregs s;
    sregs_start(&s, &entry, 0);
    cr_assert(s.cs.base == 0x9a010 && s.cs.selector == 0x9a01 && s.cs.limit == 0xffff);
    cr_assert(s.ds.base == 0 && s.ds.selector == 0);
}

Test(regs, protected_mode_is_flat_without_paging)
{
    const struct boot_entry entry = {.mode = BOOT_PROT32, .gdt = 0x500, .gdt_limit = 0x27};
    struct kvm_sregs s;
    sregs_start(&s, &entry, 0);
    cr_assert_eq(s.cr0, 0x11);
    cr_assert_eq(s.cr4, 0);
    cr_assert(s.cs.selector == 0x10 && s.cs.limit == UINT32_MAX && s.cs.g && s.cs.db && !s.cs.l);
    cr_assert(s.ds.selector == 0x18 && s.es.selector == 0x18 && s.ss.selector == 0x18);
    cr_assert(s.ds.type == 3 && s.ds.g && s.ds.db);
    cr_assert(s.tr.selector == 0x20 && s.tr.type == 0xb && s.tr.s == 0 && s.tr.limit == 0x67);
    cr_assert(s.gdt.base == 0x500 && s.gdt.limit == 0x27);
}

Test(regs, long_mode_has_paging_on)
{
    const struct boot_entry entry = {.mode = BOOT_LONG64, .cr3 = 0x9000, .gdt = 0x500};
    struct kvm_sregs s;
    sregs_start(&s, &entry, 0);
    cr_assert_eq(s.cr0, 0x80010033);
    cr_assert_eq(s.cr3, 0x9000);
    cr_assert_eq(s.cr4, 0x20);
    cr_assert_eq(s.efer, 0x500);
    cr_assert(s.cs.l && !s.cs.db && s.cs.type == 0xb);
}

Test(regs, only_the_first_processor_is_the_boot_processor)
{
    struct kvm_sregs s;
    const struct boot_entry entry = {.mode = BOOT_REAL16};
    sregs_start(&s, &entry, 0);
    cr_assert_eq(s.apic_base, 0xfee00900);
    sregs_start(&s, NULL, 1);
    cr_assert_eq(s.apic_base, 0xfee00800);
    cr_assert(s.cs.base == 0xffff0000 && s.cs.selector == 0xf000);
}

Test(regs, local_apic_is_in_virtual_wire_mode_on_the_boot_processor)
{
    struct kvm_lapic_state l;
    lapic_start(&l, 0, 0x50014);
    cr_assert_eq(lapic_reg(&l, 0x30), 0x50014);
    cr_assert_eq(lapic_reg(&l, 0x350), 0x700);
    cr_assert_eq(lapic_reg(&l, 0x360), 0x400);
    cr_assert_eq(lapic_reg(&l, 0x320), 0x10000);
    cr_assert_eq(lapic_reg(&l, 0xf0), 0xff);
    lapic_start(&l, 5, 0x50014);
    cr_assert_eq(lapic_reg(&l, 0x20), 5U << 24);
    cr_assert_eq(lapic_reg(&l, 0x350), 0x10000);
    cr_assert_eq(lapic_reg(&l, 0x360), 0x10000);
}

/* --- MSRs ------------------------------------------------------------- */

struct msr_log {
    uint32_t refuse[2];
    uint64_t mtrr_default;
    unsigned taken;
    bool saw_last;
};

static bool is_refused(const struct msr_log *log, uint32_t index)
{
    return index == log->refuse[0] || index == log->refuse[1];
}

static int take_msrs(struct fake_kvm *f, int fd, unsigned long request, void *arg)
{
    struct msr_log *log = f->opaque;
    const struct kvm_msrs *msrs = arg;
    (void)fd;
    if (request != KVM_SET_MSRS) {
        return -ENOSYS;
    }
    for (uint32_t i = 0; i < msrs->nmsrs; i++) {
        if (is_refused(log, msrs->entries[i].index)) {
            return (int)i;
        }
        log->taken++;
        if (msrs->entries[i].index == 0x2ff) {
            log->mtrr_default = msrs->entries[i].data;
        }
        log->saw_last |= msrs->entries[i].index == 0xc0000103;
    }
    return (int)msrs->nmsrs;
}

Test(regs, refused_msrs_are_skipped_one_by_one)
{
    struct fake_kvm f;
    struct msr_log all = {0};
    struct msr_log some = {.refuse = {0x11, 0x6e0}};
    fake_kvm_init(&f);
    f.answer = take_msrs;
    f.opaque = &all;
    cr_assert_eq(msrs_start(&f.kvm, 3), 0);
    f.opaque = &some;
    cr_assert_eq(msrs_start(&f.kvm, 3), 0);
    cr_assert_eq(all.mtrr_default, 0x806);
    cr_assert_eq(some.taken, all.taken - 2);
    cr_assert(some.saw_last);
}

Test(regs, a_refused_last_msr_ends_the_list)
{
    struct fake_kvm f;
    struct msr_log log = {.refuse = {0xc0000103}};
    fake_kvm_init(&f);
    f.answer = take_msrs;
    f.opaque = &log;
    cr_assert_eq(msrs_start(&f.kvm, 3), 0);
    cr_assert_eq(log.mtrr_default, 0x806);
}

Test(regs, kvms_error_is_passed_on_with_the_vcpu)
{
    struct fake_kvm f;
    struct err e = ERR_INIT;
    fake_kvm_init(&f);
    f.fail_request = KVM_SET_LAPIC;
    f.fail_code = -EINVAL;
    cr_assert_eq(arch_vcpu_reset(&f.kvm, 3, 7, NULL, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, "vCPU 7"));
}
