#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# An unmodified swtpm serves a raw connection.

. "$(dirname "$0")/lib.sh"

uuid=00000000-0000-4000-8000-00000000bbbb
config=/etc/xen-vtpm/vtpm.d/$uuid.conf
g() { guest g4 "export TPM2TOOLS_TCTI=device:/dev/tpmrm0; $1"; }

destroy g4
printf 'tpm-version = 2.0\nengine = swtpm\nlocalities = 0-3\n' >$config
sed "s/uuid=[0-9a-f-]*/uuid=$uuid/" /etc/xen/g4.cfg >/etc/xen/g4-swtpm.cfg
check "the guest boots" create g4 /etc/xen/g4-swtpm.cfg
guest g4 "modprobe xen-tpmfront"
check "its TPM appears" wait_tpm g4
like "swtpm is its engine" "$(tr '\0' ' ' <"/proc/$(counter $uuid pid)/cmdline")" '^[^ ]*swtpm chardev'
is "getrandom returns 16 bytes" "$(g "tpm2_getrandom 16 | wc -c")" 16
check "a key is made and used" g "cd /root && tpm2_createprimary -Q -C o -G ecc -c p &&
	tpm2_create -Q -C p -G ecc256:ecdsa -u u -r r && tpm2_load -Q -C p -u u -r r -c k &&
	echo m >m && tpm2_sign -Q -c k -g sha256 -o s m && tpm2_verifysignature -Q -c k -g sha256 -m m -s s"

guest g4 "echo vtpm-0 >/sys/bus/xen/drivers/xen-tpmfront/unbind; modprobe -r xen-tpmfront"
check "the hostile frontend loads" rogue_load g4
check "it is connected" await 30 backend_is g4 4
like "its swtpm is started" "$(rogue g4 1 0 12 80010000000c000001440000)" '^2 10 80010000000a00000000'
# PCR 20 may be reset from localities 2 and 3 only; PCR 16 from all.
reset20=80020000001b0000013d0000001400000009400000090000000000
is "locality 0 may not reset PCR 20" "$(rogue g4 1 0 27 "$reset20" | cut -c 1-28)" "2 10 80010000000a00000907"
like "locality 2 may: swtpm was told the locality" "$(rogue g4 1 2 27 "$reset20")" '^2 19 80020000001300000000'
is "and back at locality 0 it may not" "$(rogue g4 1 0 27 "$reset20" | cut -c 1-28)" "2 10 80010000000a00000907"

rogue_unload g4
destroy g4
rm -f $config
finish
