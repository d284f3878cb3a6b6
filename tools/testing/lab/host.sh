# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# What the lab needs from the machine that it runs on.

# command:package
host_needs() {
	cat <<-LIST
		qemu-system-x86_64:qemu-system-x86
		mmdebstrap:mmdebstrap
		mksquashfs:squashfs-tools
		mkfs.ext4:e2fsprogs
		depmod:kmod
		cpio:cpio
		xz:xz-utils
		zstd:zstd
		flock:util-linux
		setpriv:util-linux
		patch:patch
		git:git
	LIST
}

check_host() {
	local line commands=() packages=()
	[ "$(uname -m)" = x86_64 ] ||
		die "the lab needs an x86-64 machine, this is $(uname -m)"
	while IFS= read -r line; do
		command -v "${line%%:*}" >/dev/null && continue
		commands+=("${line%%:*}")
		packages+=("${line#*:}")
	done < <(host_needs)
	[ "$(id -u)" = 0 ] ||
		die "must run as root (it makes chroots)${commands[*]:+; missing too: ${commands[*]}}"
	[ ${#packages[@]} = 0 ] || install_host "${packages[@]}"
	mkdir -p "$cache"
}

install_host() {
	[ -e /etc/debian_version ] && command -v apt-get >/dev/null ||
		die "this is not Debian; please install what provides: ${commands[*]}"
	say "installing on this machine: $*"
	apt_install "$@" >/dev/null 2>&1 || {
		apt-get -qq update >&2 && apt_install "$@" >&2
	} || die "apt-get could not install: $*"
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
		--no-install-recommends install "$@"
}
