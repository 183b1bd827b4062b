/*
 * Trace points: switches, the text form, the JSON form.
 */
#include "src/base/trace.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void use_file(const char *suffix)
{
    snprintf(path, sizeof(path), "/tmp/vmm-trace-XXXXXX%s", suffix);
    int fd = mkstemps(path, (int)strlen(suffix));
    cr_assert(fd >= 0);
    close(fd);
    cr_assert_eq(trace_open(path, NULL), 0);
}

/* The trace so far; the file is removed. */
static const char *take_file(void)
{
    static char text[1 << 20];
    int fd = open(path, O_RDONLY);
    cr_assert(fd >= 0);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    cr_assert(n >= 0);
    text[n] = '\0';
    close(fd);
    unlink(path);
    return text;
}

Test(trace, globs_switch_events_on)
{
    cr_assert_not(trace_on(TRACE_mem_read));
    cr_assert_eq(trace_enable("mem_r*,uart_??", NULL), 0);
    cr_assert(trace_on(TRACE_mem_read));
    cr_assert(trace_on(TRACE_uart_tx));
    cr_assert(trace_on(TRACE_uart_rx));
    cr_assert_not(trace_on(TRACE_mem_write));
}

Test(trace, a_glob_that_matches_nothing_is_an_error)
{
    struct err e = ERR_INIT;
    cr_assert_eq(trace_enable("kvm_exti", &e), -EINVAL);
    cr_assert_str_eq(e.hint, "did you mean 'kvm_exit'?");
    cr_assert_eq(trace_enable("uart_tx,", &e), -EINVAL);
    cr_assert_eq(trace_enable("", &e), -EINVAL);
    cr_assert_eq(trace_enable("zzz*", &e), -EINVAL);
    cr_assert_not_null(strstr(e.hint, "help"));
}

Test(trace, every_event_has_a_name_and_a_meaning)
{
    for (int i = 0; i < TRACE_EVENT_COUNT; i++) {
        cr_assert_str_not_empty(trace_name((enum trace_event)i));
        cr_assert_str_not_empty(trace_meaning((enum trace_event)i));
    }
}

Test(trace, text_lines_carry_time_name_and_text)
{
    use_file(".txt");
    cr_assert_eq(trace_enable("mem_read", NULL), 0);
    trace(TRACE_mem_read, "gpa 0x%x", 0x1000);
    trace(TRACE_mem_write, "is off");
    trace(TRACE_mem_read, "again");
    trace_close();
    double t1, t2;
    char a[32], b[32];
    int end = 0;
    cr_assert_eq(sscanf(take_file(),
                        "trace: %lf mem_read gpa %31s\ntrace: %lf mem_read %31[a-z]\n%n", &t1, a,
                        &t2, b, &end),
                 4);
    cr_assert_str_eq(a, "0x1000");
    cr_assert_str_eq(b, "again");
    cr_assert(t1 >= 0 && t2 >= t1 && t2 < 60e6, "%f %f", t1, t2);
    cr_assert(end > 0);
}

Test(trace, without_a_file_events_go_to_stderr)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    cr_assert(dup2(fds[1], STDERR_FILENO) >= 0);
    cr_assert_eq(trace_enable("uart_tx", NULL), 0);
    trace(TRACE_uart_tx, "x");
    trace_close(); /* does nothing */
    char text[100] = "";
    cr_assert(read(fds[0], text, sizeof(text) - 1) > 0);
    cr_assert_eq(strncmp(text, "trace: ", 7), 0);
    cr_assert_not_null(strstr(text, " uart_tx x\n"));
}

Test(trace, json_is_escaped_and_complete)
{
    use_file(".json");
    cr_assert_eq(trace_enable("uart_tx", NULL), 0);
    trace(TRACE_uart_tx, "%s", "a\"b\\c\n\x01\xff");
    trace_close();
    const char *text = take_file();
    cr_assert_eq(strncmp(text, "[\n{", 3), 0);
    cr_assert_not_null(strstr(text, "\"text\":\"a\\\"b\\\\c\\u000a\\u0001\\u00ff\"}}\n]\n"));
    cr_assert_not_null(strstr(text, "\"name\":\"uart_tx\",\"ph\":\"i\",\"s\":\"t\""));
    cr_assert_not_null(strstr(text, "\"ts\":"));
    cr_assert_null(strstr(text, "},\n]"), "no comma before the last bracket");
}

Test(trace, the_longest_text_fits_however_it_is_escaped)
{
    use_file(".json");
    cr_assert_eq(trace_enable("uart_tx", NULL), 0);
    char longest[2000];
    memset(longest, 1, sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    trace(TRACE_uart_tx, "%s", longest);
    trace_close();
    const char *text = take_file();
    cr_assert_not_null(strstr(text, "\\u0001\"}}\n]\n"));
}

#define THREADS    4
#define PER_THREAD 200

static void *emit_many(void *opaque)
{
    for (int i = 0; i < PER_THREAD; i++) {
        trace(TRACE_uart_rx, "<%s>", (const char *)opaque);
    }
    return NULL;
}

Test(trace, lines_of_threads_do_not_mix)
{
    use_file(".txt");
    cr_assert_eq(trace_enable("uart_rx", NULL), 0);
    pthread_t threads[THREADS];
    static char name[THREADS][2] = {"a", "b", "c", "d"};
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, emit_many, name[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    trace_close();
    int lines = 0;
    char *text = strdup(take_file());
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        char who;
        int end = 0;
        cr_assert_eq(sscanf(line, "trace: %*f uart_rx <%c>%n", &who, &end), 1, "'%s'", line);
        cr_assert_eq((size_t)end, strlen(line), "'%s'", line);
        lines++;
    }
    free(text);
    cr_assert_eq(lines, THREADS * PER_THREAD);
}

Test(trace, a_file_that_cannot_be_written_says_why)
{
    struct err e = ERR_INIT;
    cr_assert_eq(trace_open("/nonexistent/x.json", &e), -ENOENT);
    cr_assert_not_null(strstr(e.what, "/nonexistent/x.json"));
    cr_assert_not_null(strstr(e.what, "No such file"));
}
