#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# dm-log-writes below the store records what a real kernel brings to the disk. At each of some
# points of it the disk is built anew, its file system recovers, and an engine reads its counter.

. "$(dirname "$0")/lib.sh"

engine=/usr/libexec/xen-vtpm/vtpm-engine
work=/run/power-cut
size=$((24 << 20))
export PYTHONDONTWRITEBYTECODE=1

cut_py() { python3 "$tests/power_cut.py" "$@"; }

loop_of() { losetup -n -O NAME -j "$1"; }

# set_up file|device: a disk, its log, and the recording device over both
set_up() {
	rm -f disk log
	truncate -s $size disk
	truncate -s $((4 * size)) log
	[ "$1" = device ] || mkfs.ext4 -q disk
	cp --sparse=always disk before
	losetup -f disk && losetup -f log && dmsetup create --noudevsync power-cut --table \
		"0 $((size / 512)) log-writes $(loop_of disk) $(loop_of log)" &&
		dmsetup mknodes power-cut
}

take_down() {
	dmsetup remove --noudevsync power-cut && sync &&
		losetup -d "$(loop_of disk)" "$(loop_of log)"
}

count_in_file() {
	mount /dev/mapper/power-cut mnt && : >mnt/store && sync mnt/store mnt &&
		cut_py count $engine mnt/store 12 power-cut
}

rm -rf $work
mkdir -p $work/mnt
cd $work || exit
need "the modules are there" modprobe -a loop dm-log-writes

need "a recording device with a file system" set_up file
need "an engine counts in a file" count_in_file
umount mnt
need "the recording ends" take_down
check "the count is kept at each cut, with a file on ext4" \
	cut_py replay $engine before log 30 store

need "a recording device" set_up device
need "an engine counts on a block device" cut_py count $engine /dev/mapper/power-cut 12 power-cut
need "the recording ends" take_down
check "the count is kept at each cut, with a block device" cut_py replay $engine before log 30 cut

cd /
rm -rf $work
finish
