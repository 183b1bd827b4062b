/*
 * See pl011_fixture.h.
 */
#include "tests/unit/pl011_fixture.h"

struct pl011_fixture uart;

void pl011_setup(void)
{
    fake_machine_init(&uart.m, 0);
    uart.d = fake_device(&uart.m, "pl011", NULL);
}

void pl011_teardown(void)
{
    device_free(uart.d);
    fake_machine_free(&uart.m);
}

void pl011_listen(uint16_t lcrh, uint16_t imsc)
{
    wr(LCRH, lcrh);
    wr(CR, UART_ON);
    wr(IMSC, imsc);
}
