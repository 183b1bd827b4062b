/*
 * Criterion (BoxFort) maps memory it shares with each test at a random address,
 * nearly always where ThreadSanitizer allows no mapping, and gives up. It takes
 * the address from rand_r(): this one answers with places that suit both, below
 * the lowest address of a position-independent executable.
 */
#ifdef __SANITIZE_THREAD__
#include <stdlib.h>

/* BoxFort's address is 0x200000000000 + (answer << 24). TSan's range begins at 0x550000000000. */
int rand_r(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return 0x350000 + (int)(*seed >> 16 & 0xfff);
}
#endif
