/*
 * Suites from memory, and what reading them says.
 */
#ifndef TESTS_SUITE_FIXTURE_H
#define TESTS_SUITE_FIXTURE_H

#include "tools/suite/suite.h"

struct suite_fixture {
    struct suite suite;
    int result;     /* of suite_parse() */
    char *mistakes; /* what it wrote */
    size_t mistakes_length;
};

/* Parse as file "t" in folder "/f". Free with suite_fixture_end(). */
void suite_fixture_parse(struct suite_fixture *f, const char *text, size_t length);
void suite_fixture_end(struct suite_fixture *f);

/* The boot at that place; a failed test if there is none. */
const struct boot *suite_fixture_boot(const struct suite_fixture *f, size_t i);

#endif
