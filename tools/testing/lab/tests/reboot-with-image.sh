#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# An image from before a boot is restored: its guest and the TPM do not
# belong together, and neither may be told that they do.

. "$(dirname "$0")/lib.sh"

uuid=$(uuid_of g1)

need "the guest boots" fresh g1
check "extend" extend g1
check "take an image, and run on" save_cancelled g1 reboot
is "the PCR is as it was" "$(pcr g1)" "$(extended "$zero")"
# Not by xl reboot: the xl that watches a domain ends when it suspends, cancelled or not, and
# nobody starts it anew then.
need "power off and boot" fresh g1
is "the PCR is reset" "$(pcr g1)" "$zero"
check "destroy the domain" destroy g1
need "restore the image" restore reboot
need "the guest answers" guest-wait g1
check "vtpmctl shows that they are apart" await 30 shows "$uuid" session apart
like "and why" "$(shown "$uuid" reason)" ...
is "a command gives TPM failure" "$(tpm g1 $getrandom)" $tpm_failure
need "a boot of the guest ends it" fresh g1
is "its TPM works and its PCRs are reset" "$(pcr g1)" "$zero"
is "vtpmctl shows it" "$(shown "$uuid" session)" running

finish
