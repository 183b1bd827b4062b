/*
 * ACPI S3: sleep until the RTC's alarm, at its next second. RAM stays; the machine goes on at
 * the waking vector in real mode, where a few bytes end it through debug-exit with a value that
 * was in RAM. With `lost` on the command line there is no waking vector, and it starts anew.
 */
#include "guest.h"
#include "x86.h"

enum { /* in the FADT and the FACS */
       FIRMWARE_CTRL = 36,
       PM1A_EVT_BLK = 56,
       PM1A_CNT_BLK = 64,
       WAKING_VECTOR = 12,
};

#define PM1_ENABLE 2 /* from the event block on */
#define RTC_EN     0x0400
#define GO_S3      0x2400

#define RTC_ALARM_ANY    0xc0
#define RTC_CONTROL      0x0b
#define RTC_ALARM_ENABLE 0x20

/* cs:ip is 6001:000c there. */
#define VECTOR      0x6001cUL
#define VALUE_AT_CS 0x40

static const uint8_t resume[] = {
    0x2e,        0xa0,
    VALUE_AT_CS, 0,               /* mov al, cs:[VALUE_AT_CS] */
    0xe6,        PORT_DEBUG_EXIT, /* out 0xf4, al */
    0xf4,                         /* hlt */
};

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void cmos_write(uint8_t index, uint8_t value)
{
    port_out8(PORT_CMOS_INDEX, index);
    port_out8(PORT_CMOS_DATA, value);
}

/* An alarm at every second. */
static void set_alarm(void)
{
    for (uint8_t index = 1; index <= 5; index += 2) {
        cmos_write(index, RTC_ALARM_ANY);
    }
    port_out8(PORT_CMOS_INDEX, RTC_CONTROL);
    cmos_write(RTC_CONTROL, port_in8(PORT_CMOS_DATA) | RTC_ALARM_ENABLE);
}

int guest_main(void)
{
    const uint8_t *fadt = acpi_find("FACP");
    CHECK(fadt != NULL);
    if (cmdline_has("lost") && count_starts() == 2) {
        print("s3: started anew\n");
        return 0;
    }
    volatile uint8_t *facs = (volatile uint8_t *)(uintptr_t)get32(fadt + FIRMWARE_CTRL);
    CHECK(facs[0] == 'F' && facs[3] == 'S');
    memcpy((void *)VECTOR, resume, sizeof(resume));
    *(volatile uint8_t *)((VECTOR & ~0xfUL) + VALUE_AT_CS) = 21;
    for (unsigned i = 0; i < 4 && !cmdline_has("lost"); i++) {
        facs[WAKING_VECTOR + i] = (uint8_t)(VECTOR >> 8 * i);
    }
    set_alarm();
    print("s3: good night\n");
    port_out16((uint16_t)get32(fadt + PM1A_EVT_BLK) + PM1_ENABLE, RTC_EN);
    port_out16((uint16_t)get32(fadt + PM1A_CNT_BLK), GO_S3);
    *(volatile uint8_t *)((VECTOR & ~0xfUL) + VALUE_AT_CS) = 63; /* must not run */
    return 1;
}
