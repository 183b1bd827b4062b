/*
 * A PC's firmware, as far as interrupts in real mode go. See bios.h.
 *
 * Source: Intel 8259A and 8254 data sheets; the vectors are an IBM PC/AT's.
 */
#include "src/arch/x86/bios.h"

#include "src/arch/x86/map.h"
#include "src/base/le.h"
#include "src/kvm/kvm.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define VECTORS       256
#define MASTER_VECTOR 0x08 /* of irq 0 */
#define SLAVE_VECTOR  0x70 /* of irq 8 */
#define SEGMENT       0xf000U

/* An interrupt of a line is acknowledged, all else returns at once. */
static const uint8_t handlers[] = {
    0xcf,       /* any: iret */
    0x50,       /* slave: push ax */
    0xb0, 0x20, /* mov al, 0x20: end of interrupt */
    0xe6, 0xa0, /* out 0xa0, al */
    0xeb, 0x03, /* jmp to the last out */
    0x50,       /* master: push ax */
    0xb0, 0x20, /* mov al, 0x20 */
    0xe6, 0x20, /* out 0x20, al */
    0x58,       /* pop ax */
    0xcf,       /* iret */
};
enum { HANDLE_ANY = 0, HANDLE_SLAVE = 1, HANDLE_MASTER = 8 };

static unsigned handler_of(unsigned vector)
{
    if (vector >= MASTER_VECTOR && vector < MASTER_VECTOR + 8) {
        return HANDLE_MASTER;
    }
    return vector >= SLAVE_VECTOR && vector < SLAVE_VECTOR + 8 ? HANDLE_SLAVE : HANDLE_ANY;
}

int bios_install(struct aspace *mem, struct err *e)
{
    uint8_t table[VECTORS * 4];
    int ret;

    for (unsigned i = 0; i < VECTORS; i++) {
        put_le16(table + 4 * i, (uint16_t)(PC_BIOS_GPA - (SEGMENT << 4) + handler_of(i)));
        put_le16(table + 4 * i + 2, SEGMENT);
    }
    ret = dma_write(mem, 0, table, sizeof(table));
    if (ret == 0) {
        ret = dma_write(mem, PC_BIOS_GPA, handlers, sizeof(handlers));
    }
    return ret < 0 ? err_set(e, -ret, "no guest memory for interrupt vectors") : 0;
}

/* An 8259 after ICW1 to ICW4. */
static struct kvm_irqchip pic(uint32_t id, uint8_t vector, uint8_t mask, uint8_t elcr_mask)
{
    struct kvm_irqchip chip = {.chip_id = id};

    chip.chip.pic.irq_base = vector;
    chip.chip.pic.imr = mask;
    chip.chip.pic.init4 = 1;
    chip.chip.pic.elcr_mask = elcr_mask;
    return chip;
}

/* Channel 0: a rate generator that divides by 65536, the longest. */
static struct kvm_pit_state2 pit(void)
{
    struct kvm_pit_state2 s = {0};

    for (size_t i = 0; i < 3; i++) {
        s.channels[i].mode = 0xff; /* not programmed */
        s.channels[i].gate = i != 2;
    }
    s.channels[0].mode = 2;
    s.channels[0].rw_mode = 3; /* low byte, then high byte */
    return s;
}

int bios_start_timer(struct kvm *kvm, struct err *e)
{
    enum { TIMER = 1 << 0, CASCADE = 1 << 2 };
    struct kvm_irqchip chips[] = {
        pic(KVM_IRQCHIP_PIC_MASTER, MASTER_VECTOR, (uint8_t) ~(TIMER | CASCADE), 0xf8),
        pic(KVM_IRQCHIP_PIC_SLAVE, SLAVE_VECTOR, 0xff, 0xde),
    };
    struct kvm_pit_state2 timer = pit();
    int r = kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_PIT2, &timer);

    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]) && r >= 0; i++) {
        r = kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_IRQCHIP, &chips[i]);
    }
    return r < 0 ? err_set(e, -r, "cannot set up KVM's interrupt controllers: %s", strerror(-r))
                 : 0;
}
