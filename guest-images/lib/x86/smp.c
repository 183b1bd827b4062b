/*
 * Starting the other CPUs with INIT and SIPI to all at once.
 * Source: Intel SDM volume 3, section 8.4.4.
 */
#include "guest.h"
#include "internal.h"
#include "start.h"
#include "x86.h"

static void (*ap_function)(unsigned index);
static volatile uint32_t started; /* took an index */
static volatile uint32_t done;    /* came back from ap_function */

static void ap_main(void)
{
    ap_function(atomic_add32(&started, 1) + 1);
    atomic_add32(&done, 1);
    cpu_stop();
}

void cpus_start(void (*fn)(unsigned index))
{
    ap_function = fn;
    cpu_main = ap_main;
    memcpy((void *)AP_START_GPA, ap_start_code, (size_t)(ap_start_code_end - ap_start_code));
    lapic_enable();
    lapic_start_others(AP_START_GPA);
}

void cpus_wait(unsigned count)
{
    CHECK(count <= AP_MAX);
    while (done < count) {
        cpu_relax();
    }
}
