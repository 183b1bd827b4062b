/*
 * The initramfs of an --exec guest, read by a reader of its own: what is in it,
 * what is refused, and how large it may be.
 */
#include "src/exec/cpio.h"
#include "src/exec/pack.h"
#include "src/exec/tree.h"
#include "tests/unit/exec_fixture.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct test_archive archive;
static struct config config;

static void setup(void)
{
    exec_fixture_setup();
    config = (struct config){.memory = 256ULL << 20, .console = "null"};
    config.exec.program = "./prog";
    exec_write_elf("prog", &(struct test_elf){0});
}

TestSuite(exec_pack, .init = setup, .fini = exec_fixture_teardown);

static int pack(void)
{
    exec_err = ERR_INIT;
    const int fd = exec_pack(&config, "/dev/ttyS1", &exec_err);

    if (fd >= 0) {
        free(archive.bytes);
        exec_read_archive(&archive, fd);
        close(fd);
    }
    return fd < 0 ? fd : 0;
}

/* An entry by its path from the test's folder. */
static const struct test_entry *mine(const char *path)
{
    char full[256];

    snprintf(full, sizeof(full), "%s/%s", exec_dir + 1, path);
    return exec_entry(&archive, full);
}

/* Is this word among those for init? */
static bool told(const char *word)
{
    const struct test_entry *conf = exec_entry(&archive, ".vmm/conf");

    for (size_t at = 0; at < conf->size; at += strlen((const char *)conf->data + at) + 1) {
        if (strcmp((const char *)conf->data + at, word) == 0) {
            return true;
        }
    }
    return false;
}

static void refused(int error, const char *what)
{
    cr_assert_eq(pack(), error, "%s", exec_err.what);
    cr_assert(strstr(exec_err.what, what), "'%s' lacks '%s'", exec_err.what, what);
}

Test(exec_pack, every_kind_of_entry)
{
    const int fd = memfd_create("a", 0), file = open("prog", O_RDONLY);
    struct cpio a;

    cpio_begin(&a, fd, 1 << 20);
    cpio_dir(&a, "d", 01777);
    cpio_symlink(&a, "d/link", "../x");
    cpio_char_device(&a, "d/null", 0666, 1, 3);
    for (size_t len = 0; len < 9; len++) {
        const char path[] = {'f', (char)('0' + len), '\0'};
        cpio_bytes(&a, path, 0600, "12345678", len);
    }
    cpio_file(&a, "prog", 0755, file, TEST_ELF_MAX);
    cr_assert_eq(cpio_end(&a, &exec_err), 0);
    exec_read_archive(&archive, fd);
    cr_assert_eq(archive.size, a.size);
    cr_assert_eq(exec_entry(&archive, "d")->mode, S_IFDIR | 01777);
    cr_assert_eq(memcmp(exec_entry(&archive, "d/link")->data, "../x", 4), 0);
    cr_assert_eq(exec_entry(&archive, "d/null")->mode, S_IFCHR | 0666);
    cr_assert_eq(exec_entry(&archive, "d/null")->minor, 3);
    cr_assert_eq(exec_entry(&archive, "f5")->size, 5);
    cr_assert_eq(memcmp(exec_entry(&archive, "f8")->data, "12345678", 8), 0);
    cr_assert_eq(exec_entry(&archive, "prog")->size, TEST_ELF_MAX);
    /* A file that became shorter is an error, not a hole. */
    cpio_begin(&a, fd, 1 << 20);
    cr_assert_eq(cpio_file(&a, "prog", 0755, file, TEST_ELF_MAX + 1), -EIO);
    cr_assert_eq(cpio_end(&a, &exec_err), -EIO);
}

/* Linux passes over an entry with a longer name, without a word. */
Test(exec_pack, a_path_that_linux_cannot_unpack)
{
    const int fd = memfd_create("a", 0);
    char path[4097];
    struct cpio a;

    memset(path, 'p', sizeof(path));
    path[4095] = '\0';
    cpio_begin(&a, fd, 1 << 20);
    cr_assert_eq(cpio_dir(&a, path, 0755), 0);
    path[4095] = 'p';
    path[4096] = '\0';
    cr_assert_eq(cpio_dir(&a, path, 0755), -ENAMETOOLONG);
    close(fd);
}

Test(exec_pack, no_room_for_the_archive_is_told)
{
    const struct rlimit small = {200, 200}, none = {0, 0};

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    refused(-EFBIG, "cannot pack /proc, File too large");
    setrlimit(RLIMIT_FSIZE, &none);
    refused(-EFBIG, "cannot pack /dev, File too large");
}

