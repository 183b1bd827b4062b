/*
 * The region tree: building and changing it. See region.h.
 *
 * Locking: every change holds the topology's lock, through a transaction.
 */
#include "src/mem/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void init(struct region *r, struct topology *t, enum region_kind kind, const char *name,
                 uint64_t size)
{
    assert(size != 0);
    *r = (struct region){
        .kind = kind,
        .topo = t,
        .last = size == REGION_ALL ? UINT64_MAX : size - 1,
        .enabled = true,
    };
    snprintf(r->name, sizeof(r->name), "%s", name);
}

void region_init_container(struct region *r, struct topology *t, const char *name, uint64_t size)
{
    init(r, t, REGION_CONTAINER, name, size);
}

void region_init_ram(struct region *r, struct topology *t, const char *name, uint64_t size,
                     void *host)
{
    init(r, t, REGION_RAM, name, size);
    r->host = host;
}

void region_init_rom(struct region *r, struct topology *t, const char *name, uint64_t size,
                     void *host)
{
    init(r, t, REGION_ROM, name, size);
    r->host = host;
}

void region_init_io(struct region *r, struct topology *t, const char *name, uint64_t size,
                    const struct region_ops *ops, void *opaque, struct io_guard *guard)
{
    init(r, t, REGION_IO, name, size);
    r->ops = ops;
    r->opaque = opaque;
    r->guard = guard;
}

void region_init_alias(struct region *r, struct topology *t, const char *name, uint64_t size,
                       struct region *target, uint64_t target_offset)
{
    init(r, t, REGION_ALIAS, name, size);
    r->target = target;
    r->target_offset = target_offset;
    topology_begin(t);
    target->alias_users++;
    topology_commit(t);
}

void region_fini(struct region *r)
{
    topology_begin(r->topo);
    if (r->parent != NULL) {
        region_del(r);
    }
    assert(r->children == NULL && r->alias_users == 0);
    if (r->kind == REGION_ALIAS) {
        r->target->alias_users--;
    }
    free(r->posted);
    r->posted = NULL;
    r->posted_count = 0;
    topology_commit(r->topo);
}

static void add_todo(struct region **todo, struct region *r, uint64_t mark)
{
    if (r->mark != mark) {
        r->mark = mark;
        r->todo = *todo;
        *todo = r;
    }
}

/*
 * Does `from` contain or show `wanted`? Each region is looked at once, however
 * many aliases lead to it, and the list of work lies in the regions: neither
 * time nor stack can explode.
 */
static bool reaches(struct region *from, const struct region *wanted)
{
    uint64_t mark = ++from->topo->mark;
    struct region *todo = NULL;

    add_todo(&todo, from, mark);
    while (todo != NULL) {
        struct region *r = todo;
        todo = r->todo;
        if (r == wanted) {
            return true;
        }
        if (r->kind == REGION_ALIAS) {
            add_todo(&todo, r->target, mark);
        }
        for (struct region *c = r->children; c != NULL; c = c->sibling) {
            add_todo(&todo, c, mark);
        }
    }
    return false;
}

static void link_child(struct region *parent, struct region *child)
{
    struct region **at = &parent->children;

    while (*at != NULL && (*at)->priority > child->priority) {
        at = &(*at)->sibling;
    }
    child->sibling = *at;
    *at = child;
    child->parent = parent;
}

static void unlink_child(struct region *child)
{
    struct region **at = &child->parent->children;

    while (*at != child) {
        at = &(*at)->sibling;
    }
    *at = child->sibling;
    child->parent = NULL;
    child->sibling = NULL;
}

int region_add(struct region *parent, uint64_t offset, struct region *child, int priority)
{
    int err = 0, commit_err;

    assert(parent->kind == REGION_CONTAINER || parent->kind == REGION_IO);
    topology_begin(parent->topo);
    if (child->parent != NULL) {
        err = -EBUSY;
    } else if (reaches(child, parent)) {
        err = -ELOOP;
    } else {
        child->offset = offset;
        child->priority = priority;
        link_child(parent, child);
        topology_touch(child);
    }
    commit_err = topology_commit(parent->topo);
    return err != 0 ? err : commit_err;
}

