#include "tests/unit/arm64/fake_host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int check_extension(const struct fake_host *h, uintptr_t number)
{
    switch (number) {
    case KVM_CAP_ARM_VM_IPA_SIZE:
        return h->ipa_bits;
    case KVM_CAP_ARM_PMU_V3:
        return h->pmu;
    case KVM_CAP_ARM_SVE:
        return h->sve;
    case KVM_CAP_ARM_PTRAUTH_ADDRESS:
    case KVM_CAP_ARM_PTRAUTH_GENERIC:
        return h->pauth;
    default:
        return 1;
    }
}

static int create_device(const struct fake_host *h, struct kvm_create_device *d)
{
    const bool is_its = d->type == KVM_DEV_TYPE_ARM_VGIC_ITS;
    const bool there = is_its ? h->its : d->type == KVM_DEV_TYPE_ARM_VGIC_V3 ? h->gicv3 : h->gicv2;
    d->fd = is_its ? FAKE_ITS : FAKE_GIC;
    return there ? 0 : -ENODEV;
}

static void keep(struct fake_host *h, struct fake_write w)
{
    cr_assert_lt(h->write_count, sizeof(h->writes) / sizeof(h->writes[0]));
    h->writes[h->write_count++] = w;
}

/* How wide a value is, KVM knows by the group. */
static uint64_t attr_value(int fd, const struct kvm_device_attr *a)
{
    const bool wide = fd < FAKE_GIC ? false
                      : a->group == KVM_DEV_ARM_VGIC_GRP_ADDR
                          ? true
                          : a->group == KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS;
    uint32_t narrow = 0;
    uint64_t value = 0;
    if (a->addr == 0) {
        return 0;
    }
    if (wide) {
        memcpy(&value, (const void *)(uintptr_t)a->addr, sizeof(value));
        return value;
    }
    memcpy(&narrow, (const void *)(uintptr_t)a->addr, sizeof(narrow));
    return narrow;
}

static void set_attr(struct fake_host *h, int fd, const struct kvm_device_attr *a)
{
    keep(h, (struct fake_write){
                .fd = fd, .group = a->group, .attr = a->attr, .value = attr_value(fd, a)});
}

static void set_register(struct fake_host *h, int fd, const struct kvm_one_reg *r)
{
    struct fake_write w = {.fd = fd, .is_register = true, .attr = r->id};
    memcpy(&w.value, (const void *)(uintptr_t)r->addr, sizeof(w.value));
    keep(h, w);
}

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    struct fake_host *h = (struct fake_host *)(void *)fake;
    const struct kvm_one_reg *reg = arg;
    const struct kvm_irq_routing *routes = arg;
    const unsigned cpu = (unsigned)(fd - FAKE_VCPU);
    if (fake->fail_code != 0 && fake->fail_request == request) {
        return fake->fail_code;
    }
    switch (request) {
    case KVM_CHECK_EXTENSION:
        return check_extension(h, (uintptr_t)arg);
    case KVM_CREATE_VM:
        h->vm_type = (unsigned long)(uintptr_t)arg;
        return FAKE_VM_FD;
    case KVM_CREATE_DEVICE:
        return create_device(h, arg);
    case KVM_SET_DEVICE_ATTR:
        set_attr(h, fd, arg);
        return 0;
    case KVM_IRQ_LINE:
        h->lines_lowered += ((const struct kvm_irq_level *)arg)->level == 0;
        return 0;
    case KVM_SET_GSI_ROUTING:
        h->last_route = routes->entries[routes->nr - 1];
        return 0;
    case KVM_ARM_PREFERRED_TARGET:
        *(struct kvm_vcpu_init *)arg = (struct kvm_vcpu_init){.target = KVM_ARM_TARGET_GENERIC_V8};
        return 0;
    case KVM_ARM_VCPU_INIT:
        h->features[cpu] = ((const struct kvm_vcpu_init *)arg)->features[0];
        return 0;
    case KVM_ARM_VCPU_FINALIZE:
        h->finalized[cpu] = *(const int *)arg;
        return 0;
    case KVM_GET_ONE_REG:
        memcpy((void *)(uintptr_t)reg->addr, &h->mpidr[cpu], sizeof(h->mpidr[cpu]));
        return 0;
    case KVM_SET_ONE_REG:
        set_register(h, fd, arg);
        return 0;
    default:
        return -ENOSYS;
    }
}

void fake_host_init(struct fake_host *h)
{
    memset(h, 0, sizeof(*h));
    fake_kvm_init(&h->fake);
    h->fake.answer = answer;
    h->gicv2 = h->gicv3 = h->its = true;
    h->ipa_bits = 44;
    h->pmu = h->sve = h->pauth = true;
    for (unsigned i = 0; i < 4; i++) {
        h->mpidr[i] = 0x80000000 | i;
    }
}

/* Its number plus 1; 0: there is none. */
static size_t find(const struct fake_host *h, struct fake_write w)
{
    for (size_t i = h->write_count; i > 0; i--) {
        const struct fake_write *k = &h->writes[i - 1];
        if (k->fd == w.fd && k->is_register == w.is_register && k->group == w.group &&
            k->attr == w.attr) {
            return i;
        }
    }
    return 0;
}

size_t fake_host_when(const struct fake_host *h, int fd, uint32_t group, uint64_t attr)
{
    const size_t n = find(h, (struct fake_write){.fd = fd, .group = group, .attr = attr});
    cr_assert_neq(n, 0, "descriptor %d: nothing written to %u, 0x%" PRIx64, fd, group, attr);
    return n - 1;
}

uint64_t fake_host_attr(const struct fake_host *h, int fd, uint32_t group, uint64_t attr)
{
    return h->writes[fake_host_when(h, fd, group, attr)].value;
}

bool fake_host_has_attr(const struct fake_host *h, int fd, uint32_t group, uint64_t attr)
{
    return find(h, (struct fake_write){.fd = fd, .group = group, .attr = attr}) != 0;
}

uint64_t fake_host_register(const struct fake_host *h, int fd, uint64_t id)
{
    const size_t n = find(h, (struct fake_write){.fd = fd, .is_register = true, .attr = id});
    cr_assert_neq(n, 0, "descriptor %d: nothing written to register 0x%" PRIx64, fd, id);
    return h->writes[n - 1].value;
}
