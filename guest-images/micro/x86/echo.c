/*
 * The serial console as a driver uses it: input by interrupt, out of the FIFO
 * in bursts. Sends every byte back; with "sum" on the command line it keeps
 * them instead and prints their checksum. Ends after bytes=N bytes.
 */
#include "guest.h"
#include "x86.h"

#define COM1_DATA        PORT_COM1
#define COM1_INT_ENABLE  (PORT_COM1 + 1)
#define COM1_INT_ID      (PORT_COM1 + 2)
#define COM1_FIFO        (PORT_COM1 + 2)
#define COM1_MODEM       (PORT_COM1 + 4)
#define COM1_LINE_STATUS (PORT_COM1 + 5)

#define INT_ON_DATA    0x01
#define INT_ID_MASK    0x0f
#define INT_ID_DATA    0x04 /* the FIFO has reached its trigger level */
#define FIFO_TRIGGER_8 0xc7 /* on, emptied */
#define MODEM_INT_ON   0x0b /* DTR, RTS, OUT2 */
#define STATUS_DATA    0x01
#define STATUS_OVERRUN 0x02

#define VECTOR_COM1 VECTOR_DEVICE
#define BURST       8

static uint8_t buffer[(2 << 20) + BURST];
static size_t received, expected;
static bool sum_only;

static void take(size_t count)
{
    uint8_t *at = buffer + received % (sizeof(buffer) - BURST);
    port_in_string8(COM1_DATA, at, count);
    if (!sum_only) {
        port_out_string8(COM1_DATA, at, count);
    }
    received += count;
}

static void on_com1(struct trap_frame *frame)
{
    (void)frame;
    for (;;) {
        if ((port_in8(COM1_INT_ID) & INT_ID_MASK) == INT_ID_DATA) {
            take(BURST);
            continue;
        }
        const uint8_t status = port_in8(COM1_LINE_STATUS);
        CHECK((status & STATUS_OVERRUN) == 0);
        if ((status & STATUS_DATA) == 0) {
            break;
        }
        take(1);
    }
    lapic_eoi();
}

/* In user mode. The cksum(1) of POSIX needs a table; this finds lost, doubled and swapped bytes. */
static uint64_t checksum(uint64_t count)
{
    uint32_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum = sum * 31 + buffer[i];
    }
    return sum;
}

int guest_main(void)
{
    sum_only = cmdline_has("sum");
    expected = cmdline_number("bytes", 16);
    lapic_enable();
    trap_set(VECTOR_COM1, on_com1);
    ioapic_route(GSI_COM1, VECTOR_COM1, false);
    port_out8(COM1_FIFO, FIFO_TRIGGER_8);
    port_out8(COM1_MODEM, MODEM_INT_ON);
    port_out8(COM1_INT_ENABLE, INT_ON_DATA);
    print("echo: ready\n");
    while (received < expected) {
        wait_for_interrupt();
    }
    port_out8(COM1_INT_ENABLE, 0);
    if (sum_only) {
        print("echo: %lu bytes, sum %08lx\n", received, user_call(checksum, received));
    }
    print("echo: ok\n");
    return 0;
}
