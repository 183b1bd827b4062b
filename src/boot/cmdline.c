/* Kernel command lines: see cmdline.h. */
#include "src/boot/cmdline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *cmdline_join(const char *const *strings, size_t count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", strings[i]);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Is there a word before "--" that begins with prefix? */
static bool has_word(const char *text, const char *prefix)
{
    while (*text != '\0') {
        const size_t length = strcspn(text, " ");

        if (length == 2 && strncmp(text, "--", 2) == 0) {
            return false;
        }
        if (strncmp(text, prefix, strlen(prefix)) == 0) {
            return true;
        }
        text += length;
        text += strspn(text, " ");
    }
    return false;
}

char *cmdline_linux(const char *user, const struct cmdline_defaults *defaults)
{
    const char *words[5];
    size_t count = 0;

    if (!has_word(user, "console=")) {
        words[count++] = defaults->console;
    }
    if (defaults->root != NULL && !has_word(user, "root=")) {
        words[count++] = defaults->root;
    }
    if (defaults->devices != NULL) {
        words[count++] = defaults->devices;
    }
    if (defaults->exec != NULL) {
        words[count++] = defaults->exec;
    }
    if (*user != '\0') {
        words[count++] = user;
    }
    return cmdline_join(words, count);
}
