#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A domain is saved, and then booted instead of restored: a power cycle. Its
# image does not fit afterwards.

. "$(dirname "$0")/lib.sh"

uuid=$(uuid_of g1)

need "the guest boots" fresh g1
check "extend" extend g1
need "save" save g1 suspended
need "boot the domain instead of the restore" create g1
need "its TPM appears" wait_tpm g1
is "the PCR is reset" "$(pcr g1)" "$zero"
check "extend" extend g1
is "the TPM works" "$(pcr g1)" "$(extended "$zero")"
check "destroy" destroy g1
need "restore the image after all" restore suspended
need "the guest answers" guest-wait g1
check "vtpmctl shows that they are apart" await 30 shows "$uuid" session apart
is "a command gives TPM failure" "$(tpm g1 $getrandom)" $tpm_failure
destroy g1

finish
