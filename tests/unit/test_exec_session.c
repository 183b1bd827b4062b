/*
 * vmm's side of a session with the init of an --exec guest, which the test plays:
 * well-behaved and hostile.
 */
#include "src/base/reserve.h"
#include "tests/unit/exec_fixture.h"
#include "tests/unit/session_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(exec_session, .init = session_setup, .fini = session_teardown);

/* --- what is carried ----------------------------------------------------------- */

Test(exec_session, output_and_status)
{
    char text[16] = "";

    start();
    send(FRAME_DATA, STREAM_STDOUT, "out", 3);
    send(FRAME_DATA, STREAM_STDERR, "err", 3);
    cr_assert_eq(drain(from_stdout, text, sizeof(text)), 3);
    cr_assert_str_eq(text, "out");
    cr_assert_eq(drain(from_stderr, text, sizeof(text)), 3);
    cr_assert_str_eq(text, "err");
    cr_assert_eq(status, -1);
    send_u32(FRAME_EXIT, 0, 139);
    cr_assert_eq(status, 139);
}

/* A reader that is slow: the guest is granted no more than there is room for, and the end waits. */
Test(exec_session, a_slow_reader_gets_everything)
{
    static uint8_t sent[400000], got[sizeof(sent)];
    uint32_t credit;
    size_t at = 0, have = 0;

    fcntl(from_stdout, F_SETPIPE_SZ, 4096);
    fake_fill_pattern(sent, sizeof(sent));
    start();
    credit = granted(STREAM_STDOUT);
    while (at < sizeof(sent)) {
        while (credit > 0 && at < sizeof(sent)) {
            size_t len = credit < 1000 ? credit : 1000;
            len = len < sizeof(sent) - at ? len : sizeof(sent) - at;
            send(FRAME_DATA, STREAM_STDOUT, sent + at, len);
            at += len;
            credit -= (uint32_t)len;
        }
        cr_assert_leq(at - have, STREAM_WINDOW + 4096);
        have += drain(from_stdout, got + have, 3000);
        credit += granted(STREAM_STDOUT);
    }
    send_u32(FRAME_EXIT, 0, 7);
    cr_assert_eq(status, -1, "it did not wait for the reader");
    while (status == -1) {
        have += drain(from_stdout, got + have, sizeof(got) - have);
    }
    have += drain(from_stdout, got + have, sizeof(got) - have);
    cr_assert_eq(have, sizeof(sent));
    cr_assert_eq(memcmp(sent, got, sizeof(sent)), 0);
    cr_assert_eq(status, 7);
}

Test(exec_session, input_within_its_credit_then_its_end)
{
    static uint8_t text[40000], got[sizeof(text)];
    size_t have = 0, written = 0;
    bool end = false;

    fake_fill_pattern(text, sizeof(text));
    fcntl(to_stdin, F_SETPIPE_SZ, 65536);
    written = (size_t)write(to_stdin, text, sizeof(text));
    cr_assert_eq(written, sizeof(text));
    close(to_stdin);
    start();
    for (unsigned i = 0; i < 4000 && !end; i++) {
        turns();
        while (got_frame()) {
            if (frame_type(&guest.reader) == FRAME_DATA) {
                memcpy(got + have, frame_payload(&guest.reader), frame_len(&guest.reader));
                have += frame_len(&guest.reader);
            }
            end |= frame_type(&guest.reader) == FRAME_END;
        }
        cr_assert_leq(have, STREAM_WINDOW * (i / 300 + 1));
        if (i % 300 == 299) {
            send_u32(FRAME_CREDIT, STREAM_STDIN, STREAM_WINDOW);
        }
    }
    cr_assert(end);
    cr_assert_eq(have, sizeof(text));
    cr_assert_eq(memcmp(got, text, have), 0);
}

Test(exec_session, a_reader_that_left_is_told_to_the_program)
{
    bool closed = false;

    close(from_stdout);
    start();
    send(FRAME_DATA, STREAM_STDOUT, "lost", 4);
    turns();
    while (got_frame()) {
        closed |= frame_type(&guest.reader) == FRAME_CLOSED;
    }
    cr_assert(closed);
    send_u32(FRAME_EXIT, 0, 128 + SIGPIPE);
    cr_assert_eq(status, 128 + SIGPIPE);
}

Test(exec_session, files_come_out)
{
    struct stat st;

    start();
    send(FRAME_DIR, STREAM_FILES, "sub", 3);
    send(FRAME_FILE, STREAM_FILES, "\xed\x01\0\0sub/f", 9);
    send(FRAME_DATA, STREAM_FILES, "12345", 5);
    cr_assert_neq(stat("back/sub/f", &st), 0);
    send(FRAME_FILE_END, STREAM_FILES, NULL, 0);
    cr_assert_eq(stat("back/sub/f", &st), 0);
    cr_assert_eq(st.st_size, 5);
    cr_assert_eq(st.st_mode & 0777, 0755);
    send(FRAME_FILE, STREAM_FILES, "\0\0\0\0../f", 8);
    cr_assert_eq(status, EXIT_HOST);
}

