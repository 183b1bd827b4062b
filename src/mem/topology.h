/*
 * A topology: the set of region trees and address spaces of one machine, and
 * the transactions on them.
 *
 * Changes between topology_begin() and topology_commit() become visible
 * together: the outermost commit renders each address space anew, tells its
 * listeners the difference, and publishes the new view. Readers never lock.
 * They are threads that announced themselves (struct mem_reader) and pin what
 * they see by being online; a replaced view is freed once every reader that
 * could see it has been offline since ("QSBR", reader.c).
 *
 * Locking: one mutex a topology, held from begin to commit and while listeners
 * are called. Listeners and region changes never call devices, and a thread in a
 * transaction takes no device's lock.
 */
#ifndef MEM_TOPOLOGY_H
#define MEM_TOPOLOGY_H

#include <stdatomic.h>
#include <stdint.h>

struct topology;

struct topology *topology_new(void);    /* NULL: out of memory */
void topology_free(struct topology *t); /* no address spaces, readers or regions left */

void topology_begin(struct topology *t);
/*
 * 0, or the first error of a listener (-errno; a slot KVM refused), -ENOMEM,
 * or -E2BIG (the limits in flatview.h): the old view stays when rendering failed,
 * and the next commit tries again. An inner commit returns 0.
 */
int topology_commit(struct topology *t);

/*
 * A thread that looks addresses up. Between online and offline the views and
 * regions it finds stay valid; a thread that blocks (KVM_RUN, epoll) goes
 * offline first. Nesting is not allowed. All four are wait-free except register.
 */
struct mem_reader {
    _Atomic uint64_t epoch; /* 0: offline */
    struct topology *topo;
    struct mem_reader *next;
};

void mem_reader_register(struct mem_reader *r, struct topology *t);
void mem_reader_unregister(struct mem_reader *r);
void mem_reader_online(struct mem_reader *r);
void mem_reader_offline(struct mem_reader *r);

#endif
