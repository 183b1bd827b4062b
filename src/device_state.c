/*
 * Devices in snapshots: see device_state.h.
 */
#include "src/device_state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NAME_MAX_SIZE 64 /* of a field, class or bus, with its end */
#define FIELDS_MAX    64 /* of a table */

/* A table of fields, and the struct they are in. */
struct table {
    const struct field *fields;
    size_t count;
    uint32_t version;
    void *state;
};

static struct table class_table(struct device *d)
{
    return (struct table){d->cls->fields, d->cls->field_count, d->cls->version, d};
}

static struct table bus_table(struct device *d)
{
    if (d->bus == NULL) {
        return (struct table){0};
    }
    return (struct table){d->bus->fields, d->bus->field_count, d->bus->version, d->slot};
}

static void *element(const struct table *t, const struct field *f, uint32_t n)
{
    return (char *)t->state + f->offset + n * f->stride;
}

/* --- rest ------------------------------------------------------------- */

void device_pause(struct device *d)
{
    if (d->cls->pause != NULL) {
        d->cls->pause(d);
    }
}

void device_resume(struct device *d)
{
    if (d->bus != NULL && d->bus->resume != NULL) {
        d->bus->resume(d);
    }
    if (d->cls->resume != NULL) {
        d->cls->resume(d);
    }
}

/* --- saving ----------------------------------------------------------- */

static void save_table(const struct table *t, struct pack *out)
{
    pack_u32(out, (uint32_t)t->count);
    for (size_t i = 0; i < t->count; i++) {
        const struct field *f = &t->fields[i];
        pack_string(out, f->name);
        pack_u32(out, f->size);
        pack_u32(out, f->count);
        for (uint32_t n = 0; n < f->count; n++) {
            pack_number(out, element(t, f, n), f->size);
        }
    }
}

void device_state_save(struct device *d, struct pack *out)
{
    const struct table own = class_table(d);
    const struct table bus = bus_table(d);

    pack_string(out, d->id);
    pack_string(out, d->cls->name);
    pack_u32(out, own.version);
    pack_string(out, d->bus != NULL ? d->bus->name : "");
    pack_u32(out, bus.version);
    device_lock(d);
    save_table(&own, out);
    save_table(&bus, out);
    device_unlock(d);
}

/* --- loading ---------------------------------------------------------- */

static int damaged(struct err *e)
{
    return err_set(e, EINVAL, "its record is damaged");
}

static const struct field *find(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->fields[i].name, name) == 0) {
            return &t->fields[i];
        }
    }
    return NULL;
}

/* The values of f. */
static int load_field(const struct table *t, const struct field *f, struct unpack *in,
                      struct err *e)
{
    const uint32_t size = unpack_u32(in);
    const uint32_t count = unpack_u32(in);

    if (in->failed || size != f->size || count != f->count) {
        return in->failed ? damaged(e)
                          : err_set(e, EINVAL, "'%s' has %u values of %u bytes, not %u of %u",
                                    f->name, count, size, f->count, f->size);
    }
    for (uint32_t n = 0; n < count; n++) {
        uint8_t value[8];
        unpack_number(in, value, size);
        if (f->boolean && value[0] > 1) {
            return err_set(e, EINVAL, "'%s' is neither true nor false", f->name);
        }
        memcpy(element(t, f, n), value, size);
    }
    return in->failed ? damaged(e) : 0;
}

/* saved: the version of the record. */
static int load_table(const struct table *t, uint32_t saved, struct unpack *in, struct err *e)
{
    const uint32_t count = unpack_u32(in);
    bool seen[FIELDS_MAX] = {false};

    assert(t->count <= FIELDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        char name[NAME_MAX_SIZE];
        unpack_string(in, name, sizeof(name));
        const struct field *f = find(t, name);
        if (in->failed || f == NULL) {
            return in->failed ? damaged(e) : err_set(e, EINVAL, "it has no field '%s'", name);
        }
        const int ret = load_field(t, f, in, e);
        if (ret < 0) {
            return ret;
        }
        seen[f - t->fields] = true;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (!seen[i] && t->fields[i].since <= saved) {
            return err_set(e, EINVAL, "the field '%s' is missing", t->fields[i].name);
        }
    }
    return 0;
}

void device_state_id(struct unpack in, char id[DEVICE_ID_MAX])
{
    unpack_string(&in, id, DEVICE_ID_MAX);
}

static int check_version(const char *what, uint32_t saved, uint32_t known, struct err *e)
{
    if (saved <= known) {
        return 0;
    }
    err_set(e, EINVAL, "it has version %u of %s, this vmm knows up to %u", saved, what, known);
    err_hint(e, "a newer vmm made the snapshot: use that one, or make it again");
    return -EINVAL;
}

static int load_all(struct device *d, struct unpack *in, struct err *e)
{
    const struct table own = class_table(d);
    const struct table bus = bus_table(d);
    const char *bus_name = d->bus != NULL ? d->bus->name : "";
    char id[DEVICE_ID_MAX], cls[NAME_MAX_SIZE], on[NAME_MAX_SIZE];

    unpack_string(in, id, sizeof(id));
    unpack_string(in, cls, sizeof(cls));
    const uint32_t own_version = unpack_u32(in);
    unpack_string(in, on, sizeof(on));
    const uint32_t bus_version = unpack_u32(in);
    if (in->failed) {
        return damaged(e);
    }
    if (strcmp(cls, d->cls->name) != 0 || strcmp(on, bus_name) != 0) {
        return err_set(e, EINVAL, "it was a '%s' on the bus '%s', and is a '%s' on '%s'", cls, on,
                       d->cls->name, bus_name);
    }
    int ret = check_version("the device", own_version, own.version, e);
    if (ret == 0) {
        ret = check_version("its bus", bus_version, bus.version, e);
    }
    if (ret == 0) {
        ret = load_table(&own, own_version, in, e);
    }
    if (ret == 0) {
        ret = load_table(&bus, bus_version, in, e);
    }
    return ret == 0 && !unpack_done(in) ? damaged(e) : ret;
}

int device_state_load(struct device *d, struct unpack *in, struct err *e)
{
    device_lock(d);
    int ret = load_all(d, in, e);
    if (ret == 0 && d->bus != NULL && d->bus->loaded != NULL) {
        ret = d->bus->loaded(d, e);
    }
    if (ret == 0 && d->cls->loaded != NULL) {
        ret = d->cls->loaded(d, e);
    }
    device_unlock(d);
    if (ret < 0) {
        err_prefix(e, "device '%s'", d->id);
    }
    return ret;
}