/* --- signals and time ------------------------------------------------------------- */

static bool got_signal(uint32_t signo)
{
    uint32_t value;
    bool found = false;

    turns();
    while (got_frame()) {
        found |= frame_type(&guest.reader) == FRAME_SIGNAL && frame_u32(&guest.reader, &value) &&
                 value == signo;
    }
    return found;
}

Test(exec_session, a_signal_goes_to_the_program_once)
{
    cr_assert_not(exec_signal(x, SIGTERM), "nothing runs yet");
    start();
    cr_assert(exec_signal(x, SIGINT));
    cr_assert(got_signal(SIGINT));
    cr_assert(exec_signal(x, SIGINT), "so soon it is the same");
    cr_assert_not(got_signal(SIGINT));
    cr_assert_not(exec_signal(x, SIGTERM), "another ends the run");
    fake_clock_advance(&m.clock, NS_PER_SEC);
    cr_assert_not(exec_signal(x, SIGINT), "and a second one, too");
    fake_clock_advance(&m.clock, 3 * NS_PER_SEC);
    turns();
    cr_assert_eq(status, -1);
    fake_clock_advance(&m.clock, 2 * NS_PER_SEC);
    turns();
    cr_assert_eq(status, EXIT_INTERRUPT);
}

Test(exec_session, a_program_that_minds_the_signal_has_its_own_status)
{
    start();
    cr_assert(exec_signal(x, SIGTERM));
    send_u32(FRAME_EXIT, 0, 128 + SIGTERM);
    cr_assert_eq(status, 128 + SIGTERM);
    fake_clock_advance(&m.clock, 60 * NS_PER_SEC);
    turns();
}

Test(exec_session, a_time_out_is_124_however_it_ends)
{
    cr_assert_not(exec_timeout(x));
    start();
    cr_assert(exec_timeout(x));
    cr_assert(got_signal(SIGTERM));
    send_u32(FRAME_EXIT, 0, 128 + SIGTERM);
    cr_assert_eq(status, EXIT_TIMEOUT);
}

Test(exec_session, a_program_that_ignores_the_time_out_is_ended)
{
    start();
    cr_assert(exec_timeout(x));
    fake_clock_advance(&m.clock, 6 * NS_PER_SEC);
    turns();
    cr_assert_eq(status, EXIT_TIMEOUT);
}

/* What is left of its output waits for a reader that never comes. */
Test(exec_session, a_time_out_does_not_wait_for_a_reader)
{
    static const uint8_t zeros[1000];

    fcntl(from_stdout, F_SETPIPE_SZ, 4096);
    start();
    for (unsigned i = 0; i < 8; i++) {
        send(FRAME_DATA, STREAM_STDOUT, zeros, sizeof(zeros));
    }
    cr_assert(exec_timeout(x));
    send_u32(FRAME_EXIT, 0, 0);
    cr_assert_eq(status, -1, "there is time to read");
    fake_clock_advance(&m.clock, 6 * NS_PER_SEC);
    turns();
    cr_assert_eq(status, EXIT_TIMEOUT);
    fake_clock_advance(&m.clock, 60 * NS_PER_SEC);
    turns();
}

/* --- what goes wrong ----------------------------------------------------------------- */

Test(exec_session, a_guest_that_ends_early)
{
    struct chardev *console = exec_open_console(x, &exec_err);
    char text[512] = "";

    chardev_write(console, (const uint8_t *)"Kernel panic - not syncing\r\n", 28);
    start();
    send(FRAME_DATA, STREAM_STDOUT, "out", 3);
    exec_guest_ended(x, EXIT_HOST);
    turns();
    cr_assert_eq(status, EXIT_PANIC);
    exec_explain(x);
    drain(from_stderr, text, sizeof(text) - 1);
    cr_assert(strstr(text, "before it could tell the exit status of ./prog"), "%s", text);
    cr_assert(strstr(text, "vmm: console: Kernel panic"), "%s", text);
    cr_assert_eq(drain(from_stdout, text, sizeof(text)), 3);
    chardev_free(console);
}

Test(exec_session, what_was_written_before_a_crash_arrives)
{
    static uint8_t bytes[8000];
    size_t have = 0, n;

    fcntl(from_stdout, F_SETPIPE_SZ, 4096);
    start();
    for (unsigned i = 0; i < 8; i++) {
        send(FRAME_DATA, STREAM_STDOUT, bytes, 1000);
    }
    exec_guest_ended(x, EXIT_CRASH);
    turns();
    cr_assert_eq(status, -1);
    while ((n = drain(from_stdout, bytes, sizeof(bytes))) > 0) {
        have += n;
    }
    cr_assert_eq(have, 8000);
    cr_assert_eq(status, EXIT_CRASH);
}

