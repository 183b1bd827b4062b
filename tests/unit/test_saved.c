/*
 * State that KVM keeps, in and out: structs, registers by number, registers of a device. The fake
 * KVM has a few of them and keeps what it was asked, in order.
 */
#include "src/kvm/saved.h"
#include "tests/unit/fake_kvm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#define U32(n) ((uint64_t)(n) | KVM_REG_SIZE_U32)
#define U64(n) ((uint64_t)(n) | KVM_REG_SIZE_U64)
#define V(n)   ((uint64_t)(n) | KVM_REG_SIZE_U2048)

enum { FD = 7, REGS = 3, VALUE_SIZE = 256 };

static struct fake_kvm f;
static struct pack out;
static char asked[1024]; /* attributes and registers, "get 1:10;" */
static uint64_t list[REGS];
static uint8_t values[REGS][VALUE_SIZE];
static uint64_t fixed;   /* this register cannot be set */
static uint64_t refused; /* this attribute cannot be had */

static void note(const char *verb, uint64_t what)
{
    const size_t used = strlen(asked);
    snprintf(asked + used, sizeof(asked) - used, "%s %" PRIx64 ";", verb, what);
}

static size_t width(uint64_t id)
{
    return (size_t)1 << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

static uint8_t *value_of(uint64_t id)
{
    for (size_t i = 0; i < REGS; i++) {
        if (list[i] == id) {
            return values[i];
        }
    }
    return NULL;
}

static int one_reg(const struct kvm_one_reg *r, bool set)
{
    uint8_t *value = value_of(r->id);
    note(set ? "set" : "get", r->id & 0xff);
    if (value == NULL || (set && r->id == fixed)) {
        return -EINVAL;
    }
    if (set) {
        memcpy(value, (const void *)(uintptr_t)r->addr, width(r->id));
    } else {
        memcpy((void *)(uintptr_t)r->addr, value, width(r->id));
    }
    return 0;
}

/* Group 8 has 8 bytes, others 4; a register's value is its attribute. */
static int attr(const struct kvm_device_attr *a, bool set)
{
    uint64_t wide = a->attr;
    uint32_t narrow = (uint32_t)a->attr;
    void *value = a->group == 8 ? (void *)&wide : (void *)&narrow;
    const size_t size = a->group == 8 ? sizeof(wide) : sizeof(narrow);
    if (a->attr == refused) {
        return -EBUSY;
    }
    note(set ? "set" : "get", a->attr);
    if (set) {
        wide = narrow = 0;
        memcpy(value, (const void *)(uintptr_t)a->addr, size);
        note("to", a->group == 8 ? wide : narrow);
    } else {
        memcpy((void *)(uintptr_t)a->addr, value, size);
    }
    return 0;
}

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    struct kvm_reg_list *regs = arg;
    (void)fake;
    cr_assert_eq(fd, FD);
    switch (request) {
    case KVM_GET_REG_LIST:
        cr_assert_geq(regs->n, REGS);
        regs->n = REGS;
        memcpy(regs->reg, list, sizeof(list));
        return 0;
    case KVM_GET_ONE_REG:
    case KVM_SET_ONE_REG:
        return one_reg(arg, request == KVM_SET_ONE_REG);
    case KVM_GET_DEVICE_ATTR:
    case KVM_SET_DEVICE_ATTR:
        return attr(arg, request == KVM_SET_DEVICE_ATTR);
    case KVM_GET_MP_STATE:
        *(uint32_t *)arg = 5;
        return 0;
    case KVM_SET_MP_STATE:
        note("mp", *(const uint32_t *)arg);
        return 0;
    default:
        return -ENOSYS;
    }
}

static void start(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    out = (struct pack){0};
    asked[0] = '\0';
    fixed = refused = UINT64_MAX;
    list[0] = U64(1);
    list[1] = U32(2);
    list[2] = V(3);
    memset(values, 0xa5, sizeof(values));
}

static void stop(void)
{
    pack_free(&out);
}

TestSuite(saved, .init = start, .fini = stop);

static struct unpack from(size_t len)
{
    asked[0] = '\0';
    return (struct unpack){.data = out.data, .len = len};
}

