/*
 * The fixed ACPI hardware's link to the clock that wakes it. See acpi_fixed.c.
 */
#ifndef DEVICES_ACPI_FIXED_H
#define DEVICES_ACPI_FIXED_H

#include "src/device.h"

/* What to schedule when the RTC's alarm interrupts. d: a realized acpi-fixed. Borrowed; as long as
 * d. */
struct bh *acpi_fixed_alarm(struct device *d);

#endif