Test(exec_session, an_end_after_the_report_is_no_loss)
{
    start();
    send_u32(FRAME_EXIT, 0, 3);
    exec_guest_ended(x, EXIT_HOST);
    turns();
    cr_assert_eq(status, 3);
}

Test(exec_session, init_says_why)
{
    char text[512] = "";

    send_u32(FRAME_HELLO, 0, EXEC_PROTOCOL);
    send(FRAME_FAILED, 0, "no \x1b[31mmodule", 14);
    cr_assert_eq(status, EXIT_HOST);
    exec_explain(x);
    drain(from_stderr, text, sizeof(text) - 1);
    cr_assert(strstr(text, "could not run ./prog: no ?[31mmodule"), "%s", text);
}

/* Each of these must end the run at once; the first frame is HELLO where hello is set. */
static void hostile(bool hello, enum frame_type type, enum frame_stream stream, const void *data,
                    size_t len)
{
    if (hello) {
        start();
    }
    send(type, stream, data, len);
    cr_assert_eq(status, EXIT_HOST, "type %d", type);
    session_again();
}

Test(exec_session, frames_that_make_no_sense)
{
    static const uint8_t zeros[600];

    hostile(false, FRAME_STARTED, 0, NULL, 0);
    hostile(false, FRAME_EXIT, 0, zeros, 4);
    hostile(false, FRAME_HELLO, 0, zeros, 4); /* version 0 */
    hostile(false, FRAME_HELLO, 0, zeros, 3);
    hostile(true, FRAME_HELLO, 0, "\1\0\0\0", 4);
    hostile(true, FRAME_STARTED, 0, NULL, 0);
    hostile(true, FRAME_DATA, STREAM_STDIN, zeros, 1);
    hostile(true, FRAME_DATA, STREAM_FILES, zeros, 1); /* of no file */
    hostile(true, FRAME_FILE_END, STREAM_FILES, zeros, 0);
    hostile(true, FRAME_FILE, STREAM_FILES, zeros, 3);
    hostile(true, FRAME_CREDIT, STREAM_STDIN, "\1\0\0\0", 4); /* more than a window */
    hostile(true, FRAME_CREDIT, STREAM_STDOUT, "\1\0\0\0", 4);
    hostile(true, FRAME_CLOSED, STREAM_STDOUT, NULL, 0);
    hostile(true, FRAME_SIGNAL, 0, "\1\0\0\0", 4);
    hostile(true, FRAME_END, 0, NULL, 0);
    hostile(true, FRAME_EXIT, 0, "\0\1\0\0", 4); /* 256 */
    hostile(true, FRAME_WINDOW, 0, zeros, 136);  /* too late */
}

Test(exec_session, more_than_was_granted)
{
    static const uint8_t zeros[1000];

    fcntl(from_stdout, F_SETPIPE_SZ, 4096);
    start();
    for (unsigned i = 0; i < 30; i++) {
        send(FRAME_DATA, STREAM_STDOUT, zeros, sizeof(zeros));
    }
    size_t have = 0, n;
    char bytes[4096];
    while ((n = drain(from_stdout, bytes, sizeof(bytes))) > 0) { /* what was allowed is carried */
        have += n;
    }
    cr_assert(have >= 16000 && have <= STREAM_WINDOW + 4096, "%zu", have);
    cr_assert_eq(status, EXIT_HOST);
}

Test(exec_session, noise_on_the_line)
{
    char text[512] = "";

    write_line("[    0.000000] Linux version", 28);
    cr_assert_eq(status, EXIT_HOST);
    exec_explain(x);
    drain(from_stderr, text, sizeof(text) - 1);
    cr_assert(strstr(text, "not from vmm's init"), "%s", text);
}

Test(exec_session, input_that_cannot_be_read_is_told)
{
    const int folder = open(".", O_RDONLY);
    char text[512] = "";

    cr_assert_eq(dup2(folder, STDIN_FILENO), STDIN_FILENO);
    session_again();
    start();
    drain(from_stderr, text, sizeof(text) - 1);
    cr_assert(strstr(text, "cannot read standard input, Is a directory"), "'%s'", text);
    /* Closed input is none, as with /dev/null. */
    close(STDIN_FILENO);
    reserve_stdio();
    session_again();
    start();
    cr_assert_eq(drain(from_stderr, text, sizeof(text) - 1), 0);
}

Test(exec_session, a_full_disk_behind_stdout)
{
    const int full = open("/dev/full", O_WRONLY);

    cr_assert_eq(dup2(full, STDOUT_FILENO), STDOUT_FILENO);
    session_again();
    start();
    send(FRAME_DATA, STREAM_STDOUT, "lost", 4);
    turns();
    cr_assert_eq(status, EXIT_HOST);
}
