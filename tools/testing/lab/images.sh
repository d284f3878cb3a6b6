# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# The chroots and images that are made from Debian packages alone. Each is
# in the cache under a name that has the hash of what it is made from.

# key [WORD]...: a hash of the words and of the text of the functions among them
key() {
	local word
	for word; do
		echo "$word"
		! declare -F "$word" >/dev/null 2>&1 || declare -f "$word"
	done | hash
}

# debstrap SUITE PACKAGES HOOK DIR: HOOK is shell text that runs in the chroot
# while apt still has its lists
debstrap() {
	local suite=$1 packages=$2 hook=$3 dir=$4
	mmdebstrap --variant=apt --include="$(echo $packages | tr ' ' ,)" \
		--aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--aptopt='Acquire::Retries "3"' \
		--dpkgopt=force-unsafe-io \
		--essential-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"' \
		--essential-hook='chmod 755 "$1/usr/sbin/policy-rc.d"' \
		--customize-hook="chroot \"\$1\" sh -euc '$hook'" \
		"$suite" "$dir"
}

# --- the toolchain of a suite: headers, compiler, libraries, and the kernel

# The headers of newer suites bring the kernel along; that of older ones is
# downloaded only, because its installation makes an initramfs.
toolchain_hook() {
	cat <<-'HOOK'
		mkdir -p /debs/partial
		release=$(ls /lib/modules)
		[ -e /boot/vmlinuz-$release ] ||
			apt-get -qq -y -d -o Dir::Cache::Archives=/debs \
				install linux-image-$release
	HOOK
}

make_toolchain() {
	debstrap "$1" "$(toolchain_packages)" "$(toolchain_hook)" "$2/tree"
}

# toolchain SUITE
toolchain() {
	cached "toolchain-$1" "$(key debstrap make_toolchain toolchain_hook \
		toolchain_packages "$(toolchain_packages)")" make_toolchain "$1"
}

# --- a kernel: vmlinux, its modules, and the initramfs of dom0 and guests

# unpack_vmlinux VMLINUZ FILE: decompress it here, not in the emulated machine
unpack_vmlinux() {
	local setup offset length magic
	setup=$(od -An -tu1 -j $((0x1f1)) -N1 "$1")
	offset=$(od -An -tu4 -j $((0x248)) -N4 "$1")
	length=$(od -An -tu4 -j $((0x24c)) -N4 "$1")
	# The payload's last four bytes are its unpacked size.
	head -c $(((setup + 1) * 512 + offset + length - 4)) "$1" |
		tail -c $((length - 4)) >"$2.packed"
	magic=$(od -An -tx1 -N4 "$2.packed" | tr -d ' ')
	case $magic in
	fd377a58) xz -dc <"$2.packed" >"$2" ;;
	28b52ffd) zstd -qdc <"$2.packed" >"$2" ;;
	1f8b*) gzip -dc <"$2.packed" >"$2" ;;
	*) echo "unknown compression of the kernel: $magic"; return 1 ;;
	esac
	rm "$2.packed"
}

# unpack_modules TREE RELEASE: an emulated CPU is slow at this
unpack_modules() {
	local dir=$1/usr/lib/modules/$2
	find "$dir" -name '*.ko.xz' -print0 | xargs -0r -P"$(nproc)" -n64 xz -d
	find "$dir" -name '*.ko.zst' -print0 | xargs -0r -P"$(nproc)" -n64 zstd -qd --rm
	rm -f "$dir/build" "$dir/source"
	depmod -b "$1" "$2"
}

# early_module_files TREE RELEASE ROLE: their paths, each after what it needs
early_module_files() {
	local module
	for module in $(early_modules "$3"); do
		modprobe -d "$1" -S "$2" --show-depends "$module" 2>/dev/null || true
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# make_initramfs TREE RELEASE BUSYBOX FILE
make_initramfs() {
	local root=$4.d role file
	mkdir -p "$root/bin" "$root/modules" "$root/dev" "$root/proc" \
		"$root/sys" "$root/layer" "$root/root"
	cp "$3" "$root/bin/busybox"
	cp "$here/inside/initramfs-init" "$root/init"
	chmod 755 "$root/init"
	for role in dom0 guest; do
		: >"$root/modules/$role"
		while read -r file; do
			cp "$file" "$root/modules/"
			echo "${file##*/}" >>"$root/modules/$role"
		done < <(early_module_files "$1" "$2" $role)
	done
	(cd "$root" && find . | cpio --quiet -R 0:0 -o -H newc) >"$4"
	rm -rf "$root"
}

# collect_kernel CHROOT RELEASE DIR: DIR/vmlinuz and DIR/modules
collect_kernel() {
	local chroot=$1 release=$2 dir=$3 deb
	mkdir -p "$dir/debs"
	if [ -e "$chroot/boot/vmlinuz-$release" ]; then
		cp "$chroot/boot/vmlinuz-$release" "$dir/vmlinuz"
		cp -a "$chroot/lib/modules" "$dir/"
		return
	fi
	for deb in "$chroot"/debs/linux-{image,binary,modules}-*.deb; do
		[ ! -e "$deb" ] || dpkg-deb -x "$deb" "$dir/debs"
	done
	find "$dir/debs" -type f -name 'vmlinuz*' -exec mv '{}' "$dir/vmlinuz" ';'
	find "$dir/debs" -type d -path '*lib/modules' -prune -exec mv '{}' "$dir/" ';'
}

# make_kernel VERSION TOOLCHAIN DIR: DIR/tree has what the layer has
make_kernel() {
	local version=$1 chroot=$2/tree dir=$3 tree=$3/tree release
	release=$(ls "$chroot/lib/modules")
	case $release in
	"${version%x}"*) ;;
	*) echo "Debian $(kernel_suite "$version") now has $release"; return 1 ;;
	esac
	mkdir -p "$tree/usr/lib" "$tree/boot"
	ln -s usr/lib "$tree/lib"
	collect_kernel "$chroot" "$release" "$dir/unpacked"
	mv "$dir/unpacked/modules" "$tree/usr/lib/"
	unpack_vmlinux "$dir/unpacked/vmlinuz" \
		"$tree/boot/vmlinux-$release"
	rm -rf "$dir/unpacked"
	unpack_modules "$tree" "$release"
	make_initramfs "$tree" "$release" "$chroot/bin/busybox" \
		"$tree/boot/initrd-$release"
	squash "$tree" "$dir/kernel.squashfs" -all-root
	echo "$release" >"$dir/release"
}