Test(exec_pack, the_program_at_its_own_path)
{
    char run[128];

    char first[] = "a b", second[] = "";
    config.exec.args = (char *[]){first, second};
    config.exec.arg_count = 2;
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
    cr_assert_eq(mine("prog")->mode, S_IFREG | 0755);
    cr_assert_eq(mine("prog")->size, TEST_ELF_MAX);
    cr_assert_eq(exec_entry(&archive, "init")->mode, S_IFREG | 0755);
    cr_assert_eq(memcmp(exec_entry(&archive, "init")->data, ELFMAG, SELFMAG), 0);
    cr_assert_eq(exec_entry(&archive, "dev/console")->major, 5);
    snprintf(run, sizeof(run), "run=%s/prog", exec_dir);
    cr_assert(told(run) && told("arg=./prog") && told("arg=a b") && told("arg="));
    cr_assert(told("line=/dev/ttyS1") && told("cwd=/") && !told("out=/out"));
}

Test(exec_pack, links_stay_links_and_bring_what_they_lead_to)
{
    mkdir("real", 0755);
    cr_assert_eq(rename("prog", "real/prog"), 0);
    cr_assert_eq(symlink("real", "folder"), 0);
    cr_assert_eq(symlink("../folder/./prog", "real/link"), 0);
    config.exec.program = "folder/link";
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
    cr_assert_eq(mine("folder")->mode, S_IFLNK | 0777);
    cr_assert_eq(memcmp(mine("folder")->data, "real", 4), 0);
    cr_assert_eq(mine("real/link")->mode, S_IFLNK | 0777);
    cr_assert_eq(mine("real/prog")->mode, S_IFREG | 0755);
    /* Each path once. */
    for (size_t i = 0; i < archive.count; i++) {
        cr_assert_eq(exec_entry(&archive, archive.entries[i].path), &archive.entries[i]);
    }
}

Test(exec_pack, a_script_brings_its_interpreter)
{
    char text[128];

    snprintf(text, sizeof(text), "#! %s/prog -x\n", exec_dir);
    exec_write("script", text, strlen(text), 0755);
    config.exec.program = "./script";
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
    cr_assert_not_null(mine("prog"));
    cr_assert_not_null(mine("script"));
    exec_write("script", "#!/no/such\n", 11, 0755);
    refused(-ENOENT, "needs /no/such");
    exec_write("script", "#!\n", 3, 0755);
    refused(-ENOEXEC, "no interpreter");
    snprintf(text, sizeof(text), "#!%s/script\n", exec_dir);
    exec_write("script", text, strlen(text), 0755);
    refused(-ENOEXEC, "no interpreter");
}

Test(exec_pack, programs_that_cannot_run)
{
    uint8_t bytes[TEST_ELF_MAX];

    config.exec.program = "./missing";
    refused(-ENOENT, "cannot find ./missing");
    config.exec.program = "no-such-program";
    refused(-ENOENT, "no program no-such-program in PATH");
    config.exec.program = ".";
    refused(-EACCES, ". is no file");
    config.exec.program = "/proc/self/exe";
    refused(-EINVAL, "own /init, /dev, /proc");
    exec_write("text", "hello\n", 6, 0755);
    config.exec.program = "./text";
    refused(-ENOEXEC, "neither ELF nor");
    chmod("text", 0644);
    refused(-EACCES, "./text is not executable");
    cr_assert(strstr(exec_err.hint, "chmod +x ./text"));
    exec_write_elf("riscv", &(struct test_elf){.machine = EM_RISCV});
    config.exec.program = "./riscv";
    refused(-ENOEXEC, "is for RISC-V, and the guest is");
    exec_make_elf(bytes, &(struct test_elf){.interp = "/lib/ld.so"});
    exec_write("short", bytes, 100, 0755);
    config.exec.program = "./short";
    refused(-ENOEXEC, "broken ELF");
}

Test(exec_pack, a_link_to_where_the_guest_has_its_own)
{
    char path[] = "/dev/shm/vmm-exec-XXXXXX";
    const int fd = mkstemp(path);

    if (fd < 0) {
        cr_skip_test("no /dev/shm here");
    }
    fchmod(fd, 0755);
    close(fd);
    cr_assert_eq(symlink(path, "hidden"), 0);
    config.exec.program = "./hidden";
    const int ret = pack();
    unlink(path);
    cr_assert_eq(ret, -EINVAL, "%s", exec_err.what);
    cr_assert(strstr(exec_err.what, "own /init, /dev, /proc"), "%s", exec_err.what);
}

