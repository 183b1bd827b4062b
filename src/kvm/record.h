/*
 * A record of guest events: the accesses that left the guest for a device, the last
 * ones of each vCPU, in one order over all of them. And the word that ends a run: each event is
 * shown to a watcher, and a vCPU that runs without any is noticed.
 *
 * Off (vcpus.recorder NULL) it costs a load and a branch at each exit. On it does not allocate
 * or lock; only the count of events is shared between vCPUs.
 *
 * Locking: a ring is written by its vCPU's thread and read while the vCPUs are paused. The fields
 * that say what to watch for are set while they are paused.
 */
#ifndef KVM_RECORD_H
#define KVM_RECORD_H

#include "src/kvm/vcpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exit_record {
    uint64_t number; /* among all events of the machine, from 1 on */
    uint64_t address;
    uint64_t value;
    uint16_t cpu;
    uint8_t size; /* bytes */
    bool io;      /* a port */
    bool write;
};

struct recorder {
    _Atomic uint64_t events;

    /* Called on the vCPU's thread, an online mem_reader, after each event. */
    void (*event)(void *opaque, const struct exit_record *r);
    /* A vCPU has used silent_ns of CPU time, and there was no event meanwhile. On its thread. */
    void (*silent)(void *opaque, unsigned cpu);
    void *opaque;
    uint64_t silent_ns;

    unsigned capacity; /* of each ring */
    unsigned cpus;
    struct exit_ring {
        uint64_t count; /* of events put in since the beginning; number n is at n % capacity */
        struct exit_record *records;
        /* When this vCPU last looked: how many events there were, and its CPU time in ns. */
        uint64_t seen_events, seen_ns;
    } rings[];
};

/* NULL: out of memory. */
struct recorder *recorder_new(unsigned cpus, unsigned capacity);
void recorder_free(struct recorder *r);

/*
 * The last events, oldest first: at most max of those with a number above `after`, into list. Where
 * there are more, the newest. vCPUs are paused.
 */
size_t recorder_last(const struct recorder *r, uint64_t after, struct exit_record *list,
                     size_t max);

/* --- for the vCPU's thread ---------------------------------------------------- */

void recorder_add(struct recorder *r, const struct exit_record *event);
void recorder_look(struct recorder *r, unsigned cpu);

/* An access was carried out; data: its size bytes in memory order. */
static inline void record_access(const struct vcpu *v, bool io, bool write, uint64_t address,
                                 const uint8_t *data, size_t size)
{
    if (__builtin_expect(v->set->recorder != NULL, 0)) {
        struct exit_record event = {.address = address,
                                    .cpu = (uint16_t)v->index,
                                    .size = (uint8_t)size,
                                    .io = io,
                                    .write = write};
        for (size_t i = 0; i < size; i++) {
            event.value |= (uint64_t)data[i] << (8 * i);
        }
        recorder_add(v->set->recorder, &event);
    }
}

/* A signal got the vCPU out of the guest: was that the timer of its CPU time? */
static inline void recorder_interrupted(struct recorder *r, unsigned cpu)
{
    if (r != NULL) {
        recorder_look(r, cpu);
    }
}

#endif
