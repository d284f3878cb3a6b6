#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A new boot finds what the TPM was told to keep, and fresh PCRs.

. "$(dirname "$0")/lib.sh"

g() { guest g1 "export TPM2TOOLS_TCTI=device:/dev/tpmrm0; $1"; }
pcr() { g "tpm2_pcrread sha256:16" | sed -n 's/.*: 0x//p'; }
zero=$(printf '0%.0s' {1..64})

fresh g1
g "tpm2_nvundefine -Q 0x1500002 -C o 2>/dev/null"
check "define and write an NV index" g "tpm2_nvdefine -Q 0x1500002 -C o -s 8 -a 'ownerread|ownerwrite' &&
	printf survivor | tpm2_nvwrite -Q 0x1500002 -C o -i-"
check "make a persistent key" g "tpm2_evictcontrol -Q -C o -c 0x81000002 2>/dev/null
	tpm2_createprimary -Q -C o -G ecc -c /tmp/p && tpm2_evictcontrol -Q -C o -c /tmp/p 0x81000002"
name=$(g "tpm2_readpublic -c 0x81000002" | sed -n 's/^name: //p')
g "tpm2_pcrextend 16:sha256=$(printf '1%.0s' {1..64})"
check "a PCR is extended" test "$(pcr)" != "$zero"

check "destroy and create" fresh g1
is "the NV index is still there" "$(g "tpm2_nvread 0x1500002 -C o")" survivor
is "the persistent key is the same" "$(g "tpm2_readpublic -c 0x81000002" | sed -n 's/^name: //p')" "$name"
is "the PCR is reset" "$(pcr)" "$zero"

g "tpm2_pcrextend 16:sha256=$(printf '1%.0s' {1..64})"
first=$(domid g1)
xl reboot g1
other_domid() { [ -n "$(domid g1)" ] && [ "$(domid g1)" != "$first" ]; }
check "xl reboot brings a new domain" await 60 other_domid
guest-wait g1
check "its TPM appears" wait_tpm g1
is "the NV index is still there after a reboot" "$(g "tpm2_nvread 0x1500002 -C o")" survivor
is "the PCR is reset by a reboot" "$(pcr)" "$zero"

engine=$(counter "$(uuid_of g1)" pid)
kill -9 "$engine"
other_engine() { [ "$(counter "$(uuid_of g1)" pid)" != "$engine" ]; }
check "an engine that dies is started again" await 20 other_engine
g "tpm2_startup -c"
is "the NV index survives that too" "$(g "tpm2_nvread 0x1500002 -C o")" survivor

finish
