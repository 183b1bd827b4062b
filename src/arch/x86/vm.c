/*
 * What a VM needs on x86 beyond the vCPUs: pages for KVM's own use, the
 * interrupt controllers and the timer, and their state after power-on.
 *
 * Source: Linux Documentation/virt/kvm/api.rst; Intel 8259A, 82093AA (IOAPIC)
 * and 8254 data sheets for the reset states.
 * Locking: none; set-up, or paused.
 */
#include "src/arch/arch.h"
#include "src/arch/x86/map.h"

#include <limits.h>
#include <linux/kvm.h>
#include <string.h>

const struct kvm_cap arch_caps[] = {
    KVM_CAP_ROW(EXT_CPUID, true, "CPU features"),
    KVM_CAP_ROW(SET_TSS_ADDR, true, "real mode on Intel processors"),
    KVM_CAP_ROW(SET_IDENTITY_MAP_ADDR, true, "real mode on Intel processors"),
    KVM_CAP_ROW(PIT2, true, "timer"),
    KVM_CAP_ROW(VCPU_EVENTS, true, "reset"),
    KVM_CAP_ROW(DEBUGREGS, true, "reset"),
    KVM_CAP_ROW(TSC_DEADLINE_TIMER, false, "cheaper guest timers"),
    KVM_CAP_ROW(X2APIC_API, false, "more than 255 CPUs"),
    KVM_CAP_ROW(SYS_HYPERV_CPUID, false, "--cpu host,hyperv=on"),
    KVM_CAP_ROW(HYPERV_SYNIC2, false, "--cpu host,hyperv=on"),
    KVM_CAP_ROW(HYPERV_EVENTFD, false, "--cpu host,hyperv=on"),
};
const size_t arch_cap_count = sizeof(arch_caps) / sizeof(arch_caps[0]);

const char arch_no_kvm_hint[] =
    "enable virtualization in the firmware (in a VM: nested virtualization), "
    "then sudo modprobe kvm_intel or kvm_amd";

/* APIC ids 0..254; 255 is the broadcast, unless KVM takes 32-bit ids. */
#define XAPIC_CPUS_MAX 255

unsigned arch_max_vcpus(struct kvm *kvm)
{
    return kvm_check_cap(kvm, KVM_CAP_X2APIC_API) != 0 ? UINT_MAX : XAPIC_CPUS_MAX;
}

unsigned long arch_vm_type(struct kvm *kvm)
{
    (void)kvm;
    return 0;
}

static int use_x2apic_ids(struct kvm *kvm)
{
    struct kvm_enable_cap cap = {
        .cap = KVM_CAP_X2APIC_API,
        .args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
    };
    return kvm_ioctl(kvm, kvm->vm_fd, KVM_ENABLE_CAP, &cap);
}

int arch_vm_init(struct kvm *kvm, struct err *e)
{
    uint64_t identity = PC_IDENTITY_GPA;
    int r = kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
    if (r == 0) {
        r = kvm_ioctl_num(kvm, kvm->vm_fd, KVM_SET_TSS_ADDR, PC_TSS_GPA);
    }
    if (r == 0 && kvm->max_vcpus > XAPIC_CPUS_MAX) {
        r = use_x2apic_ids(kvm);
    }
    return r < 0 ? err_set(e, -r, "KVM cannot prepare a VM: %s", strerror(-r)) : 0;
}

int arch_irqchip_create(struct kvm *kvm, struct err *e)
{
    int r = kvm_ioctl_num(kvm, kvm->vm_fd, KVM_CREATE_IRQCHIP, 0);
    if (r < 0) {
        return err_set(e, -r, "KVM cannot create interrupt controllers: %s", strerror(-r));
    }
    /* KVM also serves port 0x61: guests time their TSC with its channel 2 bits. */
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    r = kvm_ioctl(kvm, kvm->vm_fd, KVM_CREATE_PIT2, &pit);
    if (r < 0) {
        return err_set(e, -r, "KVM cannot create the timer: %s", strerror(-r));
    }
    return 0;
}

int arch_irqchip_init(struct kvm *kvm, struct err *e)
{
    (void)kvm;
    (void)e;
    return 0;
}

uint32_t arch_irq_line(unsigned gsi)
{
    return gsi;
}

size_t arch_irq_routes(struct kvm_irq_routing_entry *entries)
{
    size_t count = 0;
    for (unsigned gsi = 0; entries != NULL && gsi < ARCH_IRQ_PINS; gsi++) {
        struct kvm_irq_routing_entry pin = {.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP};
        if (gsi < 16) {
            pin.u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
            pin.u.irqchip.pin = gsi % 8;
            entries[count++] = pin;
        }
        pin.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
        pin.u.irqchip.pin = gsi;
        entries[count++] = pin;
    }
    return ARCH_IRQ_PINS + 16;
}

bool arch_is_msi_address(const struct kvm *kvm, uint64_t address)
{
    (void)kvm;
    return address >= PC_MSI_GPA && address < PC_MSI_END;
}

/* --- reset ------------------------------------------------------------ */

/* An 8259 before its first ICW1. elcr_mask: which pins may be made level-triggered. */
static struct kvm_irqchip pic_after_reset(uint32_t id, uint8_t elcr_mask)
{
    struct kvm_irqchip chip = {.chip_id = id};
    chip.chip.pic.elcr_mask = elcr_mask;
    return chip;
}

/* All pins masked. */
static struct kvm_irqchip ioapic_after_reset(void)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    chip.chip.ioapic.base_address = PC_IOAPIC_GPA;
    for (size_t i = 0; i < KVM_IOAPIC_NUM_PINS; i++) {
        chip.chip.ioapic.redirtbl[i].fields.mask = 1;
    }
    return chip;
}

/* No channel programmed; channel 2 counts only with its gate (port 0x61) on. */
static struct kvm_pit_state2 pit_after_reset(void)
{
    struct kvm_pit_state2 pit = {0};
    for (size_t i = 0; i < 3; i++) {
        pit.channels[i].mode = 0xff;
        pit.channels[i].gate = i != 2;
    }
    return pit;
}

int arch_irqchip_reset(struct kvm *kvm, struct err *e)
{
    struct kvm_irqchip chips[] = {
        pic_after_reset(KVM_IRQCHIP_PIC_MASTER, 0xf8),
        pic_after_reset(KVM_IRQCHIP_PIC_SLAVE, 0xde),
        ioapic_after_reset(),
    };
    struct kvm_pit_state2 pit = pit_after_reset();
    int r = kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_PIT2, &pit);
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]) && r >= 0; i++) {
        r = kvm_ioctl(kvm, kvm->vm_fd, KVM_SET_IRQCHIP, &chips[i]);
    }
    return r < 0 ? err_set(e, -r, "cannot reset KVM's interrupt controllers: %s", strerror(-r)) : 0;
}
