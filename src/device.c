/*
 * Devices: instances and their properties. See device.h.
 */
#include "src/device.h"

#include "src/base/trace.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- properties ------------------------------------------------------- */

static int unknown_prop(const struct device_class *cls, const char *name, struct err *e)
{
    struct opt_guess guess;
    opt_guess_start(&guess, name);
    const struct prop *p;
    for (size_t i = 0; (p = device_prop(cls, i)) != NULL; i++) {
        opt_guess_try(&guess, p->name);
    }
    int ret = err_set(e, ENOENT, "device '%s' has no property '%s'", cls->name, name);
    if (guess.best != NULL) {
        err_hint(e, "did you mean '%s'?", guess.best);
    } else {
        err_hint(e, "--device %s,help lists its properties", cls->name);
    }
    return ret;
}

static void *prop_field(struct device *d, const struct prop *p)
{
    return (char *)d + p->offset;
}

static int set_string(char **field, const char *value, struct err *e)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return err_set(e, ENOMEM, "out of memory");
    }
    free(*field);
    *field = copy;
    return 0;
}

static int set_u32(uint32_t *field, const char *value, uint64_t min, uint64_t max, struct err *e)
{
    uint64_t v;
    int ret = opt_u64(value, min, max < UINT32_MAX ? max : UINT32_MAX, &v, e);
    if (ret == 0) {
        *field = (uint32_t)v;
    }
    return ret;
}

static int set_prop(struct device *d, const struct prop *p, const char *value, struct err *e)
{
    void *field = prop_field(d, p);
    uint64_t max = p->min == 0 && p->max == 0 ? UINT64_MAX : p->max;
    if (value == NULL) {
        if (p->type != PROP_BOOL) {
            return err_set(e, EINVAL, "it needs a value");
        }
        value = "on";
    }
    switch (p->type) {
    case PROP_BOOL:
        return opt_bool(value, field, e);
    case PROP_U32:
        return set_u32(field, value, p->min, max, e);
    case PROP_U64:
        return opt_u64(value, p->min, max, field, e);
    case PROP_SIZE:
        return opt_size(value, p->min, max, field, e);
    case PROP_STRING:
        return set_string(field, value, e);
    }
    return -EINVAL;
}

int device_set(struct device *d, const char *prop, const char *value, struct err *e)
{
    assert(!d->realized);
    const struct prop *p;
    for (size_t i = 0; (p = device_prop(d->cls, i)) != NULL; i++) {
        if (strcmp(p->name, prop) == 0) {
            int ret = set_prop(d, p, value, e);
            if (ret < 0) {
                err_prefix(e, "device '%s', property '%s'", d->cls->name, prop);
            }
            return ret;
        }
    }
    return unknown_prop(d->cls, prop, e);
}

static int set_defaults(struct device *d, struct err *e)
{
    const struct prop *p;
    for (size_t i = 0; (p = device_prop(d->cls, i)) != NULL; i++) {
        if (p->value != NULL) {
            int ret = set_prop(d, p, p->value, e);
            if (ret < 0) {
                return ret;
            }
        }
    }
    return 0;
}

static void free_strings(struct device *d)
{
    const struct prop *p;
    for (size_t i = 0; (p = device_prop(d->cls, i)) != NULL; i++) {
        if (p->type == PROP_STRING) {
            char **field = prop_field(d, p);
            free(*field);
        }
    }
}

/* --- instances -------------------------------------------------------- */

struct device *device_new(const struct device_class *cls, const char *id,
                          const struct device_env *env, struct err *e)
{
    assert(cls->state_size >= sizeof(struct device));
    struct device *d = calloc(1, cls->state_size);
    if (d == NULL) {
        err_set(e, ENOMEM, "cannot make device '%s', out of memory", cls->name);
        return NULL;
    }
    d->cls = cls;
    d->env = env;
    snprintf(d->id, sizeof(d->id), "%s", id);
    io_guard_init(&d->guard);
    if (set_defaults(d, e) < 0) {
        err_prefix(e, "cannot make device '%s'", cls->name);
        device_free(d);
        return NULL;
    }
    return d;
}

int device_realize(struct device *d, struct err *e)
{
    int ret = d->bus != NULL ? d->bus->realize(d, e) : 0;
    if (ret == 0 && d->cls->realize != NULL) {
        ret = d->cls->realize(d, e);
    }
    if (ret < 0) {
        return ret;
    }
    d->realized = true;
    device_reset(d);
    return 0;
}

void device_reset_locked(struct device *d)
{
    trace(TRACE_device_reset, "%s", d->id);
    if (d->bus != NULL) {
        d->bus->reset(d);
    }
    if (d->cls->reset != NULL) {
        d->cls->reset(d);
    }
}

void device_reset(struct device *d)
{
    device_lock(d);
    device_reset_locked(d);
    device_unlock(d);
}

void device_free(struct device *d)
{
    if (d == NULL) {
        return;
    }
    if (d->realized && d->cls->unrealize != NULL) {
        d->cls->unrealize(d);
    }
    if (d->bus != NULL) {
        d->bus->unplug(d);
    }
    for (size_t i = 0; i < d->region_count; i++) {
        region_fini(&d->regions[i].region);
        free(d->regions[i].sizes);
    }
    free_strings(d);
    free(atomic_load(&d->faults));
    io_guard_destroy(&d->guard);
    free(d);
}

void device_lock(struct device *d)
{
    io_guard_enter(&d->guard);
}

void device_unlock(struct device *d)
{
    io_guard_leave(&d->guard);
}
