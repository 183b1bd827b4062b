/*
 * Device accesses as no driver makes them.
 */
#ifndef GUEST_POKE_H
#define GUEST_POKE_H

#include "guest.h"

/* The next number of a sequence that is the same in each run. */
uint32_t arbitrary(void);

/* Read, and write with arbitrary values, at each of size addresses from gpa on, in every width. */
void poke_memory(uintptr_t gpa, size_t size);

#endif
