/*
 * CPUID of a snapshot against a host's: what differs is named.
 */
#include "src/arch/x86/cpuid.h"
#include "src/base/pack.h"

#include <criterion/criterion.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

struct table {
    struct kvm_cpuid2 c;
    struct kvm_cpuid_entry2 room[4];
};

static struct table sample(void)
{
    struct table t = {.c.nent = 3};
    t.room[0] = (struct kvm_cpuid_entry2){.function = 1, .edx = 1, .ecx = 1U << 19};
    t.room[1] = (struct kvm_cpuid_entry2){.function = 7, .ebx = 1U << 5};
    t.room[2] = (struct kvm_cpuid_entry2){.function = 0x80000002, .eax = 0x6c65746e};
    return t;
}

static int compare(const struct table *saved, const struct table *here, struct err *e)
{
    return cpuid_compare(&saved->c, &here->c, e);
}

Test(cpuid_compare, the_same_in_another_order_is_the_same)
{
    struct err e = ERR_INIT;
    struct table a = sample(), b = sample();
    b.room[0] = a.room[1];
    b.room[1] = a.room[0];
    b.c.nent = 4; /* a leaf of zeros says nothing */
    b.room[3] = (struct kvm_cpuid_entry2){.function = 0x15};
    cr_expect_eq(compare(&a, &b, &e), 0, "%s", e.what);
}

Test(cpuid_compare, features_are_named_both_ways)
{
    struct err e = ERR_INIT;
    struct table a = sample(), b = sample();
    b.room[1].ebx = 1U << 18;
    b.room[0].ecx = 0;
    cr_expect_lt(compare(&a, &b, &e), 0);
    cr_expect_str_eq(e.what,
                     "the CPU is another: this host's lacks sse4_1, avx2 and has also rdseed");
    cr_expect_lt(compare(&b, &a, &e), 0);
    cr_expect_str_eq(e.what,
                     "the CPU is another: this host's lacks rdseed and has also sse4_1, avx2");
    cr_expect(strstr(e.hint, "--cpu host,-FEATURE") != NULL);
}

Test(cpuid_compare, what_has_no_name_is_a_leaf)
{
    struct err e = ERR_INIT;
    struct table a = sample(), b = sample();
    b.room[2].eax++;
    cr_expect_lt(compare(&a, &b, &e), 0);
    cr_expect_str_eq(e.what, "the CPU is another: it differs in CPUID leaf 0x80000002");
    b = sample();
    b.c.nent = 2;
    cr_expect_lt(compare(&a, &b, &e), 0);
    cr_expect_lt(compare(&b, &a, &e), 0);
}

Test(cpuid_compare, records_come_back_and_lies_about_their_length_do_not)
{
    struct err e = ERR_INIT;
    struct table a = sample();
    struct pack p = {0};
    cpuid_save(&a.c, &p);
    struct unpack u = {.data = p.data, .len = p.len};
    struct kvm_cpuid2 *back = cpuid_load(&u);
    cr_assert_not_null(back);
    cr_expect(unpack_done(&u));
    cr_expect_eq(cpuid_compare(&a.c, back, &e), 0);
    free(back);
    memset(p.data, 0xff, 4);
    u = (struct unpack){.data = p.data, .len = p.len};
    cr_expect_null(cpuid_load(&u));
    cr_expect(u.failed);
    pack_free(&p);
}
