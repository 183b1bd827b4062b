/*
 * Kernel command lines: joining, and when defaults are added.
 */
#include "src/boot/cmdline.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct cmdline_defaults defaults = {
    .console = "console=ttyS0",
    .root = "root=/dev/vda rw",
    .devices = "virtio_mmio.device=512@0xfeb00000:5",
};

static void expect(const char *user, const char *whole)
{
    char *text = cmdline_linux(user, &defaults);

    cr_assert_str_eq(text, whole);
    free(text);
}

#define DEVICES "virtio_mmio.device=512@0xfeb00000:5"

Test(cmdline, strings_are_joined_with_a_space)
{
    static const char *const strings[] = {"a b", "c", ""};
    char *text = cmdline_join(strings, 3);

    cr_assert_str_eq(text, "a b c ");
    free(text);
    text = cmdline_join(NULL, 0);
    cr_assert_str_eq(text, "");
    free(text);
}

Test(cmdline, an_empty_line_gets_all_defaults)
{
    expect("", "console=ttyS0 root=/dev/vda rw " DEVICES);
}

Test(cmdline, the_users_choice_replaces_a_default)
{
    expect("console=tty0", "root=/dev/vda rw " DEVICES " console=tty0");
    expect("quiet root=/dev/vdb", "console=ttyS0 " DEVICES " quiet root=/dev/vdb");
}

Test(cmdline, only_whole_words_count)
{
    expect("netconsole=x xroot=y",
           "console=ttyS0 root=/dev/vda rw " DEVICES " netconsole=x xroot=y");
}

Test(cmdline, what_init_gets_is_not_the_kernels)
{
    expect("quiet -- console=x", "console=ttyS0 root=/dev/vda rw " DEVICES " quiet -- console=x");
}

Test(cmdline, nothing_is_added_that_there_is_not)
{
    static const struct cmdline_defaults console_only = {.console = "console=ttyS0"};
    char *text = cmdline_linux("console=ttyS0 quiet", &console_only);

    cr_assert_str_eq(text, "console=ttyS0 quiet");
    free(text);
}
