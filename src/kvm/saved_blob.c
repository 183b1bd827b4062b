/*
 * Structs of KVM's in saved state; see saved.h. They are kept as they are: their layout is the
 * kernel's ABI.
 */
#include "src/kvm/saved.h"

int save_blob(struct kvm *kvm, int fd, unsigned long request, uint32_t tag, void *data, size_t size,
              struct pack *out)
{
    const int ret = kvm_ioctl(kvm, fd, request, data);

    pack_blob(out, tag, data, size);
    return ret < 0 ? ret : 0;
}

int load_blob(struct kvm *kvm, int fd, unsigned long request, uint32_t tag, void *data, size_t size,
              struct unpack *in)
{
    unpack_blob(in, tag, data, size);
    const int ret = in->failed ? 0 : kvm_ioctl(kvm, fd, request, data);
    return ret < 0 ? ret : 0;
}
