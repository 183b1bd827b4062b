/*
 * A device's state in a snapshot, by what its class and its bus declare (struct
 * field). A record is: id, class, version, bus, version; then the fields of the
 * class and those of the bus, each a number of them and for each its name, size,
 * count and values.
 *
 * Fields go by their names: their order and their places in the struct may change. A
 * field newer than the record keeps its value after reset; any other that is
 * missing, one that is unknown, or of another size, is an error.
 *
 * Locking: on the main thread while no vCPU runs; the device's lock is taken.
 */
#ifndef DEVICE_STATE_H
#define DEVICE_STATE_H

#include "src/base/pack.h"
#include "src/device.h"

/* Come to rest and go on: see struct device_class. */
void device_pause(struct device *d);
void device_resume(struct device *d);

/* Append d's record. */
void device_state_save(struct device *d, struct pack *out);

/* The id in a record, at least DEVICE_ID_MAX bytes; "" if it is damaged. */
void device_state_id(struct unpack in, char id[DEVICE_ID_MAX]);

/* Give d, which was reset, the state in its record. -EINVAL with e set. */
int device_state_load(struct device *d, struct unpack *in, struct err *e);

#endif
