/*
 * A reader of AML that knows nothing of the writer: enough of the ACPI
 * specification (20.2, 6.4) to find what a guest would find in our DSDT.
 * AML that is not well-formed fails the test (Criterion).
 */
#ifndef TESTS_AML_READER_H
#define TESTS_AML_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A data object, or a device or scope (its terms). */
struct aml_value {
    enum { AML_INTEGER, AML_STRING, AML_BUFFER, AML_PACKAGE, AML_NAMESPACE, AML_METHOD } type;
    uint64_t integer;
    const char *string;
    const uint8_t *data; /* of a buffer, or the elements or terms of the last three */
    size_t size;
    unsigned count; /* elements of a package */
};

/* What path names, such as "_SB_.PCI0._CRS", in a whole table; false: nothing. */
bool aml_lookup(const uint8_t *table, const char *path, struct aml_value *out);
/* The same when it must be there. */
struct aml_value aml_get(const uint8_t *table, const char *path);
struct aml_value aml_element(const struct aml_value *package, unsigned n);

/* A resource of a template. */
struct aml_resource {
    uint8_t descriptor; /* its first byte: 0x47 I/O, 0x88 word address space, ... */
    uint8_t type;       /* of an address space: 0 memory, 1 I/O, 2 bus */
    uint8_t flags, type_flags;
    uint64_t first, last; /* or the GSI, twice */
};

/* Number n (from 0) of a template; false: it has fewer. All are checked for sense. */
bool aml_resource(const struct aml_value *crs, unsigned n, struct aml_resource *out);

#endif
