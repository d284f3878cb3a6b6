#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The frontend that comes with the kernel works against our backend.

. "$(dirname "$0")/lib.sh"

g() { guest g3 "cd /root; $1"; }

fresh g3
check "the kernel's own module is loaded, which has no parameters" \
	g "test -d /sys/module/xen_tpmfront -a ! -e /sys/module/xen_tpmfront/parameters"
is "the backend is connected" "$(backend_state g3)" 4
is "24 PCRs can be read" "$(g "grep -c ^PCR /sys/class/tpm/tpm0/pcrs")" 24
check "trousers' daemon starts" g "sh /push/tests/start-tcsd"
like "tpm_version tells a TPM 1.2" "$(g tpm_version | tr -d '\0')" 'TPM 1.2 Version Info'
check "self test" g "tpm_selftest"
check "take ownership" g "tpm_takeownership -y -z"
check "seal" g "echo secret >plain && tpm_sealdata -z -i plain -o sealed"
is "unseal" "$(g "tpm_unsealdata -z -i sealed")" secret

finish