# kernel VERSION
kernel() {
	local chroot
	if is_checked "$1"; then
		checked_kernel "$1"
		return
	fi
	toolchain "$(kernel_suite "$1")"
	chroot=$REPLY
	cached "kernel-$1" "$(key make_kernel collect_kernel unpack_vmlinux \
		unpack_modules make_initramfs early_module_files early_modules "${chroot##*/}" \
		"$(cat "$here/inside/initramfs-init")")" make_kernel "$1" "$chroot"
}

# --- the root file system, and with it the hypervisor

# All versions of the hypervisor that apt can see, the newest first.
xen_hook() {
	cat <<-HOOK
		mkdir /debs
		cd /debs
		chmod 777 .
		n=0
		for version in \$(apt-cache madison xen-hypervisor-$1-amd64 |
			cut -d\| -f2 | tr -d " " | uniq); do
			n=\$((n + 1))
			apt-get -qq download xen-hypervisor-$1-amd64=\$version
			mkdir \$n
			mv xen-hypervisor-*.deb \$n/
		done
	HOOK
}

# unpack_xen XEN DEBS FILE: the newest hypervisor that can migrate PV guests
# while they run (newer builds of Debian come without shadow paging), or else
# the newest
unpack_xen() {
	local xen=$1 debs=$2 file=$3 deb
	for deb in "$debs"/*/*.deb "$debs"/1/*.deb; do
		rm -rf "$debs/unpacked"
		dpkg-deb -x "$deb" "$debs/unpacked"
		gzip -dc "$debs"/unpacked/boot/xen-"$xen"*.gz >"$file"
		echo "hypervisor: ${deb##*/}"
		! grep -qs '^CONFIG_SHADOW_PAGING=y' \
			"$debs"/unpacked/boot/xen-"$xen"*.config || break
	done
}

make_root() {
	local xen=$1 dir=$2 tree=$2/tree
	debstrap "$(xen_suite "$xen")" "$(root_packages "$xen")" \
		"$(xen_hook "$xen")" "$tree"
	unpack_xen "$xen" "$tree/debs" "$dir/xen"
	rm -r "$tree/debs"
	chroot "$tree" passwd -qd root
	mkdir -p "$tree/etc/dropbear"
	chroot "$tree" dropbearkey -t ed25519 \
		-f /etc/dropbear/dropbear_ed25519_host_key
	squash "$tree" "$dir/root.squashfs"
}

# root XEN: the directory with tree, root.squashfs and xen
root() {
	cached "root-xen$1" "$(key make_root debstrap xen_hook unpack_xen \
		"$(root_packages "$1")")" make_root "$1"
}

# make_packages ROOT DIR: install opt_packages on top of a copy of the root
make_packages() {
	local tree=$2/tree package names=()
	cp -a "$1/tree" "$tree"
	mkdir "$tree/debs"
	for package in "${opt_packages[@]}"; do
		if [ -f "$package" ]; then
			cp "$package" "$tree/debs/"
			names+=("/debs/${package##*/}")
		else
			names+=("$package")
		fi
	done
	unshare --mount --pid --fork sh -euc '
		mount -t proc proc "$0/proc"
		chroot "$0" apt-get -qq update
		DEBIAN_FRONTEND=noninteractive chroot "$0" apt-get -qq -y install "$@"
		chroot "$0" apt-get clean
		' "$tree" "${names[@]}"
	rm -rf "$tree/debs" "$tree"/var/lib/apt/lists/*
	squash "$tree" "$2/root.squashfs"
	rm -rf "$tree"
}

# packages ROOT: the directory with the root.squashfs that has opt_packages
packages() {
	local package sums=()
	REPLY=$1
	[ ${#opt_packages[@]} != 0 ] || return 0
	for package in "${opt_packages[@]}"; do
		sums+=("$package")
		[ ! -f "$package" ] || sums+=("$(hash <"$package")")
	done
	cached packages "$(key make_packages "${1##*/}" "${sums[@]}")" \
		make_packages "$1"
}

# --- everything for one run

# prepare_images: set dom0_kernel, guest_kernel, root_dir (unpacked base),
# root_image, xen_image and the build's results
prepare_images() {
	local worker
	(root "$opt_xen") &
	worker=$!
	trap 'kill $worker 2>/dev/null' EXIT
	kernel "$opt_dom0_kernel"
	dom0_kernel=$REPLY
	kernel "$opt_guest_kernel"
	guest_kernel=$REPLY
	wait "$worker" || exit "$status_lab"
	trap - EXIT
	root "$opt_xen"
	root_dir=$REPLY
	packages "$root_dir"
	root_image=$REPLY/root.squashfs
	xen_image=$root_dir/xen
	build_tree
	phase "images are there"
}
