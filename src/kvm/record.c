/*
 * The record of guest events: see record.h.
 */
#include "src/kvm/record.h"

#include <stdlib.h>
#include <time.h>

struct recorder *recorder_new(unsigned cpus, unsigned capacity)
{
    struct recorder *r = calloc(1, sizeof(*r) + cpus * sizeof(r->rings[0]));
    struct exit_record *records = calloc((size_t)cpus * capacity, sizeof(*records));
    if (r == NULL || records == NULL) {
        free(records);
        free(r);
        return NULL;
    }
    r->capacity = capacity;
    r->cpus = cpus;
    for (unsigned i = 0; i < cpus; i++) {
        r->rings[i].records = records + (size_t)i * capacity;
    }
    return r;
}

void recorder_free(struct recorder *r)
{
    if (r != NULL) {
        free(r->rings[0].records);
        free(r);
    }
}

void recorder_add(struct recorder *r, const struct exit_record *event)
{
    struct exit_ring *ring = &r->rings[event->cpu];
    struct exit_record *slot = &ring->records[ring->count % r->capacity];
    *slot = *event;
    slot->number = atomic_fetch_add_explicit(&r->events, 1, memory_order_relaxed) + 1;
    ring->count++;
    r->event(r->opaque, slot);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void recorder_look(struct recorder *r, unsigned cpu)
{
    struct exit_ring *ring = &r->rings[cpu];
    const uint64_t events = atomic_load_explicit(&r->events, memory_order_relaxed);
    const uint64_t now = own_cpu_ns();
    if (events != ring->seen_events || ring->seen_ns == 0) {
        ring->seen_events = events;
        ring->seen_ns = now;
    } else if (r->silent_ns != 0 && now - ring->seen_ns >= r->silent_ns) {
        r->silent(r->opaque, cpu);
    }
}

/* The newest event of all rings but those taken already; left: how many of each are not. */
static struct exit_record *newest(const struct recorder *r, uint64_t *left)
{
    struct exit_record *best = NULL;
    unsigned at = 0;
    for (unsigned i = 0; i < r->cpus; i++) {
        const struct exit_ring *ring = &r->rings[i];
        if (left[i] != 0 && left[i] + r->capacity > ring->count) {
            struct exit_record *e = &ring->records[(left[i] - 1) % r->capacity];
            if (best == NULL || e->number > best->number) {
                best = e;
                at = i;
            }
        }
    }
    if (best != NULL) {
        left[at]--;
    }
    return best;
}

static void reverse(struct exit_record *list, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const struct exit_record swap = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = swap;
    }
}

size_t recorder_last(const struct recorder *r, uint64_t after, struct exit_record *list, size_t max)
{
    uint64_t *left = calloc(r->cpus, sizeof(*left));
    size_t n = 0;
    if (left == NULL) {
        return 0;
    }
    for (unsigned i = 0; i < r->cpus; i++) {
        left[i] = r->rings[i].count;
    }
    while (n < max) {
        const struct exit_record *e = newest(r, left);
        if (e == NULL || e->number <= after) {
            break;
        }
        list[n++] = *e;
    }
    free(left);
    reverse(list, n);
    return n;
}
