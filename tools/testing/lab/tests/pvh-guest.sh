#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: pvh
#
# A PVH guest with two virtual CPUs uses its TPM from both at once.

. "$(dirname "$0")/lib.sh"

check "its TPM appears" wait_tpm g1
like "it is a PVH guest" "$(guest g1 dmesg)" 'kernel on Xen PVH'
is "it has two virtual CPUs" "$(guest g1 nproc)" 2
both=$(guest g1 "for cpu in 0 1; do
	for i in 1 2 3 4 5 6 7 8 9 10; do
		DEVICE=/dev/tpmrm0 taskset -c \$cpu perl /push/tests/send.pl $getrandom
	done &
done; wait")
is "20 answers to 20 commands" "$(grep -c '^800100000014000000000008' <<<"$both")" 20
is "no two alike" "$(sort -u <<<"$both" | wc -l)" 20
check "a key is made" guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_createprimary -Q -C o -G ecc -c /tmp/p"

finish
