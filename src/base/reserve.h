/*
 * Descriptors 0, 1 and 2 of a program that was started without them.
 *
 * Locking: none; for the start of main().
 */
#ifndef BASE_RESERVE_H
#define BASE_RESERVE_H

/*
 * Put something inert where they are closed, so that no file opened later
 * becomes stdin, stdout or stderr by its number.
 */
void reserve_stdio(void);

#endif
