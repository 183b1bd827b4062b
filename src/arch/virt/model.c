/*
 * CPU models that are a set of features, each of which KVM has a capability for.
 *
 * Locking: none; set-up.
 */
#include "src/arch/cpu_spec.h"
#include "src/arch/virt/virt.h"
#include "src/base/pack.h"

#include <errno.h>
#include <stdlib.h>

static size_t feature_count(void)
{
    return virt_cpu.feature_count;
}

static const char *feature_name(size_t n)
{
    return virt_cpu.features[n].name;
}

static bool has_feature(void *bits, size_t n)
{
    return (*(const uint32_t *)bits & virt_cpu.features[n].bits) != 0;
}

static void remove_feature(void *bits, size_t n)
{
    *(uint32_t *)bits &= ~virt_cpu.features[n].bits;
}

const struct cpu_features arch_cpu_features = {
    .count = feature_count,
    .name = feature_name,
    .has = has_feature,
    .remove = remove_feature,
};

/* What the host has, less what spec takes away. */
static int choose_features(uint32_t *bits, struct kvm *kvm, const char *spec, struct err *e)
{
    *bits = 0;
    for (size_t n = 0; n < virt_cpu.feature_count; n++) {
        const struct virt_feature *f = &virt_cpu.features[n];
        *bits |= kvm_check_cap(kvm, f->cap) != 0 ? f->bits : 0;
    }
    return cpu_spec_apply(&arch_cpu_features, bits, spec, e);
}

bool virt_has_feature(struct kvm *kvm, const char *spec, uint32_t bits)
{
    uint32_t features;

    return choose_features(&features, kvm, spec, NULL) == 0 && (features & bits) != 0;
}

int cpu_host_new(struct cpu_host **out, struct kvm *kvm, struct err *e)
{
    (void)kvm, (void)e;
    *out = NULL;
    return 0;
}

int cpu_model_new(struct cpu_model **out, struct kvm *kvm, const char *spec, unsigned cpus,
                  struct err *e)
{
    struct cpu_model *m = calloc(1, sizeof(*m));

    (void)cpus;
    if (m == NULL) {
        return err_set(e, ENOMEM, "out of memory for the CPU model");
    }
    const int ret = choose_features(&m->features, kvm, spec, e);
    if (ret < 0) {
        cpu_model_free(m);
        return ret;
    }
    *out = m;
    return 0;
}

void cpu_model_free(struct cpu_model *m)
{
    free(m);
}

/* KVM's registers tell the rest of a CPU: arch_vcpu_load() compares them. */
void cpu_model_save(const struct cpu_model *m, struct pack *out)
{
    pack_u32(out, m->features);
}

int cpu_model_check(const struct cpu_model *m, struct unpack *in, struct err *e)
{
    const uint32_t saved = unpack_u32(in);

    for (size_t n = 0; n < virt_cpu.feature_count && !in->failed; n++) {
        const struct virt_feature *f = &virt_cpu.features[n];
        if ((saved & f->bits) != (m->features & f->bits)) {
            err_set(e, ENOTSUP, "the CPU is another: this host's %s %s",
                    (saved & f->bits) != 0 ? "lacks" : "has also", f->name);
            err_hint(e, "make the snapshot with --cpu host,-%s if it is to run on both hosts",
                     f->name);
            return -ENOTSUP;
        }
    }
    return 0;
}