Test(exec_pack, a_folder_comes_along)
{
    mkdir("in", 0755);
    mkdir("in/sub", 0700);
    exec_write("in/sub/data", "123", 3, 0640);
    cr_assert_eq(symlink("sub/data", "in/link"), 0);
    config.exec.dir = "in";
    config.exec.out = "back";
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
    cr_assert_eq(exec_entry(&archive, "work/sub")->mode, S_IFDIR | 0700);
    cr_assert_eq(exec_entry(&archive, "work/sub/data")->mode, S_IFREG | 0640);
    cr_assert_eq(exec_entry(&archive, "work/link")->mode, S_IFLNK | 0777);
    cr_assert(told("cwd=/work") && told("out=/out") && told("env=OUT=/out"));
    cr_assert_eq(mkfifo("in/sub/pipe", 0644), 0);
    refused(-EINVAL, "in/sub/pipe is neither file, folder nor link");
    config.exec.dir = "prog";
    refused(-ENOTDIR, "prog is no folder");
    config.exec.dir = "nowhere";
    refused(-ENOENT, "nowhere");
}

/* The guest has one file of a path: here the program could be another than was asked for. */
Test(exec_pack, a_file_in_the_programs_place)
{
    struct exec_tree t;
    const int fd = memfd_create("a", 0);

    exec_write("first", "1", 1, 0755);
    exec_write("second", "2", 1, 0755);
    exec_tree_begin(&t, fd, 1 << 20, &exec_err);
    cr_assert_eq(exec_tree_dir(&t, "/work", 0755), 0);
    cr_assert_eq(exec_tree_copy(&t, "first", "/work/x"), 0);
    cr_assert_eq(exec_tree_copy(&t, "./first", "/work/x"), 0, "the same one");
    cr_assert_eq(exec_tree_copy(&t, "second", "/work/x"), -EEXIST);
    cr_assert(strstr(exec_err.what, "second"), "%s", exec_err.what);
    exec_tree_free(&t);
    close(fd);
}

/* As a shell completes it. */
Test(exec_pack, a_folder_named_with_slashes_behind_it)
{
    mkdir("in", 0755);
    mkdir("in/sub", 0755);
    exec_write("in/sub/data", "123", 3, 0640);
    config.exec.dir = "in/";
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
    cr_assert_not_null(exec_entry(&archive, "work/sub/data"));
    config.exec.dir = "in//";
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
    cr_assert_not_null(exec_entry(&archive, "work/sub/data"));
}

Test(exec_pack, more_than_fits_into_memory_is_refused_with_both_sizes)
{
    mkdir("in", 0755);
    const int fd = open("in/large", O_WRONLY | O_CREAT, 0644);
    cr_assert_eq(ftruncate(fd, 200 << 20), 0);
    close(fd);
    config.exec.dir = "in";
    refused(-EFBIG, "has 201 MiB; --memory 256M takes 96");
    cr_assert(strstr(exec_err.hint, "--memory 517M"), "%s", exec_err.hint);
    config.memory = 517ULL << 20;
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
}

Test(exec_pack, modules_in_their_order)
{
    mkdir("mods", 0755);
    exec_write("mods/b.ko", "B", 1, 0644);
    exec_write("mods/a.ko.xz", "A", 1, 0644);
    exec_write("mods/modules.dep", "a.ko.xz: b.ko\nb.ko:\n", 20, 0644);
    config.exec.modules = "mods,a";
    cr_assert_eq(pack(), 0, "%s", exec_err.what);
    cr_assert(told("module=/.vmm/modules/000-b.ko"));
    cr_assert(told("module=/.vmm/modules/001-a.ko.xz"));
    cr_assert_eq(exec_entry(&archive, ".vmm/modules/001-a.ko.xz")->data[0], 'A');
    config.disks.count = 1;
    refused(-ENOENT, "no module virtio_mmio");
}

Test(exec_pack, modules_beyond_the_limit_are_refused)
{
    char modules[256] = "mods";

    for (int i = 0; i < 64; i++) { /* and pvpanic_mmio, which is always wanted */
        strcat(modules, ",a");
    }
    config.exec.modules = modules;
    refused(-E2BIG, "up to 64 modules");
}
