/*
 * A machine's last moments, for a person.
 */
#include "src/lib/internal.h"
#include "src/run.h"
#include "src/vm.h"

#include <inttypes.h>
#include <string.h>

#define EXITS_SHOWN   16
#define CONSOLE_SHOWN 2000

static void print_exits(struct vmm *m, FILE *out)
{
    struct vmm_exit list[EXITS_SHOWN];
    const size_t n = vmm_last_exits(m, list, EXITS_SHOWN);
    char text[160];

    fprintf(out, "  guest events: %" PRIu64 "%s\n", vmm_events(m), n != 0 ? ", the last:" : "");
    for (size_t i = 0; i < n; i++) {
        vmm_exit_print(&list[i], text, sizeof(text));
        fprintf(out, "    #%" PRIu64 " vCPU %u: %s\n", list[i].number, list[i].cpu, text);
    }
}

/* The registers of a vCPU now, and the code it is at. */
static void print_vcpu(const struct vmm *m, unsigned cpu, FILE *out)
{
    struct vcpu *v = &m->machine->vm->vcpus.vcpu[cpu];
    struct cpu_dump *d = cpu_dump_new();

    fprintf(out, "  vCPU %u:\n", cpu);
    if (d != NULL) {
        cpu_dump_take(d, &m->machine->vm->kvm, v->fd, v->run, m->machine->mem);
        cpu_dump_print(d, out);
        cpu_dump_free(d);
    }
}

/* Of a crash the registers as they were; KVM may have reset the vCPU since. */
static void print_vcpus(const struct vmm *m, FILE *out)
{
    const struct crash *crash = m->machine->vm->run.crash;

    for (unsigned i = 0; i < m->config.cpus; i++) {
        if (crash != NULL && crash->vcpu == i) {
            fprintf(out, "  vCPU %u, when it crashed:\n", i);
            cpu_dump_print(crash->dump, out);
        } else {
            print_vcpu(m, i, out);
        }
    }
}

/* A guest may print NUL bytes, too. */
static void print_text(const char *what, const char *text, size_t len, FILE *out)
{
    const char *end = text + len;
    const char *p = len > CONSOLE_SHOWN ? end - CONSOLE_SHOWN : text;

    if (len == 0) {
        return;
    }
    fprintf(out, "  %s\n", what);
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *line_end = newline != NULL ? newline : end;
        fputs("    ", out);
        for (; p < line_end; p++) {
            fputc((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p, out);
        }
        fputc('\n', out);
        p += newline != NULL;
    }
}

void vmm_transcript(struct vmm *m, FILE *out)
{
    const char *text;
    size_t len;

    if (m->ran) {
        fprintf(out, "  it stopped: %s\n", m->last.text);
    }
    print_exits(m, out);
    if (m->loaded) {
        print_vcpus(m, out);
    }
    text = vmm_console(m, &len);
    print_text("console output not looked at:", text, len, out);
    text = vmm_log(m);
    print_text("messages:", text, strlen(text), out);
}
