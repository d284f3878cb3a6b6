# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# Kernels of our own configuration, with the checks that Debian's kernels
# have switched off, from Debian's kernel source: debug for dom0 and guests,
# kasan and kcsan for plain QEMU. kernels/ has their configurations.

checked_kernels() { echo debug, kasan, kcsan; }

is_checked() { [[ ", $(checked_kernels)," == *", $1,"* ]]; }

# checked_suite: the suite that has the source package below
checked_suite() { echo bookworm; }

checked_packages() {
	cat <<-LIST
		linux-source-6.1 build-essential bc bison flex libelf-dev kmod
		busybox-static
	LIST
}

make_checked_toolchain() {
	debstrap "$1" "$(checked_packages)" true "$2/tree"
}

# checked_toolchain: set REPLY to it
checked_toolchain() {
	cached toolchain-checked "$(key debstrap make_checked_toolchain checked_packages \
		"$(checked_packages)" "$(checked_suite)")" \
		make_checked_toolchain "$(checked_suite)"
}

checked_config() { cat "$here/kernels/common.config" "$here/kernels/$1.config"; }

# checked_arguments VERSION: what such a kernel has on its command line
checked_arguments() {
	case $1 in
	debug) echo slub_debug=FZPU page_poison=1 kmemleak=on ;;
	kasan) echo kmemleak=on kasan.fault=panic ;;
	kcsan) echo kmemleak=on kcsan.early_enable=1 kcsan.skip_watch=10 ;;
	esac
}

# checked_variables: make's, so that our modules report coverage and undefined
# behaviour, and the module that commits faults is built too
checked_variables() { echo KCOV_INSTRUMENT=y UBSAN_SANITIZE=y KCFLAGS=-g VTPM_FAULTY=m; }

# checked_make VERSION: make's variables for the kernel itself
checked_make() { [ "$1" != kcsan ] || echo KCSAN_SANITIZE=n; }

# config_holds FILE CONFIG: each line of FILE is in CONFIG; Kconfig drops in
# silence what it cannot have
config_holds() {
	local missing
	missing=$(grep -E '^(# )?CONFIG_' "$1" | grep -vxFf "$2" || true)
	[ -z "$missing" ] || {
		echo "Kconfig did not take this:"
		echo "$missing"
		return 1
	}
}

# compile_checked WORK CHROOT VARIABLES: the kernel and its modules, in the chroot
compile_checked() {
	local inside=${1#"$2"}
	run_in "$2" "cd $inside/linux
			make ARCH=x86_64 KCONFIG_ALLCONFIG=$inside/config allnoconfig" &&
		config_holds "$1/config" "$1/linux/.config" &&
		run_in "$2" "cd $inside/linux
			make ARCH=x86_64 \$JOBS $3 bzImage modules
			make ARCH=x86_64 INSTALL_MOD_PATH=$inside/result modules_install"
}

# keep_build_tree LINUX DIR: what the build of modules needs of it
keep_build_tree() {
	mkdir -p "$2"
	(
		cd "$1" || return
		{
			echo .config
			echo Module.symvers
			echo tools/objtool/objtool
			find . arch/x86 -maxdepth 1 -name 'Makefile*'
			find include scripts arch/x86/include tools/include \
				-type f ! -name '*.o' ! -name '.*.cmd'
		} | tar -cf - -T -
	) | tar -xf - -C "$2"
}

# make_checked_build VERSION CHROOT DIR: DIR/vmlinux and DIR/bzImage (QEMU's own
# way to boot a vmlinux is PVH's, which KASAN does not survive), DIR/modules,
# DIR/build (for the build of modules), DIR/release and DIR/busybox
make_checked_build() {
	local chroot=$2/tree dir=$3 work
	work=$(mktemp -d "$chroot/srv/linux.XXXXXX")
	mkdir "$work/linux"
	tar -xf "$chroot"/usr/src/linux-source-*.tar.xz -C "$work/linux" --strip-components=1
	checked_config "$1" >"$work/config"
	if ! cat "$here"/kernels/*.patch | patch -d "$work/linux" -p1 -F0 ||
		! compile_checked "$work" "$chroot" "$(checked_make "$1")"; then
		rm -rf "$work"
		return 1
	fi
	cp "$work/linux/include/config/kernel.release" "$dir/release"
	cp "$work"/linux/{vmlinux,System.map,arch/x86/boot/bzImage} "$dir/"
	cp "$chroot/bin/busybox" "$dir/"
	mv "$work/result/lib/modules" "$dir/"
	keep_build_tree "$work/linux" "$dir/build"
	rm -rf "$work"
}

# checked_build VERSION: set REPLY to it
checked_build() {
	local chroot
	checked_toolchain
	chroot=$REPLY
	cached "build-$1" "$(key make_checked_build compile_checked config_holds \
		keep_build_tree run_in "${chroot##*/}" "$(checked_config "$1")" "$(checked_make "$1")" \
		"$(cat "$here"/kernels/*.patch)")" \
		make_checked_build "$1" "$chroot"
}

# make_checked_kernel BUILD DIR: the same as make_kernel makes
make_checked_kernel() {
	local build=$1 dir=$2 tree=$2/tree release
	release=$(cat "$build/release")
	mkdir -p "$tree/usr/lib" "$tree/boot"
	ln -s usr/lib "$tree/lib"
	cp -a "$build/modules" "$tree/usr/lib/"
	cp "$build/vmlinux" "$tree/boot/vmlinux-$release"
	unpack_modules "$tree" "$release"
	make_initramfs "$tree" "$release" "$build/busybox" "$tree/boot/initrd-$release"
	squash "$tree" "$dir/kernel.squashfs" -all-root
	echo "$release" >"$dir/release"
}

# checked_kernel VERSION: set REPLY to what boots
checked_kernel() {
	local build
	checked_build "$1"
	build=$REPLY
	cached "kernel-$1" "$(key make_checked_kernel unpack_modules make_initramfs \
		early_module_files early_modules "${build##*/}" \
		"$(cat "$here/inside/initramfs-init")")" make_checked_kernel "$build"
}
