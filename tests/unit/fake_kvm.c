/*
 * The fake KVM. Only requests that tests look at are logged.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void note(struct fake_kvm *f, const char *fmt, ...)
{
    va_list ap;
    pthread_mutex_lock(&f->lock);
    size_t used = strlen(f->log);
    va_start(ap, fmt);
    vsnprintf(f->log + used, sizeof(f->log) - used, fmt, ap);
    va_end(ap);
    pthread_mutex_unlock(&f->lock);
}

static void note_slot(struct fake_kvm *f, const struct kvm_userspace_memory_region *r)
{
    note(f, "slot %u %" PRIx64 "+%" PRIx64 "%s;", r->slot, (uint64_t)r->guest_phys_addr,
         (uint64_t)r->memory_size, (r->flags & KVM_MEM_READONLY) != 0 ? " ro" : "");
}

static void note_ioeventfd(struct fake_kvm *f, const struct kvm_ioeventfd *r)
{
    note(f, "%sioeventfd %s%" PRIx64 "/%u fd %d",
         (r->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) != 0 ? "-" : "+",
         (r->flags & KVM_IOEVENTFD_FLAG_PIO) != 0 ? "port " : "", (uint64_t)r->addr, r->len, r->fd);
    note(f, (r->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) != 0 ? " match %" PRIx64 ";" : ";",
         (uint64_t)r->datamatch);
}

static void note_zone(struct fake_kvm *f, char sign, const struct kvm_coalesced_mmio_zone *z)
{
    note(f, "%ccoalesced %s%" PRIx64 "/%u;", sign, z->pio != 0 ? "port " : "", (uint64_t)z->addr,
         z->size);
}

static void note_routes(struct fake_kvm *f, const struct kvm_irq_routing *t)
{
    note(f, "routes %u:", t->nr);
    for (uint32_t i = 0; i < t->nr; i++) {
        const struct kvm_irq_routing_entry *r = &t->entries[i];
        if (r->type == KVM_IRQ_ROUTING_MSI) {
            note(f, " %u=%x%08x:%x", r->gsi, r->u.msi.address_hi, r->u.msi.address_lo,
                 r->u.msi.data);
        } else if (r->type == KVM_IRQ_ROUTING_HV_SINT) {
            note(f, " %u=vcpu %u sint %u", r->gsi, r->u.hv_sint.vcpu, r->u.hv_sint.sint);
        }
    }
    note(f, ";");
}

static void note_event(struct fake_kvm *f, const struct kvm_hyperv_eventfd *r)
{
    note(f, "%cevent %u;", (r->flags & KVM_HYPERV_EVENTFD_DEASSIGN) != 0 ? '-' : '+', r->conn_id);
}

/* KVM_IRQ_LINE has names of its own for lines. */
static unsigned line_gsi(const struct kvm_irq_level *line)
{
    unsigned gsi = 0;
    while (gsi < ARCH_IRQ_PINS && arch_irq_line(gsi) != line->irq) {
        gsi++;
    }
    return gsi;
}

static int create_vcpu(struct fake_kvm *f)
{
    int fd = memfd_create("fake-vcpu", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)f->kvm.run_size) < 0) {
        return -errno;
    }
    return fd;
}

static int fake_answer(struct fake_kvm *f, unsigned long request, void *arg)
{
    const struct kvm_irq_level *line = arg;
    const struct kvm_irqfd *irqfd = arg;
    switch (request) {
    case KVM_GET_API_VERSION:
        return KVM_API_VERSION;
    case KVM_CHECK_EXTENSION:
        return 1;
    case KVM_GET_VCPU_MMAP_SIZE:
        return FAKE_RUN_SIZE;
    case KVM_SET_USER_MEMORY_REGION:
        note_slot(f, arg);
        return 0;
    case KVM_IOEVENTFD:
        note_ioeventfd(f, arg);
        return 0;
    case KVM_REGISTER_COALESCED_MMIO:
        note_zone(f, '+', arg);
        return 0;
    case KVM_UNREGISTER_COALESCED_MMIO:
        note_zone(f, '-', arg);
        return 0;
    case KVM_SET_GSI_ROUTING:
        note_routes(f, arg);
        return 0;
    case KVM_IRQ_LINE:
        note(f, "line %u=%u;", line_gsi(line), line->level);
        return 0;
    case KVM_IRQFD:
        note(f, "%cirqfd %u%s;", (irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN) != 0 ? '-' : '+',
             irqfd->gsi, (irqfd->flags & KVM_IRQFD_FLAG_RESAMPLE) != 0 ? " resample" : "");
        return 0;
    case KVM_HYPERV_EVENTFD:
        note_event(f, arg);
        return 0;
    case KVM_CREATE_VCPU:
        return create_vcpu(f);
#ifdef __x86_64__
    case KVM_SET_MSRS:
        return (int)((const struct kvm_msrs *)arg)->nmsrs;
#endif
    default:
        return 0;
    }
}

static int fake_ioctl(struct kvm *kvm, int fd, unsigned long request, void *arg)
{
    struct fake_kvm *f = (struct fake_kvm *)(void *)kvm;
    if (f->answer != NULL) {
        int r = f->answer(f, fd, request, arg);
        if (r != -ENOSYS) {
            return r;
        }
    }
    if (f->fail_code != 0 && request == f->fail_request) {
        return f->fail_code;
    }
    return fake_answer(f, request, arg);
}

void fake_kvm_init(struct fake_kvm *f)
{
    *f = (struct fake_kvm){
        .kvm =
            {
                .dev_fd = FAKE_DEV_FD,
                .vm_fd = FAKE_VM_FD,
                .run_size = FAKE_RUN_SIZE,
                .max_vcpus = 16,
                .max_slots = 8,
                .max_gsis = ARCH_IRQ_PINS + 40,
                .coalesced_page = 2,
                .coalesced_pio = true,
                .ioeventfd_any_len = true,
                .page_size = 4096,
                .irqchip_fd = -1,
                .its_fd = -1,
                .ioctl = fake_ioctl,
            },
    };
    pthread_mutex_init(&f->lock, NULL);
}

void fake_kvm_clear(struct fake_kvm *f)
{
    f->log[0] = '\0';
}
