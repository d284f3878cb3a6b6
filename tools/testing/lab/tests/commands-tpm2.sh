#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A guest uses its TPM 2.0 with tpm2-tools.

. "$(dirname "$0")/lib.sh"

g() { guest g1 "cd /root; export TPM2TOOLS_TCTI=device:/dev/tpmrm0; $1"; }

fresh g1
check "/dev/tpm0 and /dev/tpmrm0 are there" guest g1 "test -c /dev/tpm0 -a -c /dev/tpmrm0"
is "it is a TPM 2.0" "$(guest g1 "cat /sys/class/tpm/tpm0/tpm_version_major")" 2
check "our module is in use, not the kernel's" \
	guest g1 "test -e /sys/module/xen_tpmfront/parameters/cancel_timeout_ms"
is "getrandom returns 16 bytes" "$(g "tpm2_getrandom 16 | wc -c")" 16
like "the TPM core's random source is the TPM" \
	"$(guest g1 "cat /sys/class/misc/hw_random/rng_available")" tpm
is "hwrng gives 32 bytes" "$(guest g1 "echo tpm-rng-0 >/sys/class/misc/hw_random/rng_current
	head -c 32 /dev/hwrng | wc -c")" 32

interrupts() { guest g1 "awk '/xen_tpmfront/ { print \$2 }' /proc/interrupts"; }
before=$(interrupts)
g "tpm2_getrandom 8 >/dev/null"
check "answers come by interrupt" test "$(interrupts)" -gt "$before"

zero=0000000000000000000000000000000000000000000000000000000000000000
digest=$(printf 'a measurement' | sha256sum | cut -c 1-64)
wanted=$(echo "$zero$digest" | perl -ne 'chomp; print pack("H*", $_)' | sha256sum | cut -c 1-64)
g "tpm2_pcrextend 16:sha256=$digest"
is "PCR 16 is the hash of its old value and the digest" \
	"$(g "tpm2_pcrread sha256:16" | sed -n 's/.*: 0x//p' | tr A-F a-f)" "$wanted"

check "create primary" g "tpm2_createprimary -Q -C o -G ecc -c primary.ctx"
check "create a signing key" g "tpm2_create -Q -C primary.ctx -G ecc256:ecdsa -u key.pub -r key.priv"
check "load it" g "tpm2_load -Q -C primary.ctx -u key.pub -r key.priv -c key.ctx"
check "sign" g "echo message >message && tpm2_sign -Q -c key.ctx -g sha256 -o signature message"
check "verify" g "tpm2_verifysignature -Q -c key.ctx -g sha256 -m message -s signature"
check_fails "a changed message does not verify" \
	g "echo other >other && tpm2_verifysignature -Q -c key.ctx -g sha256 -m other -s signature"

check "define an NV index" g "tpm2_nvdefine -Q 0x1500001 -C o -s 32 -a 'ownerread|ownerwrite'"
check "write it" g "printf 0123456789abcdef0123456789abcdef | tpm2_nvwrite -Q 0x1500001 -C o -i-"
is "read it" "$(g "tpm2_nvread 0x1500001 -C o")" 0123456789abcdef0123456789abcdef
check "undefine it" g "tpm2_nvundefine -Q 0x1500001 -C o"

check "seal to PCR 16" g "tpm2_createpolicy -Q --policy-pcr -l sha256:16 -L policy &&
	printf secret | tpm2_create -Q -C primary.ctx -L policy -i- -u seal.pub -r seal.priv &&
	tpm2_load -Q -C primary.ctx -u seal.pub -r seal.priv -c seal.ctx"
is "unseal with the right PCR" "$(g "tpm2_unseal -c seal.ctx -p pcr:sha256:16")" secret
g "tpm2_pcrextend 16:sha256=$digest"
check_fails "no unseal with another PCR" g "tpm2_unseal -c seal.ctx -p pcr:sha256:16"

finish
