# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# Our own drivers and tools, built in the toolchain's chroot from a copy of
# the checkout. They are built again when one of their source files changed.

# The part of the tree that they are built from.
build_paths=(Makefile Kbuild Kconfig drivers include compat tools/vtpm tools/testing/rogue
	tools/testing/faulty)

# What a build in the checkout leaves there.
build_products='\.(o|a|ko|mod|mod\.c|cmd)$|(^|/)(modules\.order|Module\.symvers)$'

# source_files: that part's files, tracked or new but not ignored
source_files() {
	local path paths=()
	for path in "${build_paths[@]}"; do
		[ ! -e "$source_tree/$path" ] || paths+=("$path")
	done
	[ ${#paths[@]} != 0 ] || return 0
	if git -C "$source_tree" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$source_tree" -c safe.directory="$source_tree" \
			ls-files -co --exclude-standard -- "${paths[@]}"
	else
		(cd "$source_tree" && find "${paths[@]}" -type f)
	fi | { grep -vE "$build_products" || true; } | while IFS= read -r path; do
		[ ! -f "$source_tree/$path" ] || echo "$path"
	done | sort -u
}

source_key() {
	(cd "$source_tree" && source_files | xargs -rd '\n' sha256sum) | hash
}

# run_in CHROOT COMMAND [NAME=VALUE]...: shell text, with these variables; the
# cache is in /mnt
run_in() {
	local chroot=$1 command=$2
	shift 2
	# objtool of newer kernels looks into /proc.
	unshare --mount --propagation private sh -c \
		'mount -t proc proc "$2/proc" && mount --bind "$1" "$2/mnt" && shift &&
			exec chroot "$@"' sh "$cache" \
		"$chroot" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C \
		JOBS="-j$(nproc)" "$@" sh -euc "$command"
}

# in_toolchain CHROOT COMMAND: run COMMAND in a copy of the source there, with
# RESULT naming an empty directory that it fills; set REPLY to it
in_toolchain() {
	local work status=0
	work=$(mktemp -d "$1/srv/build.XXXXXX")
	mkdir "$work/source" "$work/result"
	(cd "$source_tree" && source_files | xargs -rd '\n' cp --parents -at "$work/source")
	run_in "$1" "cd '${work#"$1"}/source'; $2" RESULT="${work#"$1"}/result" || status=$?
	[ "$status" = 0 ] || rm -rf "$work"
	REPLY=$work/result
	return "$status"
}

# depmod_for RESULT KERNEL RELEASE: index our modules together with the kernel's
depmod_for() {
	local merged=$1.merged modules=usr/lib/modules/$3
	mkdir -p "$merged/usr/lib/modules"
	cp -al "$2/tree/$modules" "$merged/usr/lib/modules/"
	rm -f "$merged/$modules"/modules.{alias,dep,symbols,softdep,devname}*
	rm -f "$merged/$modules"/modules.builtin*.bin
	cp -r "$1/$modules/updates" "$merged/$modules/"
	ln -s usr/lib "$merged/lib"
	depmod -b "$merged" "$3"
	cp "$merged/$modules"/modules.* "$1/$modules/"
	rm -rf "$merged"
}

# make_modules KERNEL TOOLCHAIN VARIABLES DIR: VARIABLES are for make
make_modules() {
	local release updates
	release=$(cat "$1/release")
	in_toolchain "$2/tree" "
		make \$JOBS modules $3
		[ ! -d tools/testing/rogue ] || make \$JOBS rogue $3
		find . -name '*.ko' -exec cp -t \"\$RESULT\" '{}' +"
	updates=$4/usr/lib/modules/$release/updates
	mkdir -p "$updates"
	cp "$REPLY"/*.ko "$updates/"
	rm -rf "${REPLY%/result}"
	depmod_for "$4" "$1" "$release"
}

# make_tools TOOLCHAIN DIR
make_tools() {
	in_toolchain "$1/tree" "
		make \$JOBS tools
		make install-tools DESTDIR=\"\$RESULT\""
	cp -a "$REPLY/." "$2/"
	rm -rf "${REPLY%/result}"
}

have_modules() { [ -e "$source_tree/Makefile" ] && [ -d "$source_tree/drivers" ]; }
have_tools() { [ -e "$source_tree/Makefile" ] && [ -e "$source_tree/tools/vtpm/Makefile" ]; }

# wanted WHAT: LAB_WITHOUT names what to leave out while the tree is incomplete
wanted() { [[ " ${LAB_WITHOUT-} " != *" $1 "* ]]; }

# build_modules VERSION KERNEL
build_modules() {
	local chroot variables
	if is_checked "$1"; then
		checked_build "$1"
		variables="KDIR=/mnt/${REPLY##*/}/build $(checked_variables)"
		checked_toolchain
	else
		variables=KDIR=/lib/modules/$(cat "$2/release")/build
		toolchain "$(kernel_suite "$1")"
	fi
	chroot=$REPLY
	cached "modules-$1" "$(key make_modules in_toolchain run_in depmod_for \
		"${2##*/}" "$variables" "$(source_key)")" \
		make_modules "$2" "$chroot" "$variables"
	built+=("$REPLY")
}

build_tools() {
	local chroot
	toolchain "$(xen_suite "$opt_xen")"
	chroot=$REPLY
	cached "tools-$(xen_suite "$opt_xen")" "$(key make_tools in_toolchain run_in \
		"${chroot##*/}" "$(source_key)")" make_tools "$chroot"
	built+=("$REPLY")
}

# build_tree: set built (directories to lay over the root), has_modules, has_tools
build_tree() {
	built=() has_modules=0 has_tools=0
	if ! have_modules || ! wanted modules; then
		say "no drivers in this tree, running without"
	else
		build_modules "$opt_dom0_kernel" "$dom0_kernel"
		[ "$dom0_kernel" = "$guest_kernel" ] ||
			build_modules "$opt_guest_kernel" "$guest_kernel"
		has_modules=1
	fi
	if ! have_tools || ! wanted tools; then
		say "no daemon in this tree, running without"
	else
		build_tools
		has_tools=1
	fi
}
