/*
 * What is left behind in the place of firmware: vectors, handlers, interrupt controllers, timer.
 */
#include "src/arch/x86/bios.h"

#include "src/base/le.h"
#include "tests/unit/fake_kvm.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

static struct fake_machine m;

static void setup(void)
{
    fake_machine_init(&m, 2);
}

static void teardown(void)
{
    fake_machine_free(&m);
}

TestSuite(bios, .init = setup, .fini = teardown);

/* The handler of a vector, in guest memory. */
static const uint8_t *handler(unsigned vector)
{
    const uint8_t *v = m.ram + 4 * vector;
    return m.ram + get_le16(v) + (get_le16(v + 2) << 4);
}

/*
 * Run the few instructions that a handler has; returns the ports that got 0x20, one after the
 * other in 16 bits each, with depth of the stack 0 and AX as before at its iret.
 */
static uint32_t run(const uint8_t *p)
{
    enum { PUSH_AX = 0x50, POP_AX = 0x58, MOV_AL = 0xb0, OUT = 0xe6, JMP = 0xeb, IRET = 0xcf };
    uint32_t ports = 0;
    unsigned pushed = 0;
    uint8_t al = 0;
    for (unsigned i = 0; i < 16; i++) {
        switch (*p) {
        case PUSH_AX:
            pushed++, p++;
            break;
        case POP_AX:
            pushed--, p++;
            break;
        case MOV_AL:
            cr_assert_eq(pushed, 1);
            al = p[1], p += 2;
            break;
        case OUT:
            cr_assert_eq(al, 0x20);
            ports = ports << 16 | p[1], p += 2;
            break;
        case JMP:
            p += 2 + p[1];
            break;
        default:
            cr_assert_eq(*p, IRET);
            cr_assert_eq(pushed, 0);
            return ports;
        }
    }
    cr_assert_fail("the handler does not end");
    return 0;
}

Test(bios, lines_are_acknowledged_and_all_else_returns)
{
    struct err e = ERR_INIT;
    cr_assert_eq(bios_install(m.mem, &e), 0, "%s", e.what);
    for (unsigned v = 0; v < 256; v++) {
        const bool master = v >= 8 && v < 16, slave = v >= 0x70 && v < 0x78;
        cr_expect_eq(run(handler(v)), slave ? 0xa00020u : master ? 0x20u : 0, "vector %x", v);
    }
}

Test(bios, needs_ram)
{
    struct fake_machine empty;
    struct err e = ERR_INIT;
    fake_machine_init(&empty, 0);
    cr_expect_lt(bios_install(empty.mem, &e), 0);
    cr_expect(strstr(e.what, "interrupt vectors") != NULL);
    fake_machine_free(&empty);
}

static struct kvm_irqchip pics[2];
static struct kvm_pit_state2 pit;

static int keep(struct fake_kvm *f, int fd, unsigned long request, void *arg)
{
    (void)f, (void)fd;
    if (request == KVM_SET_PIT2) {
        pit = *(struct kvm_pit_state2 *)arg;
    } else if (request == KVM_SET_IRQCHIP) {
        const struct kvm_irqchip *chip = arg;
        pics[chip->chip_id] = *chip;
    }
    return -ENOSYS;
}

Test(bios, only_the_timer_is_let_through)
{
    struct fake_kvm f;
    struct err e = ERR_INIT;
    fake_kvm_init(&f);
    f.answer = keep;
    cr_assert_eq(bios_start_timer(&f.kvm, &e), 0, "%s", e.what);
    cr_expect_eq(pics[0].chip.pic.irq_base, 0x08);
    cr_expect_eq(pics[0].chip.pic.imr, 0xfa);
    cr_expect_eq(pics[1].chip.pic.irq_base, 0x70);
    cr_expect_eq(pics[1].chip.pic.imr, 0xff);
    cr_expect(pit.channels[0].mode == 2 && pit.channels[0].count == 0 && pit.channels[0].gate == 1);
    cr_expect(pit.channels[1].mode == 0xff && pit.channels[2].gate == 0);
    f.fail_request = KVM_SET_IRQCHIP;
    f.fail_code = -EINVAL;
    cr_expect_lt(bios_start_timer(&f.kvm, &e), 0);
}
