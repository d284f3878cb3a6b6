#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Reloading the frontend in a guest is no power cycle.

. "$(dirname "$0")/lib.sh"

g() { guest g1 "export TPM2TOOLS_TCTI=device:/dev/tpmrm0; $1"; }
pcr() { g "tpm2_pcrread sha256:16" | sed -n 's/.*: 0x//p'; }
reload() {
	g "echo vtpm-0 >/sys/bus/xen/drivers/xen-tpmfront/unbind &&
		modprobe -r xen-tpmfront && modprobe xen-tpmfront"
}

fresh g1
zero=$(printf '0%.0s' {1..64})
g "tpm2_pcrextend 16:sha256=$(printf '1%.0s' {1..64})"
value=$(pcr)
check "the PCR has been extended" test "$value" != "$zero"
for i in 1 2 3; do
	check "reload $i" reload
	check "the TPM comes back as tpm0" wait_tpm g1
	is "the PCR is as it was" "$(pcr)" "$value"
done

finish
