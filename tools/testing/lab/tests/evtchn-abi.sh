#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
# lab: two-level
#
# Event channels have two ABIs, and each domain chooses its own: that of two levels in the
# guest, in dom0 (the other lab), or in both; suspends included.

. "$(dirname "$0")/lib.sh"

two_level() {
	guest "$1" "! dmesg | grep -q 'Using FIFO-based ABI'"
}

sed 's/^cmdline = "/&xen.fifo_events=0 /' /etc/xen/g1.cfg >/run/g1-two-level.cfg
for config in /etc/xen/g1.cfg /run/g1-two-level.cfg; do
	name=$(basename $config .cfg)
	destroy g1
	need "$name: the guest boots" create g1 $config
	need "$name: its TPM appears" wait_tpm g1
	case $name in
	g1) check_fails "$name: it has the FIFO ABI" two_level g1 ;;
	*) check "$name: it has the ABI of two levels" two_level g1 ;;
	esac
	check "$name: extend" extend g1
	need "$name: save" save g1 abi
	need "$name: restore" restore abi
	need "$name: the guest answers" guest-wait g1
	is "$name: the PCR is as it was" "$(pcr g1)" "$(extended "$zero")"
	check "$name: xl save -c" save_cancelled g1 abi
	check "$name: extend" extend g1
	is "$name: the PCR has both extends" "$(pcr g1)" "$(extended "$(extended "$zero")")"
done

finish
