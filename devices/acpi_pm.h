/*
 * The ACPI power device's one function for the machine. See acpi_pm.c.
 */
#ifndef DEVICES_ACPI_PM_H
#define DEVICES_ACPI_PM_H

#include "src/device.h"

/*
 * Press the power button: the guest's operating system is asked to shut down
 * (it may ignore that). d: a realized acpi-pm. Any thread, without d's lock.
 */
void acpi_ged_power_button(struct device *d);

#endif
