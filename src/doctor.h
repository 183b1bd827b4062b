/*
 * `vmm --doctor`: what this host's KVM can do for guests, and what to do where
 * it cannot.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdio.h>

/*
 * Probe /dev/kvm and print a report, one "name: finding" a line. The line
 * "linux guests: yes" or "linux guests: no (why)" is meant for scripts.
 * Returns the exit status: EXIT_OK if there is a usable KVM, else EXIT_NO_KVM.
 * Runs tiny guests for at most half a second.
 */
int doctor(FILE *out);

#endif
