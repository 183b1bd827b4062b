/*
 * Formatted output to the console, and the checks that use it.
 */
#include "guest.h"

#include <stdarg.h>

static void print_string(const char *s)
{
    while (*s != '\0') {
        console_putc(*s++);
    }
}

static void print_number(uint64_t n, unsigned base, unsigned width)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    for (; width > count; width--) {
        console_putc('0');
    }
    while (count > 0) {
        console_putc(digits[--count]);
    }
}

/* Prints the conversion at format, behind its '%'; returns its last character's address. */
static const char *print_one(const char *format, va_list *args)
{
    unsigned width = 0;
    bool is_long = false;
    for (; *format >= '0' && *format <= '9'; format++) {
        width = width * 10 + (unsigned)(*format - '0');
    }
    if (*format == 'l') {
        is_long = true;
        format++;
    }
    switch (*format) {
    case 'c':
        console_putc((char)va_arg(*args, int));
        break;
    case 's':
        print_string(va_arg(*args, const char *));
        break;
    case 'u':
    case 'x':
        print_number(is_long ? va_arg(*args, unsigned long) : va_arg(*args, unsigned),
                     *format == 'u' ? 10 : 16, width);
        break;
    default:
        console_putc(*format);
    }
    return format;
}

void print(const char *format, ...)
{
    static struct spinlock lock;
    va_list args;
    va_start(args, format);
    spin_lock(&lock);
    for (; *format != '\0'; format++) {
        if (*format == '%') {
            format = print_one(format + 1, &args);
        } else {
            console_putc(*format);
        }
    }
    spin_unlock(&lock);
    va_end(args);
}

void check_failed(const char *file, unsigned line, const char *what)
{
    print("%s:%u: failed: %s\n", file, line, what);
    guest_exit(1);
}

void check_equal(const char *file, unsigned line, const char *what, uint64_t a, uint64_t b)
{
    if (a != b) {
        print("%s:%u: failed: %s: 0x%lx and 0x%lx\n", file, line, what, a, b);
        guest_exit(1);
    }
}
