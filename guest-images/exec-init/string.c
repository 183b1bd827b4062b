/*
 * Strings, and what the compiler wants to call.
 */
#include "guest-images/exec-init/init.h"

void *memcpy(void *to, const void *from, size_t len)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    while (len-- > 0) {
        *t++ = *f++;
    }
    return to;
}

void *memset(void *to, int byte, size_t len)
{
    uint8_t *t = to;

    while (len-- > 0) {
        *t++ = (uint8_t)byte;
    }
    return to;
}

size_t text_len(const char *s)
{
    size_t len = 0;

    while (s[len] != '\0') {
        len++;
    }
    return len;
}

const char *text_after(const char *s, const char *prefix)
{
    while (*prefix != '\0' && *s == *prefix) {
        s++;
        prefix++;
    }
    return *prefix == '\0' ? s : NULL;
}

bool text_equal(const char *a, const char *b)
{
    const char *rest = text_after(a, b);

    return rest != NULL && *rest == '\0';
}

void text_add(struct text *t, const char *s)
{
    while (*s != '\0' && t->len + 1 < sizeof(t->bytes)) {
        t->bytes[t->len++] = *s++;
    }
    t->bytes[t->len] = '\0';
}

void text_add_number(struct text *t, unsigned long n)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    text_add(t, digits + at);
}
