/*
 * Trace points. Each event is one line of TRACE_EVENTS below; a call such as
 *     trace(TRACE_mmio_read, "gpa 0x%" PRIx64 " size %u", gpa, size);
 * costs one load and one predicted branch while the event is off. Events carry
 * the host's monotonic time in microseconds since trace_enable(), which also
 * runs while the machine is paused.
 *
 * Locking: switches are set before vCPUs run; an emitted line is one write(2).
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "src/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* X(name, meaning): the names that --trace globs match, "--trace help" lists. */
#define TRACE_EVENTS(X)                                                                            \
    X(kvm_exit, "a vCPU left KVM_RUN: vcpu, reason")                                               \
    X(kvm_memslot, "a memory slot was set or deleted: slot, gpa, size, flags")                     \
    X(kvm_ioeventfd, "a doorbell was registered or removed")                                       \
    X(kvm_coalesced, "a port or address became coalesced (its writes wait in a ring) or no more")  \
    X(kvm_irq, "an interrupt line changed: gsi, level")                                            \
    X(mem_read, "a guest read reached a device: address space, address, size, value")              \
    X(mem_write, "a guest write reached a device: address space, address, size, value")            \
    X(mem_unassigned, "a guest access hit nothing: address space, address, size")                  \
    X(mem_commit, "an address space was rendered anew: name, ranges")                              \
    X(dma_fault, "a device's copy was refused: address, length")                                   \
    X(device_reset, "a device was reset: id")                                                      \
    X(device_misfit, "a register table refused a guest access: id, block, offset, size")           \
    X(pci_config_read, "a PCI register was read: device, offset, name, size, value")               \
    X(pci_config_write, "a PCI register was written: device, offset, name, size, value")           \
    X(pci_bar, "a BAR moved: device, BAR, window or off, address")                                 \
    X(uart_tx, "a byte left the UART")                                                             \
    X(uart_rx, "a byte was read by the guest")                                                     \
    X(virtio_status, "a driver changed the status register: device, from, to")                     \
    X(virtio_queue_ready, "a queue became ready or stopped: device, queue, size")                  \
    X(virtio_notify, "a queue was kicked: device, queue")                                          \
    X(virtio_interrupt, "a device interrupted its driver: device, status")                         \
    X(virtio_blk_request, "a block request began: device, type, sector, bytes")                    \
    X(virtio_blk_complete, "a block request ended: device, type, status")                          \
    X(dma_engine_start, "a copy began: device, from, to, size")                                    \
    X(dma_engine_end, "a copy ended: device, channel, bytes, error")                               \
    X(boot_load, "bytes were placed into guest memory at set-up: what, gpa, size")                 \
    X(vcpu_state, "a vCPU started, paused or stopped: vcpu, state")

enum trace_event {
#define TRACE_ENUM(name, meaning) TRACE_##name,
    TRACE_EVENTS(TRACE_ENUM)
#undef TRACE_ENUM
        TRACE_EVENT_COUNT
};

/* Read with relaxed order by trace(); written by trace_enable() only. */
extern _Atomic unsigned char trace_enabled[TRACE_EVENT_COUNT];

#define trace_on(event)                                                                            \
    (__builtin_expect(atomic_load_explicit(&trace_enabled[event], memory_order_relaxed), 0) != 0)
#define trace(event, ...)                                                                          \
    do {                                                                                           \
        if (trace_on(event)) {                                                                     \
            trace_emit(event, __VA_ARGS__);                                                        \
        }                                                                                          \
    } while (0)

void trace_emit(enum trace_event event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Switch on the events that one of the comma-separated globs matches. A glob
 * that matches nothing is an error (-EINVAL, with the nearest name as hint).
 */
int trace_enable(const char *patterns, struct err *e);

/*
 * Send events to a file instead of stderr; created or truncated. A name ending
 * in ".json" gets Chrome trace format (opens in Perfetto), any other text.
 */
int trace_open(const char *path, struct err *e);

/* Complete the file (JSON needs its last bracket). Safe without trace_open(). */
void trace_close(void);

/* Name and meaning of event i, for "--trace help". */
const char *trace_name(enum trace_event event);
const char *trace_meaning(enum trace_event event);

#endif