/* --- structs ------------------------------------------------------------------- */

Test(saved, a_struct_goes_out_and_in)
{
    struct kvm_mp_state mp = {0};
    cr_assert_eq(save_blob(&f.kvm, FD, KVM_GET_MP_STATE, 3, &mp, sizeof(mp), &out), 0);
    struct unpack in = from(out.len);
    mp.mp_state = 0;
    cr_assert_eq(load_blob(&f.kvm, FD, KVM_SET_MP_STATE, 3, &mp, sizeof(mp), &in), 0);
    cr_expect(unpack_done(&in));
    cr_expect_str_eq(asked, "mp 5;");
}

Test(saved, another_struct_is_not_given_to_kvm)
{
    struct kvm_mp_state mp = {0};
    cr_assert_eq(save_blob(&f.kvm, FD, KVM_GET_MP_STATE, 3, &mp, sizeof(mp), &out), 0);
    struct unpack in = from(out.len);
    cr_expect_eq(load_blob(&f.kvm, FD, KVM_SET_MP_STATE, 4, &mp, sizeof(mp), &in), 0);
    cr_expect(in.failed);
    in = from(out.len - 1);
    cr_expect_eq(load_blob(&f.kvm, FD, KVM_SET_MP_STATE, 3, &mp, sizeof(mp), &in), 0);
    cr_expect(in.failed);
    cr_expect_str_eq(asked, "");
}

/* --- registers of a vCPU ---------------------------------------------------------- */

Test(saved, registers_of_any_width_in_kvms_order)
{
    uint64_t id = 0;
    cr_assert_eq(save_regs(&f.kvm, FD, &out), 0);
    cr_expect_str_eq(asked, "get 1;get 2;get 3;");
    cr_expect_eq(out.len, 4 + 3 * 8 + 8 + 4 + 256);
    memset(values, 0, sizeof(values));
    struct unpack in = from(out.len);
    cr_assert_eq(load_regs(&f.kvm, FD, &in, &id), 0);
    cr_expect(unpack_done(&in));
    cr_expect_str_eq(asked, "set 1;set 2;set 3;");
    cr_expect(values[0][7] == 0xa5 && values[0][8] == 0);
    cr_expect(values[1][3] == 0xa5 && values[1][4] == 0);
    cr_expect(values[2][255] == 0xa5);
}

Test(saved, a_register_that_cannot_be_set_must_be_as_saved)
{
    uint64_t id = 0;
    cr_assert_eq(save_regs(&f.kvm, FD, &out), 0);
    fixed = list[1];
    struct unpack in = from(out.len);
    cr_expect_eq(load_regs(&f.kvm, FD, &in, &id), 0, "it is");
    cr_expect_str_eq(asked, "set 1;set 2;get 2;set 3;");
    values[1][0] = 1;
    in = from(out.len);
    cr_expect_eq(load_regs(&f.kvm, FD, &in, &id), -ENOTSUP);
    cr_expect_eq(id, list[1], "it is named");
    cr_expect_str_eq(asked, "set 1;set 2;get 2;", "nothing after it is set");
}

Test(saved, registers_that_this_kvm_does_not_have)
{
    uint64_t id = 0;
    cr_assert_eq(save_regs(&f.kvm, FD, &out), 0);
    list[2] = V(4);
    struct unpack in = from(out.len);
    cr_expect_eq(load_regs(&f.kvm, FD, &in, &id), -ENOTSUP);
    cr_expect_eq(id, V(3));
}

Test(saved, a_register_wider_than_any_is_refused)
{
    uint64_t id = 0;
    struct unpack in;
    list[1] = 2 | 9ULL << KVM_REG_SIZE_SHIFT;
    cr_expect_eq(save_regs(&f.kvm, FD, &out), -E2BIG);
    pack_free(&out);
    out = (struct pack){0};
    pack_u32(&out, 1);
    pack_u64(&out, 1 | KVM_REG_SIZE_MASK);
    pack_bytes(&out, values, sizeof(values));
    in = from(out.len);
    cr_expect_eq(load_regs(&f.kvm, FD, &in, &id), 0);
    cr_expect(in.failed);
    cr_expect_str_eq(asked, "");
}

