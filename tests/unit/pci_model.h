/*
 * A plain model of a PCI bus of probes (pci_fixture.h), to hold against the real one: bytes and
 * masks from a table of the specification, BARs found by asking each in turn, lines as an OR.
 */
#ifndef TESTS_PCI_MODEL_H
#define TESTS_PCI_MODEL_H

#include "tests/unit/pci_fixture.h"

#define MODEL_SLOTS 8
#define MODEL_BARS  3 /* BAR 0, BAR 1, BARs 2 and 3 */

struct model_bar {
    bool decoded;
    uint64_t address;
    uint64_t since; /* which change of a BAR put it there: the last one lies on top */
};

struct model_function {
    struct device *dev; /* NULL: the slot is empty */
    uint8_t bytes[256];
    uint32_t raised;
    unsigned resets;
    struct model_bar bars[MODEL_BARS];
};

struct pci_model {
    struct pci_fixture *real;
    struct model_function functions[MODEL_SLOTS];
    uint64_t changes;
    uint64_t seed; /* told when a check fails */
};

void pci_model_init(struct pci_model *m, struct pci_fixture *real, uint64_t seed);
/* A probe was plugged into the real bus. */
void pci_model_add(struct pci_model *m, struct device *d);

/* What the guest, or the device, does. */
void pci_model_write(struct pci_model *m, unsigned slot, unsigned function, unsigned reg,
                     uint32_t value, unsigned size);
void pci_model_raise(struct pci_model *m, unsigned slot, unsigned vector);
void pci_model_lower(struct pci_model *m, unsigned slot, unsigned vector);

/* Fail the test unless the real bus is as the model says in all that a guest can see. */
void pci_model_check(const struct pci_model *m);

#endif
