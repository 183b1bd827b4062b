/*
 * Looking words up on the kernel command line.
 */
#include "guest.h"

/* The rest of the first word that begins with name, or NULL. */
static const char *find_word(const char *name)
{
    const size_t len = strlen(name);
    const char *word = boot.cmdline;
    while (*word != '\0') {
        size_t match = 0;
        while (match < len && word[match] == name[match]) {
            match++;
        }
        if (match == len) {
            return word + len;
        }
        while (*word != '\0' && *word != ' ') {
            word++;
        }
        while (*word == ' ') {
            word++;
        }
    }
    return NULL;
}

bool cmdline_has(const char *word)
{
    const char *rest = find_word(word);
    return rest != NULL && (*rest == '\0' || *rest == ' ');
}

uint64_t cmdline_number(const char *name, uint64_t fallback)
{
    const char *rest = find_word(name);
    if (rest == NULL || *rest++ != '=') {
        return fallback;
    }
    uint64_t n = 0;
    for (; *rest >= '0' && *rest <= '9'; rest++) {
        n = n * 10 + (uint64_t)(*rest - '0');
    }
    return n;
}
