/*
 * For tests of the event loop: see loop_fixture.h.
 */
#include "tests/unit/loop_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

uint64_t host_now;
struct clock fake;
struct loop *loop;
char calls[64];
char A[] = "a", B[] = "b", C[] = "c";

static uint64_t fake_host_ns(void *opaque)
{
    (void)opaque;
    return host_now;
}

void loop_fixture_setup(void)
{
    host_now = 1000;
    fake = (struct clock){.host_ns = fake_host_ns, .host_realtime_ns = fake_host_ns};
    loop = loop_new(&fake, NULL);
    cr_assert_not_null(loop);
}

void loop_fixture_teardown(void)
{
    loop_free(loop);
}

void note(char who)
{
    size_t n = strlen(calls);
    cr_assert(n + 1 < sizeof(calls));
    calls[n] = who;
    calls[n + 1] = '\0';
}

void note_call(void *opaque)
{
    note(*(const char *)opaque);
}

const char *turn(void)
{
    calls[0] = '\0';
    loop_poll(loop);
    return calls;
}

void stop_loop(void *opaque)
{
    loop_stop(opaque);
}
