/*
 * Interrupts into the guest: lines and irqfds. See irqchip.h.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.25 KVM_IRQ_LINE, 4.75 KVM_IRQFD.
 */
#include "src/kvm/irqchip.h"

#include "src/arch/arch.h"
#include "src/base/trace.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int irqchip_create(struct irqchip *c, struct kvm *kvm, struct err *e)
{
    *c = (struct irqchip){.kvm = kvm, .pins = ARCH_IRQ_PINS};
    return arch_irqchip_create(kvm, e);
}

int irqchip_reset(struct irqchip *c, struct err *e)
{
    return arch_irqchip_reset(c->kvm, e);
}

/* --- lines and edges -------------------------------------------------- */

static void line_set(void *opaque, unsigned gsi, bool level)
{
    struct irqchip *c = opaque;
    struct kvm_irq_level line = {.irq = arch_irq_line(gsi), .level = level};
    trace(TRACE_kvm_irq, "gsi %u level %d", gsi, level);
    kvm_ioctl(c->kvm, c->kvm->vm_fd, KVM_IRQ_LINE, &line);
}

struct irq irqchip_line(struct irqchip *c, unsigned gsi)
{
    if (gsi >= c->pins) {
        return (struct irq){0};
    }
    return (struct irq){.set = line_set, .opaque = c, .n = gsi};
}

int irqchip_signal_msi(struct irqchip *c, uint64_t address, uint32_t data)
{
    struct kvm_msi msi = {
        .address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data};
    if (!arch_is_msi_address(c->kvm, address)) {
        return -EINVAL;
    }
    if (ARCH_MSI_HAS_REQUESTER) { /* of no device: its number is 0, as the host bridge's is */
        msi.flags = KVM_MSI_VALID_DEVID;
    }
    const int r = kvm_ioctl(c->kvm, c->kvm->vm_fd, KVM_SIGNAL_MSI, &msi);
    return r < 0 ? r : 0;
}

int irqchip_eventfd(unsigned gsi, struct err *e)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        int code = errno;
        err_set(e, code, "no eventfd for interrupt %u: %s", gsi, strerror(code));
        err_hint(e, "raise the limit of open files (ulimit -n)");
        return -code;
    }
    return fd;
}

int irqchip_bind(struct irqchip *c, unsigned gsi, int fd, int resample_fd)
{
    struct kvm_irqfd req = {.fd = (uint32_t)fd, .gsi = gsi};
    if (resample_fd >= 0) {
        req.flags = KVM_IRQFD_FLAG_RESAMPLE;
        req.resamplefd = (uint32_t)resample_fd;
    }
    return kvm_ioctl(c->kvm, c->kvm->vm_fd, KVM_IRQFD, &req);
}

int irqchip_edge_get(struct irqchip *c, unsigned gsi, struct irq_edge *out, struct err *e)
{
    *out = (struct irq_edge){.fd = irqchip_eventfd(gsi, e)};
    if (out->fd < 0) {
        int r = out->fd;
        out->fd = -1;
        return r;
    }
    int r = irqchip_bind(c, gsi, out->fd, -1);
    if (r < 0) {
        close(out->fd);
        out->fd = -1;
        return err_set(e, -r, "KVM refused an irqfd for interrupt %u: %s", gsi, strerror(-r));
    }
    return 0;
}

void irqchip_edge_put(struct irqchip *c, unsigned gsi, struct irq_edge *edge)
{
    if (edge->fd >= 0) {
        struct kvm_irqfd req = {
            .fd = (uint32_t)edge->fd, .gsi = gsi, .flags = KVM_IRQFD_FLAG_DEASSIGN};
        kvm_ioctl(c->kvm, c->kvm->vm_fd, KVM_IRQFD, &req);
        close(edge->fd);
        edge->fd = -1;
    }
}
