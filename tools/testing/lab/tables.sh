# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# Which Debian suite has what. A new release is a new line here.

xen_versions() { echo 4.17, 4.20; }

# xen_suite VERSION: the suite that has this hypervisor; dom0 and the guests
# have their programs from it too
xen_suite() {
	case $1 in
	4.17) echo bookworm ;;
	4.20) echo trixie ;;
	*) return 1 ;;
	esac
}

kernel_versions() { echo 6.1, 6.12, 7.x, debug; }

# kernel_suite VERSION: the suite that has this kernel
kernel_suite() {
	case $1 in
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	debug) checked_suite ;;
	7.x | 7.[0-9] | 7.[0-9][0-9]) echo sid ;;
	*) return 1 ;;
	esac
}

# root_packages XEN: what dom0 and every guest have
root_packages() {
	local t64='' mu=libtss2-mu0
	[ "$(xen_suite "$1")" = bookworm ] || {
		t64=t64
		mu=libtss2-mu-4.0.1-0t64
	}
	cat <<-LIST
		bash busybox kmod procps iproute2 strace socat e2fsprogs util-linux mount
		dropbear-bin xen-utils-$1 xenstore-utils
		tpm2-tools libtss2-tcti-device0$t64 tpm-tools trousers
		libtss2-esys-3.0.2-0$t64 libtss2-tctildr0$t64 libtss2-rc0$t64 $mu
		swtpm swtpm-tools libtpms0
		libevent-2.1-7$t64 libjansson4 libinih1 libseccomp2 libtasn1-6
		nfs-kernel-server dmsetup
	LIST
}

# toolchain_packages: what builds the drivers and the tools
toolchain_packages() {
	cat <<-LIST
		build-essential linux-headers-amd64 kmod pkg-config busybox-static
		libtpms-dev libtasn1-6-dev libevent-dev libjansson-dev libinih-dev libseccomp-dev
		libxen-dev libssl-dev libtss2-dev
	LIST
}

# early_modules ROLE: what a kernel needs until its root file system is there.
# What a kernel does not have as a module, it has built in.
early_modules() {
	echo squashfs overlay xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs
	case $1 in
	dom0)
		echo virtio_pci virtio_blk virtio_console 9pnet_virtio 9p ext4
		echo xen-blkback xen-netback bridge
		;;
	guest) echo xen-blkfront xen-netfront ;;
	esac
}
