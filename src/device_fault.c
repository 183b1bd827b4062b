/*
 * Faults of devices, for tests: see device.h.
 *
 * Locking: faults are added and cleared while the vCPUs are paused, and may strike meanwhile on a
 * device's own threads. An entry does not change once `used` covers it; how often it was asked
 * is an atomic counter, so that no two threads take the same turn.
 */
#include "src/device.h"

#include <errno.h>
#include <stdlib.h>

#define FAULTS_MAX 8

struct device_faults {
    _Atomic unsigned used;
    _Atomic uint64_t struck;
    struct {
        struct device_fault fault;
        _Atomic uint64_t seen; /* how many it could have struck */
    } list[FAULTS_MAX];
};

int device_fault_add(struct device *d, const struct device_fault *f, struct err *e)
{
    struct device_faults *faults = atomic_load(&d->faults);
    if (faults == NULL) {
        faults = calloc(1, sizeof(*faults));
        if (faults == NULL) {
            return err_set(e, ENOMEM, "out of memory for a fault");
        }
        atomic_store(&d->faults, faults);
    }
    const unsigned n = atomic_load(&faults->used);
    if (n == FAULTS_MAX) {
        err_set(e, ENOSPC, "device '%s' has %d faults already", d->id, FAULTS_MAX);
        return -ENOSPC;
    }
    faults->list[n].fault = *f;
    atomic_store(&faults->list[n].seen, 0);
    atomic_store(&faults->used, n + 1);
    return 0;
}

void device_fault_clear(struct device *d)
{
    struct device_faults *faults = atomic_load(&d->faults);
    if (faults != NULL) {
        atomic_store(&faults->used, 0);
    }
}

uint64_t device_fault_count(const struct device *d)
{
    const struct device_faults *faults = atomic_load(&d->faults);
    return faults != NULL ? atomic_load(&faults->struck) : 0;
}

bool device_fault_strikes(struct device_faults *faults, enum device_fault_kind kind,
                          uint64_t offset)
{
    const unsigned used = atomic_load(&faults->used);
    bool strikes = false;
    for (unsigned i = 0; i < used; i++) {
        const struct device_fault *f = &faults->list[i].fault;
        if (f->kind == kind && (f->any_offset || f->offset == offset)) {
            const uint64_t turn = atomic_fetch_add(&faults->list[i].seen, 1);
            strikes |= turn >= f->after && turn - f->after < f->times;
        }
    }
    if (strikes) {
        atomic_fetch_add(&faults->struck, 1);
    }
    return strikes;
}
