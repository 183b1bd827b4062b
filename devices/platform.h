/*
 * Platform devices: a device's register block 0 in the memory map at a fixed
 * address, with a level line of the interrupt controller. The simplest bus: the
 * guest is told where it is (ACPI, device tree), and there is nothing to set up.
 *
 * Locking: plugging on the main thread while no vCPU runs; the line under the
 * device's lock.
 */
#ifndef DEVICES_PLATFORM_H
#define DEVICES_PLATFORM_H

#include "src/device.h"

/* Plug d, which is not realized yet, in at guest-physical address gpa with interrupt gsi. */
int platform_plug(struct device *d, uint64_t gpa, unsigned gsi, struct err *e);

/* Whether d is a platform device, and where. */
bool platform_plugged(const struct device *d);
uint64_t platform_gpa(const struct device *d);
unsigned platform_gsi(const struct device *d);

#endif
