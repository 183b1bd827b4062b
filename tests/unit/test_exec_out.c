/*
 * Files that come out of an --exec guest: what may be written where, and that
 * nothing half-written stays.
 */
#include "src/exec/out.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/vmm-out-XXXXXX";
static struct out_dir out;
static struct err e;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(chdir(dir), 0);
    umask(022);
    e = ERR_INIT;
    cr_assert_eq(out_open(&out, "back", &e), 0, "%s", e.what);
}

static void teardown(void)
{
    char command[64];

    out_close(&out);
    cr_assert_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(exec_out, .init = setup, .fini = teardown);

static int begin(const char *path)
{
    return out_begin_file(&out, path, strlen(path), 0755, &e);
}

static int add(const char *path, const char *text)
{
    int ret = begin(path);

    ret = ret == 0 ? out_data(&out, text, strlen(text), &e) : ret;
    return ret == 0 ? out_end_file(&out, &e) : ret;
}

static unsigned entries(const char *path)
{
    DIR *d = opendir(path);
    unsigned count = 0;

    while (readdir(d) != NULL) {
        count++;
    }
    closedir(d);
    return count - 2;
}

Test(exec_out, files_arrive_with_their_folders_and_modes)
{
    char text[16] = "";
    struct stat st;

    cr_assert_eq(add("a/b/c", "hello"), 0, "%s", e.what);
    cr_assert_eq(add("a/b/c", "again"), 0, "a file is replaced");
    cr_assert_eq(out_add_dir(&out, "empty", 5, &e), 0);
    const int fd = open("back/a/b/c", O_RDONLY);
    cr_assert_eq(read(fd, text, sizeof(text)), 5);
    cr_assert_str_eq(text, "again");
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0755);
    close(fd);
    cr_assert_eq(stat("back/empty", &st), 0);
    cr_assert(S_ISDIR(st.st_mode));
}

Test(exec_out, setuid_does_not_come_back)
{
    struct stat st;

    cr_assert_eq(out_begin_file(&out, "s", 1, 06777, &e), 0);
    cr_assert_eq(out_end_file(&out, &e), 0);
    cr_assert_eq(stat("back/s", &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0755);
}

Test(exec_out, paths_that_lead_out_are_refused)
{
    static const char *const bad[] = {"",       "/",    "/etc/x", "..",      "../x",
                                      "a/../x", "a/..", "a//b",   "./a",     "a/./b",
                                      "a/",     ".",    "..//",   "a/../..", "/.."};
    char deep[2 * OUT_DEPTH_MAX + 4] = "", wide[NAME_MAX + 3];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(begin(bad[i]), -EPERM, "'%s'", bad[i]);
        cr_assert_eq(out_add_dir(&out, bad[i], strlen(bad[i]), &e), -EPERM, "'%s'", bad[i]);
    }
    cr_assert_eq(out_begin_file(&out, "a\0b", 3, 0644, &e), -EPERM);
    for (unsigned i = 0; i < OUT_DEPTH_MAX + 1; i++) {
        strcat(deep, "d/");
    }
    strcat(deep, "x");
    cr_assert_eq(begin(deep), -EPERM);
    memset(wide, 'w', sizeof(wide));
    cr_assert_eq(out_begin_file(&out, wide, NAME_MAX + 1, 0644, &e), -EPERM);
    cr_assert_eq(access("x", F_OK), -1);
}

Test(exec_out, links_are_not_followed)
{
    cr_assert_eq(mkdir("outside", 0755), 0);
    cr_assert_eq(symlink("../outside", "back/link"), 0);
    cr_assert_lt(add("link/x", "text"), 0);
    cr_assert(strstr(e.what, "link"), "%s", e.what);
    cr_assert_lt(out_add_dir(&out, "link", 4, &e), 0);
    cr_assert_eq(entries("outside"), 0);
    /* A link in the file's place is replaced, what it leads to is not. */
    cr_assert_eq(symlink("../outside/y", "back/file"), 0);
    cr_assert_eq(add("file", "text"), 0);
    cr_assert_eq(entries("outside"), 0);
}

Test(exec_out, a_folder_in_a_files_place_is_refused)
{
    cr_assert_eq(out_add_dir(&out, "a", 1, &e), 0);
    cr_assert_lt(add("a", "text"), 0);
    out_close(&out);
    cr_assert_eq(entries("back"), 1);
}

Test(exec_out, half_a_file_leaves_nothing)
{
    cr_assert_eq(begin("whole"), 0);
    cr_assert_eq(out_data(&out, "half", 4, &e), 0);
    cr_assert_eq(access("back/whole", F_OK), -1);
    cr_assert_eq(entries("back"), 1);
    out_close(&out);
    cr_assert_eq(entries("back"), 0);
}

/* Of a vmm in another pid namespace, or of one that was killed. */
Test(exec_out, the_half_file_of_another_run_stays)
{
    struct out_dir other;
    char name[64];

    snprintf(name, sizeof(name), "back/.vmm-out.%d", (int)getpid());
    close(open(name, O_WRONLY | O_CREAT, 0644));
    cr_assert_eq(out_open(&other, "back", &e), 0);
    cr_assert_eq(out_begin_file(&other, "two", 3, 0644, &e), 0);
    cr_assert_eq(out_data(&other, "2", 1, &e), 0);
    cr_assert_eq(add("one", "1"), 0, "%s", e.what);
    cr_assert_eq(out_end_file(&other, &e), 0, "%s", e.what);
    out_close(&other);
    cr_assert_eq(access(name, F_OK), 0);
    cr_assert_eq(entries("back"), 3);
}

Test(exec_out, a_full_disk_leaves_nothing)
{
    const struct rlimit small = {100, 100};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(add("old", "kept"), 0);
    cr_assert_eq(begin("old"), 0);
    setrlimit(RLIMIT_FSIZE, &small);
    char bytes[200] = {0};
    cr_assert_eq(out_data(&out, bytes, sizeof(bytes), &e), -EFBIG);
    cr_assert(strstr(e.what, "cannot write 'old'"), "%s", e.what);
    cr_assert(strstr(e.hint, "no room"), "%s", e.hint);
    out_close(&out);
    cr_assert_eq(entries("back"), 1, "only the old file");
    struct stat st;
    cr_assert_eq(stat("back/old", &st), 0);
    cr_assert_eq(st.st_size, 4);
}

Test(exec_out, there_is_an_end_to_files_and_bytes)
{
    for (unsigned i = 0; i < OUT_ENTRIES_MAX; i++) {
        cr_assert_eq(out_add_dir(&out, "d", 1, &e), 0);
    }
    cr_assert_eq(out_add_dir(&out, "d", 1, &e), -E2BIG);
    out.entries = 0;
    cr_assert_eq(begin("f"), 0);
    out.bytes = OUT_BYTES_MAX - 1;
    cr_assert_eq(out_data(&out, "x", 1, &e), 0);
    cr_assert_eq(out_data(&out, "x", 1, &e), -EFBIG);
}

Test(exec_out, a_folder_that_cannot_be_made_is_named)
{
    struct out_dir other;

    cr_assert_lt(out_open(&other, "no/such", &e), 0);
    cr_assert(strstr(e.what, "--out no/such"), "%s", e.what);
    out_close(&other);
}
