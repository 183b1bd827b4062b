/*
 * String I/O on ports: counts above one, every width, both directions, from
 * kernel mode and from user mode.
 */
#include "guest.h"
#include "x86.h"

#define PORT_SCRATCH    (PORT_COM1 + 7) /* keeps what was written last */
#define PORT_UNASSIGNED 0x2e8
#define CMOS_MEMORY     0x60

#define GUARD 0x77

static uint8_t buffer[8192];

static void out_string_down8(uint16_t port, const uint8_t *last, size_t count)
{
    __asm__ volatile("std; rep outsb; cld" : "+S"(last), "+c"(count) : "d"(port) : "memory");
}

static void in_string_down8(uint16_t port, uint8_t *last, size_t count)
{
    __asm__ volatile("std; rep insb; cld" : "+D"(last), "+c"(count) : "d"(port) : "memory");
}

/* The port does not move, and items arrive in order: the last one stays. */
static void out_order(void)
{
    static const uint8_t items[] = {1, 2, 3, 4, 5};
    port_out_string8(PORT_SCRATCH, items, sizeof(items));
    CHECK_EQ(port_in8(PORT_SCRATCH), 5);
    out_string_down8(PORT_SCRATCH, items + sizeof(items) - 1, sizeof(items));
    CHECK_EQ(port_in8(PORT_SCRATCH), 1);
    port_out_string8(PORT_SCRATCH, items, 0);
    CHECK_EQ(port_in8(PORT_SCRATCH), 1);
}

/* All count items are written, and nothing beside them. */
static void in_count(size_t count, bool up)
{
    memset(buffer, GUARD, count + 16);
    port_out8(PORT_CMOS_INDEX, CMOS_MEMORY);
    port_out8(PORT_CMOS_DATA, 0xa5);
    if (up) {
        port_in_string8(PORT_CMOS_DATA, buffer + 8, count);
    } else {
        in_string_down8(PORT_CMOS_DATA, buffer + 8 + count - 1, count);
    }
    CHECK_EQ(buffer[7], GUARD);
    CHECK_EQ(buffer[8], 0xa5);
    CHECK_EQ(buffer[8 + count / 2], 0xa5);
    CHECK_EQ(buffer[8 + count - 1], 0xa5);
    CHECK_EQ(buffer[8 + count], GUARD);
}

static void in_wide(void)
{
    memset(buffer, GUARD, 64);
    port_in_string16(PORT_UNASSIGNED, buffer, 5);
    CHECK_EQ(get_le32(buffer + 6), 0xffffffff);
    CHECK_EQ(buffer[10], GUARD);
    port_in_string32(PORT_UNASSIGNED, buffer + 16, 5);
    CHECK_EQ(get_le32(buffer + 32), 0xffffffff);
    CHECK_EQ(buffer[36], GUARD);
    port_out_string16(PORT_UNASSIGNED, buffer, 5);
    port_out_string32(PORT_UNASSIGNED, buffer, 5);
}

static uint64_t all(uint64_t arg)
{
    static const char line[] = "string_io: by rep outsb\n";
    (void)arg;
    port_out_string8(PORT_COM1, line, sizeof(line) - 1);
    out_order();
    in_count(1, true);
    in_count(100, true);
    in_count(100, false);
    in_count(5000, true);
    in_wide();
    return 0;
}

int guest_main(void)
{
    all(0);
    user_call(all, 0);
    print("string_io: ok\n");
    return 0;
}
