/*
 * Posted writes for a register that is written often and read by nobody: KVM
 * collects the writes in a ring and they do not exit one by one.
 *
 * The ring is drained before any exit is handled, so every other access of the
 * guest finds the device as if the writes had arrived at once. Only a write
 * that nothing follows could be late. Where that matters posting comes and
 * goes: it begins after a run of writes, a timer drains the ring every 20 ms,
 * and it ends when there was no write for a while, so an idle guest costs
 * nothing. Where it does not (the index of a pair of index and data registers)
 * it stays.
 *
 * Locking: posted_count() and posted_stop() with the device's lock held; the
 * rest is on the main loop's thread.
 */
#ifndef DEVICES_POSTED_H
#define DEVICES_POSTED_H

#include "src/device.h"

/* What to post and when. */
struct posted_rule {
    uint64_t offset; /* bytes of the region whose writes are posted */
    unsigned size;
    unsigned after;   /* writes in a run before it begins; a change costs KVM some exits' time */
    unsigned idle_ms; /* it ends after so long without a write; 0: it stays */
};

struct posted {
    struct device *dev;
    struct region *region; /* NULL: posting is not used */
    const struct posted_rule *rule;
    struct posted_write write;
    struct bh change;
    struct timer drain;
    unsigned run; /* writes since a reason not to post */
    unsigned idle_ms;
    bool active; /* a write since the last tick */
    bool wanted;
    bool on; /* what KVM was told; the loop's thread only */
};

/* enabled: false leaves all of it without effect. rule is borrowed. */
void posted_init(struct posted *p, struct device *d, struct region *region,
                 const struct posted_rule *rule, bool enabled);
void posted_fini(struct posted *p);

/* There was a write that may as well come late. */
void posted_count(struct posted *p);
/* From now on writes must come at once. */
void posted_stop(struct posted *p);

#endif
