#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The selftests of /dev/tpm0 over our frontend, with a TPM 2.0 and a TPM 1.2.

. "$(dirname "$0")/lib.sh"

check "a guest with a TPM 2.0" fresh g1
check "a guest with a TPM 1.2" fresh g2
kselftest "tpm_dev, TPM 2.0" guest g1 /push/selftests/tpm_dev
kselftest "tpm_dev, TPM 1.2" guest g2 /push/selftests/tpm_dev

check "a guest with the frontend of its kernel" ready g3
status=0
output=$(guest g3 /push/selftests/tpm_dev) || status=$?
is "there they are skipped" $status 4
like "and say why" "$output" "SKIP /dev/tpm0 is of the driver 'vtpm', not of xen-tpmfront"

finish
