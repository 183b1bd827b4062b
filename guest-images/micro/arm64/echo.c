/*
 * The serial console as a driver uses it: input by interrupt, out of the FIFO
 * until it is empty. Sends every byte back; with "sum" on the command line it
 * keeps them instead and prints their checksum. Ends after bytes=N bytes.
 */
#include "guest.h"
#include "virt.h"

#define UART_DATA       (UART_GPA + 0x00)
#define UART_FLAGS      (UART_GPA + 0x18)
#define UART_LINE       (UART_GPA + 0x2c)
#define UART_INT_ENABLE (UART_GPA + 0x38)
#define UART_INT_CLEAR  (UART_GPA + 0x44)

#define DATA_ERRORS    0xf00
#define FLAG_RX_EMPTY  0x10
#define LINE_8_FIFO    0x70
#define INT_RX_TIMEOUT 0x50 /* the trigger level, or a pause below it */

static uint8_t buffer[2 << 20];
static size_t received, expected;
static bool sum_only;

static void on_uart(void *arg)
{
    (void)arg;
    mmio_write32(UART_INT_CLEAR, INT_RX_TIMEOUT);
    while ((mmio_read32(UART_FLAGS) & FLAG_RX_EMPTY) == 0) {
        const uint32_t data = mmio_read32(UART_DATA);
        CHECK((data & DATA_ERRORS) == 0);
        buffer[received++ % sizeof(buffer)] = (uint8_t)data;
        if (!sum_only) {
            console_putc((char)data);
        }
    }
}

/* Finds lost, doubled and swapped bytes. */
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
    irq_attach_line(GSI_UART, on_uart, NULL);
    mmio_write32(UART_LINE, LINE_8_FIFO);
    mmio_write32(UART_INT_ENABLE, INT_RX_TIMEOUT);
    print("echo: ready\n");
    while (received < expected) {
        wait_for_interrupt();
    }
    mmio_write32(UART_INT_ENABLE, 0);
    if (sum_only) {
        print("echo: %lu bytes, sum %08lx\n", received, checksum(received));
    }
    print("echo: ok\n");
    return 0;
}
