#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A store on a block device that hangs, then fails, then works: the guest waits, and loses
# nothing.

. "$(dirname "$0")/lib.sh"

uuid=00000000-0000-4000-8000-0000000000f0
config=/etc/xen-vtpm/vtpm.d/$uuid.conf
index=0x1500003
g() { guest g4 "export TPM2TOOLS_TCTI=device:/dev/tpmrm0; $1"; }
state_is() { shows $uuid state "$1"; }
reason() { shown $uuid reason; }

# table TARGET: what the block device is from now on
table() {
	dmsetup reload --noudevsync --table "0 $sectors $1" vstore &&
		dmsetup resume --noudevsync --noflush vstore
}

# write_begin TEXT: the guest writes the NV index; write_ends waits for it
write_begin() {
	g "printf '%-8s' $1 | tpm2_nvwrite -Q $index -C o -i-" >/run/write.log 2>&1 &
	writer=$!
}
write_ends() {
	local status=0
	wait $writer || status=$?
	result $status "the guest's command succeeds"
	note "$(cat /run/write.log)"
}

map() {
	dmsetup create --noudevsync vstore --table "0 $sectors linear $loop 0" &&
		dmsetup mknodes vstore
}

destroy g4
need "the modules are there" modprobe -a loop dm-mod
truncate -s "$(vtpmctl store size)" /run/vstore.img
loop=$(losetup -f --show /run/vstore.img)
sectors=$(blockdev --getsz "$loop")
need "a block device" map
printf 'tpm-version = 2.0\nstore = /dev/mapper/vstore\n' >$config
check "vtpmctl makes a TPM on it" vtpmctl store create $uuid
check_fails "and not a second time" vtpmctl store create $uuid
sed "s/uuid=[0-9a-f-]*/uuid=$uuid/" /etc/xen/g4.cfg >/etc/xen/g4-store.cfg
check "a guest boots with it" create g4 /etc/xen/g4-store.cfg
guest g4 "modprobe xen-tpmfront"
need "its TPM appears" wait_tpm g4
check "it makes an NV index" g "tpm2_nvdefine -Q $index -C o -s 8 -a 'ownerread|ownerwrite' &&
	printf 'before  ' | tpm2_nvwrite -Q $index -C o -i-"

check "the device hangs" dmsetup suspend --nolockfs --noflush vstore
write_begin hang
check "vtpmctl says so" await 60 state_is store-waits
like "and why" "$(reason)" 'has not answered for [0-9]+ s'
check "the device goes on" dmsetup resume --noudevsync vstore
write_ends
check "vtpmctl says that, too" await 30 state_is running
is "it has been done" "$(g "tpm2_nvread $index -C o")" "hang    "

check "the device fails" table error
write_begin error
check "vtpmctl says so" await 60 state_is store-waits
like "and why" "$(reason)" 'cannot store: Input/output error'
check "the device works again" table "linear $loop 0"
write_ends
is "it has been done" "$(g "tpm2_nvread $index -C o")" "error   "

destroy g4
check "another boot finds it" create g4 /etc/xen/g4-store.cfg
guest g4 "modprobe xen-tpmfront"
check "its TPM appears" wait_tpm g4
is "what it wrote last is there" "$(g "tpm2_nvread $index -C o")" "error   "
is "no lockout has built up" "$(g "tpm2_getcap properties-variable" |
	sed -n 's/.*TPM2_PT_LOCKOUT_COUNTER: *//p')" 0x0

destroy g4
gone() { ! vtpmctl list --json | grep -q $uuid; }
await 30 gone
check "vtpmctl deletes it" vtpmctl store delete $uuid --yes
is "nothing is left on the device" "$(tr -d '\0' </dev/mapper/vstore | wc -c)" 0
dmsetup remove --noudevsync vstore
losetup -d "$loop"
rm -f /run/vstore.img $config
finish