Test(saved, registers_cut_short)
{
    uint64_t id = 0;
    cr_assert_eq(save_regs(&f.kvm, FD, &out), 0);
    for (size_t len = 0; len < out.len; len++) {
        struct unpack in = from(len);
        cr_expect_eq(load_regs(&f.kvm, FD, &in, &id), 0);
        cr_expect(in.failed, "%zu bytes", len);
        cr_expect_null(strstr(asked, "set 3"));
    }
}

Test(saved, registers_that_kvm_does_not_list)
{
    f.answer = NULL;
    f.fail_request = KVM_GET_REG_LIST;
    f.fail_code = -EINVAL;
    cr_expect_eq(save_regs(&f.kvm, FD, &out), -EINVAL);
}

/* --- registers of a device ----------------------------------------------------------- */

static const struct attr_run runs[] = {{0x10, 1}, {0, 3}};
static const struct attr_group narrow_group = {1, 4, 4, runs, 2};
static const struct attr_group wide_group = {8, 1, 8, runs, 2};

static void there_and_back(const struct attr_group *g, uint64_t base, const char *saved,
                           const char *loaded)
{
    const struct attr_file to = {.out = &out};
    asked[0] = '\0';
    cr_assert_eq(attrs_move(&f.kvm, FD, g, base, &to), 0);
    cr_expect_str_eq(asked, saved);
    cr_expect_eq(out.len, 4 * g->width);
    struct unpack in = from(out.len);
    const struct attr_file back = {.in = &in};
    cr_assert_eq(attrs_move(&f.kvm, FD, g, base, &back), 0);
    cr_expect_str_eq(asked, loaded);
    cr_expect(unpack_done(&in));
}

Test(saved, device_registers_of_4_bytes)
{
    there_and_back(&narrow_group, 0x100, "get 110;get 100;get 104;get 108;",
                   "set 110;to 110;set 100;to 100;set 104;to 104;set 108;to 108;");
}

Test(saved, device_registers_of_8_bytes)
{
    there_and_back(&wide_group, 1ULL << 32,
                   "get 100000010;get 100000000;get 100000001;get 100000002;",
                   "set 100000010;to 100000010;set 100000000;to 100000000;"
                   "set 100000001;to 100000001;set 100000002;to 100000002;");
}

Test(saved, device_registers_cut_short)
{
    const struct attr_file to = {.out = &out};
    cr_assert_eq(attrs_move(&f.kvm, FD, &narrow_group, 0, &to), 0);
    for (size_t len = 0; len < out.len; len++) {
        struct unpack in = from(len);
        const struct attr_file back = {.in = &in};
        cr_expect_eq(attrs_move(&f.kvm, FD, &narrow_group, 0, &back), 0);
        cr_expect(in.failed, "%zu bytes", len);
        cr_expect_null(strstr(asked, "set 8;"));
    }
}

Test(saved, the_first_refusal_is_the_last_question)
{
    const struct attr_file to = {.out = &out};
    refused = 4;
    cr_expect_eq(attrs_move(&f.kvm, FD, &narrow_group, 0, &to), -EBUSY);
    cr_expect_str_eq(asked, "get 10;get 0;");
    struct unpack in = from(out.len);
    const struct attr_file back = {.in = &in};
    cr_expect_eq(attrs_move(&f.kvm, FD, &narrow_group, 0, &back), -EBUSY);
    cr_expect_str_eq(asked, "set 10;to 10;set 0;to 0;");
}

Test(saved, a_run_is_filled)
{
    cr_assert_eq(attrs_fill(&f.kvm, FD, &narrow_group, 0x20, &runs[1], 0xffff0000), 0);
    cr_expect_str_eq(asked, "set 20;to ffff0000;set 24;to ffff0000;set 28;to ffff0000;");
    asked[0] = '\0';
    cr_assert_eq(attrs_fill(&f.kvm, FD, &wide_group, 0, &runs[0], 1ULL << 40), 0);
    cr_expect_str_eq(asked, "set 10;to 10000000000;");
    refused = 4;
    cr_expect_eq(attrs_fill(&f.kvm, FD, &narrow_group, 0, &runs[1], 0), -EBUSY);
}
