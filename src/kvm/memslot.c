/*
 * Memory slots: a listener on the memory address space.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.35 KVM_SET_USER_MEMORY_REGION.
 * Locking: the topology's lock, held by the core around add() and del().
 */
#include "src/kvm/memslot.h"

#include "src/base/log.h"
#include "src/base/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_STEP 16

static struct memslots *from_listener(struct aspace_listener *l)
{
    return (struct memslots *)(void *)l;
}

/* The whole pages of r that KVM can map. False: none. */
static bool slot_pages(const struct memslots *m, const struct flat_range *r, uint64_t *gpa,
                       uint64_t *size, uint8_t **host)
{
    const uint64_t mask = m->kvm->page_size - 1;
    if (r->region->kind != REGION_RAM && r->region->kind != REGION_ROM) {
        return false;
    }
    uint64_t skip = -r->addr.first & mask;
    uint64_t length = r->addr.last - r->addr.first;
    if (length < skip) {
        return false;
    }
    /* The last address may be 2^64 - 1: add 1 only after the start was taken off. */
    *size = (length - skip + 1) & ~mask;
    *gpa = r->addr.first + skip;
    *host = r->region->host + r->offset + skip;
    return *size != 0 && ((uintptr_t)*host & mask) == 0;
}

/* The number of a slot that is free, or of the one at gpa; -1: none. */
static int slot_find(const struct memslots *m, bool free_one, uint64_t gpa)
{
    for (unsigned i = 0; i < m->count; i++) {
        bool is_free = m->slots[i].size == 0;
        if (free_one ? is_free : (!is_free && m->slots[i].gpa == gpa)) {
            return (int)i;
        }
    }
    return -1;
}

static int slot_new(struct memslots *m)
{
    int found = slot_find(m, true, 0);
    if (found >= 0) {
        return found;
    }
    unsigned room = m->kvm->max_slots - m->count;
    unsigned more = room < SLOTS_STEP ? room : SLOTS_STEP;
    if (more == 0) {
        return -ENOSPC;
    }
    struct memslot *grown = realloc(m->slots, (m->count + more) * sizeof(*grown));
    if (grown == NULL) {
        return -ENOMEM;
    }
    memset(grown + m->count, 0, more * sizeof(*grown));
    m->slots = grown;
    found = (int)m->count;
    m->count += more;
    return found;
}

static int slot_set(struct memslots *m, int slot, uint64_t gpa, uint64_t size, uint8_t *host,
                    bool readonly)
{
    struct kvm_userspace_memory_region region = {
        .slot = (uint32_t)slot,
        .flags = readonly ? KVM_MEM_READONLY : 0,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = (uintptr_t)host,
    };
    trace(TRACE_kvm_memslot, "slot %d gpa 0x%" PRIx64 " size 0x%" PRIx64 "%s", slot, gpa, size,
          readonly ? " ro" : "");
    return kvm_ioctl(m->kvm, m->kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Say what KVM refused: to the caller of memslots_attach, later to the log. */
static int explain(const struct memslots *m, uint64_t gpa, uint64_t size, int r)
{
    struct err local = ERR_INIT;
    struct err *e = m->err != NULL ? m->err : &local;
    if (r == -ENOSPC) {
        err_set(e, ENOSPC, "guest memory needs more than the %u slots KVM has", m->kvm->max_slots);
    } else {
        err_set(e, -r, "KVM refused guest memory at 0x%" PRIx64 ", %" PRIu64 " bytes: %s", gpa,
                size, strerror(-r));
    }
    if (m->err == NULL) {
        log_warn("%s", e->what);
    }
    return r;
}

static int slot_add(struct aspace_listener *l, const struct flat_range *r)
{
    struct memslots *m = from_listener(l);
    uint64_t gpa;
    uint64_t size;
    uint8_t *host;
    if (!slot_pages(m, r, &gpa, &size, &host)) {
        return 0;
    }
    int slot = slot_new(m);
    if (slot < 0) {
        return explain(m, gpa, size, slot);
    }
    int result = slot_set(m, slot, gpa, size, host, r->readonly || r->region->kind == REGION_ROM);
    if (result < 0) {
        return explain(m, gpa, size, result);
    }
    m->slots[slot] = (struct memslot){.gpa = gpa, .size = size};
    return 0;
}

static void slot_del(struct aspace_listener *l, const struct flat_range *r)
{
    struct memslots *m = from_listener(l);
    uint64_t gpa;
    uint64_t size;
    uint8_t *host;
    if (!slot_pages(m, r, &gpa, &size, &host)) {
        return;
    }
    /* A range KVM refused when it was added has no slot. */
    int slot = slot_find(m, false, gpa);
    if (slot >= 0) {
        slot_set(m, slot, gpa, 0, host, false);
        m->slots[slot].size = 0;
    }
}

int memslots_attach(struct memslots *m, struct kvm *kvm, struct aspace *mem, struct err *e)
{
    *m = (struct memslots){
        .listener = {.add = slot_add, .del = slot_del},
        .kvm = kvm,
        .mem = mem,
        .err = e,
    };
    int r = aspace_listen(mem, &m->listener);
    m->err = NULL;
    if (r < 0) {
        memslots_detach(m);
    }
    return r;
}

void memslots_detach(struct memslots *m)
{
    if (m->mem != NULL) {
        aspace_unlisten(m->mem, &m->listener);
    }
    free(m->slots);
    *m = (struct memslots){0};
}
