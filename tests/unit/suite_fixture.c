/*
 * Suites from memory: see suite_fixture.h.
 */
#include "tests/unit/suite_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

void suite_fixture_parse(struct suite_fixture *f, const char *text, size_t length)
{
    FILE *to = open_memstream(&f->mistakes, &f->mistakes_length);
    f->result = suite_parse(&f->suite, "t", "/f", text, length, to);
    fclose(to);
}

void suite_fixture_end(struct suite_fixture *f)
{
    free(f->mistakes);
    suite_free(&f->suite);
}

const struct boot *suite_fixture_boot(const struct suite_fixture *f, size_t i)
{
    cr_assert_lt(i, f->suite.boots.count);
    return list_at(&f->suite.boots, i);
}
