#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Every wrong use of /dev/vtpm and of a connection has its errno, an unknown
# or damaged vTPM its message, and none of it disturbs others.

. "$(dirname "$0")/lib.sh"

destroy g4
check "a guest without a frontend of its own" create g4
like "a second controller is told that there is one" \
	"$(vtpmd --config /etc/xen-vtpm/vtpmd.conf 2>&1)" 'another|busy'
lab-vtpmd stop
like "vtpmctl says that the daemon does not run" "$(vtpmctl list 2>&1)" 'vtpmd'
rogue_load g4 && rogue g4 1 0 12 "$getrandom" nowait
check "the hostile frontend has a command pending" await 30 frontend_is g4 3
while IFS= read -r line; do
	case $line in
	ok\ *) result 0 "${line#ok }" ;;
	*) result 1 "$line" ;;
	esac
done < <(python3 "$tests/bad-use.py" "$(domid g4)" 2>&1)
rogue_unload g4
lab-vtpmd start

# --- vTPMs that must not start ---

fresh g2
uuid=00000000-0000-4000-8000-00000000cccc
config=/etc/xen-vtpm/vtpm.d/$uuid.conf
reason() { counter $uuid reason; }
refused() { [ -n "$(reason)" ] && [ "$(reason)" != None ]; }
attach() { xl vtpm-attach "${1-g4}" backend=0 uuid=$uuid; }
detach() { xl vtpm-detach "${1-g4}" $uuid; }
runs() { [ "$(counter $uuid state)" = running ]; }

echo 'create = no' >$config
check "attach a vTPM that was never made, where none may be made" attach
check "it is refused" await 20 refused
like "vtpmctl list says why" "$(reason)" 'create'
check "and the log, naming the vTPM" grep -q "$uuid" /var/log/xen/vtpmd.log
check "detach it" detach

echo 'create = yes' >$config
check "attach it where it may be made, to another domain" attach g2
check "its TPM appears" wait_tpm g2 1
check "detach it" detach g2

state=/var/lib/xen-vtpm/$uuid.vtpm
mv $state /run/kept
check "attach it, its state taken away" attach
check "it is refused" await 20 refused
like "the reason names the file" "$(reason)" "$uuid.vtpm"
check "no new state was made" test ! -e $state
check "detach it" detach

head -c 1000 /run/kept >$state
check "attach it, its state cut short" attach
check "it is refused" await 20 refused
like "the reason names the file" "$(reason)" "$uuid.vtpm"
is "the file is left alone" "$(stat -c %s $state)" 1000
check "detach it" detach

cp /run/kept $state
for offset in 4096 8192 12288 16384; do
	printf 'damage' | dd of=$state bs=1 seek=$((offset + 300)) conv=notrunc status=none
done
size=$(stat -c %s $state)
dd if=/dev/zero of=$state bs=4096 seek=1 count=$((size / 4096 - 1)) conv=notrunc status=none
sum=$(sha256sum <$state)
check "attach it, its state overwritten" attach
check "it is refused" await 20 refused
like "the reason names the file" "$(reason)" "$uuid.vtpm"
is "the file is left alone" "$(sha256sum <$state)" "$sum"
check "detach it" detach

mv /run/kept $state
check "attach it, its state put back" attach
check "it runs" await 20 runs
check "detach it" detach
check "the other TPM of the guest goes on" guest g2 "grep -q ^PCR /sys/class/tpm/tpm0/pcrs"
rm -f $config

finish
