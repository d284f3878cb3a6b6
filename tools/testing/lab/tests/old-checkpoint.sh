#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A domain is saved twice and restored from the older image: the TPM has gone
# on since then. This is refused, until the newer image is restored or the administrator
# resets the TPM.

. "$(dirname "$0")/lib.sh"

uuid=$(uuid_of g1)
one=$(extended "$zero")
two=$(extended "$one")

# apart TEXT: g1 is, now
apart() {
	need "$1: the guest answers" guest-wait g1
	check "$1: vtpmctl shows that they are apart" await 30 shows "$uuid" session apart
	like "$1: and why" "$(shown "$uuid" reason)" ...
	is "$1: a command gives TPM failure" "$(tpm g1 $getrandom)" $tpm_failure
}

need "the guest boots" fresh g1
check "extend" extend g1
need "save" save g1 old
need "restore" restore old
need "the guest answers" guest-wait g1
is "the PCR is as it was" "$(pcr g1)" "$one"
check "extend" extend g1
need "save again" save g1 new
need "restore the older image" restore old
apart "the older image"
check "destroy" destroy g1
need "restore the newer image" restore new
need "the guest answers" guest-wait g1
is "the PCR has both extends" "$(pcr g1)" "$two"
is "they belong together" "$(shown "$uuid" session)" running

check "extend" extend g1
need "save" save g1 new
need "restore the older image" restore old
apart "once more"
check "reset by the administrator" vtpmctl reset --yes "$uuid"
is "the guest that is there uses a reset TPM" "$(pcr g1)" "$zero"
is "they belong together" "$(shown "$uuid" session)" running
check "extend" extend g1
need "save" save g1 new
need "restore" restore new
need "the guest answers" guest-wait g1
is "the new session continues" "$(pcr g1)" "$one"

finish
