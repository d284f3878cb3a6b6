#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A guest uses its TPM 1.2 with trousers.

. "$(dirname "$0")/lib.sh"

g() { guest g2 "cd /root; $1"; }

check "its TPM is to be a new one" unmake g2
fresh g2
is "it is a TPM 1.2" "$(g "cat /sys/class/tpm/tpm0/tpm_version_major")" 1
check "there is no resource manager device" g "test ! -e /dev/tpmrm0"
is "the TPM is enabled, active and not owned" \
	"$(g "cd /sys/class/tpm/tpm0; cat enabled active owned" | tr '\n' ' ')" "1 1 0 "
check "trousers' daemon starts" g "sh /push/tests/start-tcsd"
like "tpm_version tells a TPM 1.2" "$(g tpm_version | tr -d '\0')" 'TPM 1.2 Version Info'
check "self test" g "tpm_selftest"
check "take ownership" g "tpm_takeownership -y -z"
is "the TPM is owned" "$(g "cat /sys/class/tpm/tpm0/owned")" 1
check "seal" g "echo secret >plain && tpm_sealdata -z -i plain -o sealed"
is "unseal" "$(g "tpm_unsealdata -z -i sealed")" secret
check "seal to PCR 10" g "tpm_sealdata -z -p 10 -i plain -o sealed10"
is "unseal with the right PCR" "$(g "tpm_unsealdata -z -i sealed10")" secret
check "extend PCR 10" g "sh /push/tests/stop-tcsd && perl /push/tests/extend12.pl 10 &&
	sh /push/tests/start-tcsd"
check_fails "no unseal with another PCR" g "tpm_unsealdata -z -i sealed10"

finish