int region_del(struct region *child)
{
    int err = 0, commit_err;

    topology_begin(child->topo);
    if (child->parent == NULL) {
        err = -ENOENT;
    } else {
        topology_touch(child);
        unlink_child(child);
    }
    commit_err = topology_commit(child->topo);
    return err != 0 ? err : commit_err;
}

int region_set_enabled(struct region *r, bool enabled)
{
    topology_begin(r->topo);
    if (r->enabled != enabled) {
        r->enabled = true; /* a disabled region touches nothing */
        topology_touch(r);
        r->enabled = enabled;
    }
    return topology_commit(r->topo);
}

int region_set_readonly(struct region *r, bool readonly)
{
    topology_begin(r->topo);
    if (r->readonly != readonly) {
        r->readonly = readonly;
        topology_touch(r);
    }
    return topology_commit(r->topo);
}

/* Set one of r's numbers and commit. */
static int set_number(struct region *r, uint64_t *number, uint64_t value)
{
    topology_begin(r->topo);
    if (*number != value) {
        *number = value;
        topology_touch(r);
    }
    return topology_commit(r->topo);
}

int region_set_offset(struct region *r, uint64_t offset)
{
    return set_number(r, &r->offset, offset);
}

int region_set_size(struct region *r, uint64_t size)
{
    if (size == 0) {
        return -EINVAL;
    }
    return set_number(r, &r->last, size == REGION_ALL ? UINT64_MAX : size - 1);
}

int region_set_alias_offset(struct region *r, uint64_t target_offset)
{
    assert(r->kind == REGION_ALIAS);
    return set_number(r, &r->target_offset, target_offset);
}

static bool posted_equal(const struct posted_write *a, const struct posted_write *b)
{
    return a->kind == b->kind && a->offset == b->offset && a->size == b->size &&
           a->match == b->match && a->value == b->value && a->fd == b->fd;
}

static bool posted_valid(const struct region *r, const struct posted_write *p)
{
    const bool access = p->size <= 8 && (p->size & (p->size - 1)) == 0;

    if (p->size == 0) {
        return p->kind == POSTED_EVENTFD && p->offset <= r->last;
    }
    return (p->kind == POSTED_COALESCED || access) &&
           range_contains_len((struct range){0, r->last}, p->offset, p->size);
}

/* Index of p in r's list, or posted_count. */
static size_t posted_index(const struct region *r, const struct posted_write *p)
{
    size_t i = 0;

    while (i < r->posted_count && !posted_equal(&r->posted[i], p)) {
        i++;
    }
    return i;
}

static int posted_append(struct region *r, const struct posted_write *p)
{
    struct posted_write *list;

    if (!posted_valid(r, p)) {
        return -EINVAL;
    }
    if (posted_index(r, p) != r->posted_count) {
        return -EEXIST;
    }
    list = realloc(r->posted, (r->posted_count + 1) * sizeof(*list));
    if (list == NULL) {
        return -ENOMEM;
    }
    r->posted = list;
    list[r->posted_count++] = *p;
    topology_touch(r);
    return 0;
}

int region_add_posted(struct region *r, const struct posted_write *p)
{
    int err, commit_err;

    topology_begin(r->topo);
    err = posted_append(r, p);
    commit_err = topology_commit(r->topo);
    return err != 0 ? err : commit_err;
}

int region_del_posted(struct region *r, const struct posted_write *p)
{
    int err = 0, commit_err;
    size_t i;

    topology_begin(r->topo);
    i = posted_index(r, p);
    if (i == r->posted_count) {
        err = -ENOENT;
    } else {
        r->posted[i] = r->posted[--r->posted_count];
        topology_touch(r);
    }
    commit_err = topology_commit(r->topo);
    return err != 0 ? err : commit_err;
}
