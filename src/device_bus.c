/*
 * What a device asks of the bus it is plugged into. See device.h.
 *
 * Locking: the device's lock is held by the caller.
 */
#include "src/device.h"
#include "src/mem/dma.h"

#include <assert.h>
#include <errno.h>

static const struct prop bus_props[] = {
    {
        .name = "bus",
        .type = PROP_STRING,
        .offset = offsetof(struct device, place.bus),
        .meaning = "pci, mmio for a platform device, isa for I/O ports",
    },
    {
        .name = "addr",
        .type = PROP_U32,
        .offset = offsetof(struct device, place.addr),
        .value = "0",
        .max = 31,
        .meaning = "slot on the PCI bus, 0 for the first free one",
    },
};

const struct prop *device_prop(const struct device_class *cls, size_t i)
{
    const size_t bus_prop_count = cls->pci != NULL ? 2 : cls->compatible != NULL ? 1 : 0;
    if (i < cls->prop_count) {
        return &cls->props[i];
    }
    i -= cls->prop_count;
    return i < bus_prop_count ? &bus_props[i] : NULL;
}

void device_raise(struct device *d, unsigned vector)
{
    assert(vector < DEVICE_VECTORS_MAX);
    d->bus->raise(d, vector);
}

void device_lower(struct device *d, unsigned vector)
{
    assert(vector < DEVICE_VECTORS_MAX);
    d->bus->lower(d, vector);
}

/* 0, or why the device cannot reach gpa. */
static int check_dma(struct device *d, uint64_t gpa)
{
    if (!d->bus->may_dma(d)) {
        return -EACCES;
    }
    return device_faulty(d, DEVICE_FAULT_DMA, gpa) ? -EFAULT : 0;
}

int device_dma_read(struct device *d, uint64_t gpa, void *buf, size_t len)
{
    const int ret = check_dma(d, gpa);
    return ret < 0 ? ret : dma_read(d->env->mem, gpa, buf, len);
}

int device_dma_write(struct device *d, uint64_t gpa, const void *buf, size_t len)
{
    const int ret = check_dma(d, gpa);
    return ret < 0 ? ret : dma_write(d->env->mem, gpa, buf, len);
}

int device_dma_map(struct device *d, uint64_t gpa, uint64_t len, bool write, struct iovec *iov,
                   int max)
{
    const int ret = check_dma(d, gpa);
    return ret < 0 ? ret : dma_map(d->env->mem, gpa, len, write, iov, max);
}
