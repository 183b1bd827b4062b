/*
 * Ranges, errors and the log.
 */
#include "src/base/err.h"
#include "src/base/log.h"
#include "src/base/range.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- stderr, caught --------------------------------------------------- */

static int caught_fd;

/* From here on stderr goes to a pipe; Criterion runs each test in its own process. */
static void catch_stderr(void)
{
    int fds[2];
    cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
    cr_assert(dup2(fds[1], STDERR_FILENO) >= 0);
    caught_fd = fds[0];
}

/* What came since the last call. */
static const char *caught(void)
{
    static char text[65536];
    ssize_t n = read(caught_fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* --- ranges ----------------------------------------------------------- */

Test(base, range_from_size_refuses_empty_and_wrapping)
{
    struct range r;
    cr_assert_not(range_from_size(5, 0, &r));
    cr_assert_not(range_from_size(UINT64_MAX, 2, &r));
    cr_assert_not(range_from_size(1, UINT64_MAX, &r) && r.last < r.first);
    cr_assert(range_from_size(UINT64_MAX, 1, &r));
    cr_assert_eq(r.first, UINT64_MAX);
    cr_assert_eq(r.last, UINT64_MAX);
    cr_assert(range_from_size(0, UINT64_MAX, &r));
    cr_assert_eq(r.last, UINT64_MAX - 1);
}

Test(base, range_contains_len_at_the_edges)
{
    struct range r = {10, 19};
    cr_assert(range_contains_len(r, 10, 10));
    cr_assert_not(range_contains_len(r, 10, 11));
    cr_assert_not(range_contains_len(r, 9, 1));
    cr_assert_not(range_contains_len(r, 15, 0));
    cr_assert_not(range_contains_len(r, 15, UINT64_MAX));
    struct range all = {0, UINT64_MAX};
    cr_assert(range_contains_len(all, 1, UINT64_MAX));
    cr_assert_not(range_contains_len(all, 2, UINT64_MAX));
}

Test(base, range_overlap_and_intersection_agree_with_brute_force)
{
    for (uint64_t code = 0; code < 6 * 6 * 6 * 6; code++) {
        struct range a = {code % 6, code / 6 % 6};
        struct range b = {code / 36 % 6, code / 216};
        if (a.first > a.last || b.first > b.last) {
            continue;
        }
        struct range common = {99, 99};
        struct range want = {99, 99};
        bool any = false;
        for (uint64_t x = 0; x < 6; x++) {
            if (range_contains(a, x) && range_contains(b, x)) {
                want.first = any ? want.first : x;
                want.last = x;
                any = true;
            }
        }
        cr_assert_eq(range_overlaps(a, b), any);
        cr_assert_eq(range_intersect(a, b, &common), any);
        cr_assert(range_equal(common, want));
    }
}

/* --- errors ----------------------------------------------------------- */

Test(base, err_set_returns_the_code_and_drops_the_old_hint)
{
    struct err e = ERR_INIT;
    cr_assert_eq(err_set(&e, ENOENT, "no file '%s'", "x"), -ENOENT);
    err_hint(&e, "look in %d places", 3);
    cr_assert_str_eq(e.what, "no file 'x'");
    cr_assert_str_eq(e.hint, "look in 3 places");
    cr_assert_eq(e.status, EXIT_HOST);
    err_status(&e, EXIT_NO_KVM);
    cr_assert_eq(err_set(&e, EIO, "other"), -EIO);
    cr_assert_str_empty(e.hint);
    cr_assert_eq(e.status, EXIT_NO_KVM, "a status outlives a better message");
}

Test(base, err_functions_take_null)
{
    cr_assert_eq(err_set(NULL, EIO, "x"), -EIO);
    err_hint(NULL, "x");
    err_status(NULL, EXIT_USAGE);
    err_prefix(NULL, "x");
}

Test(base, an_error_never_has_the_status_of_success)
{
    struct err e = {0};
    err_set(&e, EIO, "x");
    cr_assert_eq(e.status, EXIT_HOST);
}

Test(base, err_prefix_goes_before_and_cuts_the_end)
{
    struct err e = ERR_INIT;
    err_set(&e, EIO, "inner");
    err_prefix(&e, "disk %d", 2);
    cr_assert_str_eq(e.what, "disk 2: inner");

    char longest[sizeof(e.what) * 2];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    err_set(&e, EIO, "%s", longest);
    err_prefix(&e, "p");
    cr_assert_eq(strlen(e.what), sizeof(e.what) - 1);
    cr_assert_eq(strncmp(e.what, "p: aaa", 6), 0);
    err_set(&e, EIO, "inner");
    err_prefix(&e, "%s", longest);
    cr_assert_not_null(strstr(e.what, "aaa: inner"), "a long prefix is cut, not the reason");
}

Test(base, err_print_writes_error_and_hint_lines)
{
    catch_stderr();
    struct err e = ERR_INIT;
    err_set(&e, EIO, "disk 'a\nb', broken");
    err_print(&e);
    cr_assert_str_eq(caught(), "vmm: error: disk 'a?b', broken\n");
    err_hint(&e, "mend it");
    err_print(&e);
    cr_assert_str_eq(caught(), "vmm: error: disk 'a?b', broken\nvmm: hint: mend it\n");
}

/* --- log -------------------------------------------------------------- */

Test(base, log_lines_are_whole_and_bounded)
{
    catch_stderr();
    log_warn("w %d", 1);
    log_info("i");
    cr_assert_str_eq(caught(), "vmm: warning: w 1\nvmm: i\n");

    char longest[4000];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    log_info("%s", longest);
    const char *line = caught();
    size_t len = strlen(line);
    cr_assert(len > 900 && len <= 1024, "%zu bytes", len);
    cr_assert_eq(line[len - 1], '\n');
    cr_assert_eq(strchr(line, '\n'), line + len - 1);
}

Test(base, a_terminal_escape_in_a_message_is_defused)
{
    catch_stderr();
    log_warn("name '%s'", "\x1b[2J\x7f");
    cr_assert_str_eq(caught(), "vmm: warning: name '?[2J?'\n");
}

Test(base, raw_mode_changes_line_ends_only_on_a_terminal)
{
    catch_stderr();
    log_set_raw_terminal(true);
    log_info("pipe");
    cr_assert_str_eq(caught(), "vmm: pipe\n");

    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    cr_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    cr_assert(dup2(slave, STDERR_FILENO) >= 0);
    log_set_raw_terminal(true);
    cr_assert_str_eq(log_line_end(), "\r\n");
    log_set_raw_terminal(false);
    cr_assert_str_eq(log_line_end(), "\n");
}

Test(base, guest_errors_are_all_counted_and_few_printed)
{
    catch_stderr();
    struct guest_errors g = {0};
    for (int i = 0; i < 5; i++) {
        guest_error(&g, "bad %d", i);
    }
    cr_assert_str_eq(
        caught(), "vmm: guest: bad 0\nvmm: guest: bad 1\nvmm: guest: bad 2\nvmm: guest: bad 3\n");
    for (int i = 0; i < 1019; i++) {
        guest_error(&g, "bad");
    }
    cr_assert_eq(guest_error_count(&g), 1024);
    const char *text = caught();
    int lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++) {
        lines++;
    }
    cr_assert_eq(lines, 8, "8, 16 ... 1024: got %d", lines);
    cr_assert_not_null(strstr(text, "vmm: guest: bad (1024 times)\n"));
}
