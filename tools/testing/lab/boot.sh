# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# One run: the image with what belongs to this run only, QEMU, and the watch
# over it until its end.

# nth LIST N: the Nth value of a list with commas; the last one repeats
nth() {
	local values
	IFS=, read -ra values <<<"$1"
	echo "${values[$2 <= ${#values[@]} ? $2 - 1 : -1]}"
}

guest_uuid() { printf '00000000-0000-4000-8000-%012d' "$1"; }

# The layers of a guest's root file system, from the top to the bottom.
guest_config() {
	local n=$1 release front vtpm
	release=$(cat "$guest_kernel/release")
	front=$(nth "$opt_front" "$n")
	vtpm="vtpm = [\"backend=0,uuid=$(guest_uuid "$n")\"]"
	[ "$has_modules" = 1 ] || vtpm="# there is no backend: $vtpm"
	cat <<-CONFIG
		name = "g$n"
		type = "$opt_type"
		kernel = "/boot/vmlinux-$release"
		ramdisk = "/boot/initrd-$release"
		cmdline = "console=hvc0 $kernel_arguments $(checked_arguments "$opt_guest_kernel") lab.role=guest lab.layers=xvdc,xvdb,xvda lab.name=g$n lab.front=$front $opt_guest_append"
		memory = $opt_memory
		vcpus = $opt_vcpus
		disk = [
		    "format=raw,vdev=xvda,access=ro,script=$inside/block,target=/dev/disk/root",
		    "format=raw,vdev=xvdb,access=ro,script=$inside/block,target=/dev/disk/guest-kernel",
		    "format=raw,vdev=xvdc,access=ro,script=$inside/block,target=/dev/disk/run",
		]
		vif = ["mac=00:16:3e:00:00:$(printf %02x "$n"),script=$inside/vif"]
		$vtpm
		on_poweroff = "destroy"
		on_reboot = "restart"
		on_crash = "destroy"
	CONFIG
}

inside=/usr/lib/xen-vtpm-lab
# What QEMU 7.2 emulates in a way that kernels under Xen do not survive: SMAP
# (iret faults in PV kernels), RDTSCP (no next-RIP for PVH guests), XSAVE (its
# size, as PVH guests see it, is at times that of another virtual CPU).
processor=max,smap=off,rdtscp=off,xsave=off
# With lazily saved FPU state, programs lose their registers at random.
xen_arguments="spec-ctrl=eager-fpu loglvl=info guest_loglvl=info"
kernel_arguments="loglevel=7 panic=-1 panic_on_warn=1 net.ifnames=0 rcupdate.rcu_cpu_stall_timeout=60"

# stage_inside DIR: the lab's own commands
stage_inside() {
	local name
	mkdir -p "$1$inside" "$1/usr/local/bin" "$1/usr/sbin" "$1/push"
	cp "$here"/inside/* "$1$inside/"
	for name in guest guest-wait guest-push lab-vtpmd lab-leaks; do
		ln -s "$inside/$name" "$1/usr/local/bin/$name"
	done
	# Xen asks a guest to go down through these.
	for name in poweroff reboot halt; do
		ln -s ../bin/busybox "$1/usr/sbin/$name"
	done
}

# stage_guests DIR: xl's and vtpmd's configuration
stage_guests() {
	local n key
	mkdir -p "$1/etc/xen" "$1/etc/xen-vtpm/vtpm.d" "$1/root/.ssh"
	key=$(chroot "$root_dir/tree" dropbearkey -y \
		-f /etc/dropbear/dropbear_ed25519_host_key |
		awk '/^ssh-/ { print $1, $2 }')
	[ -e "$1/etc/xen/xl.conf" ] || : >"$1/etc/xen/xl.conf"
	[ -e "$1/etc/xen-vtpm/vtpmd.conf" ] || : >"$1/etc/xen-vtpm/vtpmd.conf"
	for ((n = 1; n <= opt_guests; n++)); do
		guest_config "$n" >"$1/etc/xen/g$n.cfg"
		echo "tpm-version = $(nth "$opt_tpm" "$n")" \
			>"$1/etc/xen-vtpm/vtpm.d/$(guest_uuid "$n").conf"
		echo "10.77.0.$n $key" >>"$1/root/.ssh/known_hosts"
	done
	chmod 700 "$1/root" "$1/root/.ssh"
}

# stage_script DIR: what dom0 runs, and how
stage_script() {
	local file=$1$inside/script
	if [ "$command" = shell ]; then
		:
	elif [ -f "${opt_script[0]}" ]; then
		mkdir -p "$1$inside/scripts"
		cp "${opt_script[0]}" "$1$inside/scripts/"
		interpreter "${opt_script[0]}" >"$file"
		printf ' %q' "$inside/scripts/$(basename "${opt_script[0]}")" \
			"${opt_script[@]:1}" >>"$file"
	elif [ ${#opt_script[@]} = 1 ]; then
		echo "${opt_script[0]}" >"$file"
	else
		printf '%q ' "${opt_script[@]}" >"$file"
	fi
	cat >"$1$inside/run.conf" <<-CONFIG
		MODE=$command
		GUESTS=$opt_guests
		STOPPED=$opt_stopped
		HAS_MODULES=$has_modules
		HAS_TOOLS=$has_tools
		PATIENCE=$(patience)
		CHECKED=$(uses_checked)
	CONFIG
}

# interpreter FILE: its #! line's words, else bash
interpreter() {
	local line
	IFS= read -r line <"$1" || true
	case $line in
	'#!'*) printf 'exec %s' "${line#\#!}" ;;
	*) printf 'exec bash' ;;
	esac
}

# uses_checked: 1 if a kernel of this run is one with checks
uses_checked() {
	if is_checked "$opt_dom0_kernel" || is_checked "$opt_guest_kernel"; then
		echo 1
	else
		echo 0
	fi
}

# patience: what the limits of the steps before the script are multiplied with
patience() { echo $((1 + 2 * $(uses_checked))); }

# make_run_image: $work/run.squashfs and the empty state disk
make_run_image() {
	local dir=$work/run path
	mkdir -p "$dir"
	for path in "${built[@]}"; do
		cp -a "$path/." "$dir/"
	done
	stage_inside "$dir"
	stage_guests "$dir"
	stage_script "$dir"
	for path in "${opt_push[@]}"; do
		cp -a "$path" "$dir/push/"
	done
	squash "$dir" "$work/run.squashfs" -all-root
	rm -rf "$dir"
	state_disk=${opt_state_disk:-$work/state}
	if [ ! -e "$state_disk" ]; then
		truncate -s 1G "$state_disk"
		mkfs.ext4 -q "$state_disk"
	fi
}

# make_out: where the results of this run go
make_out() {
	local state=$source_tree/build/lab
	if [ -z "$opt_out" ]; then
		[ -z "${XDG_STATE_HOME-}" ] || state=$XDG_STATE_HOME/xen-vtpm/lab
		mkdir -p "$state"
		[ -n "${XDG_STATE_HOME-}" ] || echo '*' >"$state/.gitignore"
		opt_out=$(mktemp -d "$state/$(date +%Y%m%d-%H%M%S).XXX")
	fi
	mkdir -p "$opt_out/logs"
	out=$(readlink -f "$opt_out")
	phase_log=$out/logs/phases.log
	: >"$phase_log"
}

# disk ID FILE OPTIONS: QEMU's arguments for one disk of dom0
disk() {
	arguments+=(
		-drive "if=none,id=$1,format=raw,file=$2$3"
		-device "virtio-blk-pci,drive=$1,serial=$1,disable-legacy=on,iommu_platform=on"
	)
}

# port NAME CHARDEV
port() {
	arguments+=(
		-chardev "$2,id=$1"
		-device "virtserialport,bus=serial.0,chardev=$1,name=lab.$1"
	)
}

# qemu_arguments: set arguments. There is memory for one guest more, because a
# migration to the same host has it twice. All paths are relative to $work.
qemu_arguments() {
	local layers=disk/run,disk/dom0-kernel release extra=''
	release=$(cat "$dom0_kernel/release")
	ln -s "$dom0_kernel/tree/boot/vmlinux-$release" vmlinux
	ln -s "$dom0_kernel/tree/boot/initrd-$release" initrd
	ln -s "$dom0_kernel/kernel.squashfs" dom0-kernel.squashfs
	ln -s "$guest_kernel/kernel.squashfs" guest-kernel.squashfs
	ln -s "$root_image" root.squashfs
	ln -s "$xen_image" xen
	ln -s "$out" out
	[ "$state_disk" = "$work/state" ] || ln -s "$state_disk" state
	[ "$dom0_kernel" = "$guest_kernel" ] || layers+=,disk/guest-kernel
	extra="console=hvc0 $kernel_arguments $(checked_arguments "$opt_dom0_kernel")"
	extra+=" lab.role=dom0 lab.layers=$layers,disk/root $opt_dom0_append"
	# shellcheck disable=SC2054 # the commas are QEMU's
	arguments=(
		-name xen-vtpm-lab -nodefaults -display none -no-reboot -no-user-config
		-machine q35 -accel tcg,thread=multi -cpu "$processor" -smp 2
		-m $((320 + opt_dom0_memory + (opt_guests + 1) * (opt_memory + 32)))
		-kernel xen
		-append "console=com1 com1=115200,8n1 dom0_mem=${opt_dom0_memory}M,max:${opt_dom0_memory}M $xen_arguments"
		-initrd "vmlinux ${extra//,/,,},initrd"
		-chardev file,id=console,path=out/logs/console.log
		-serial chardev:console
		-device virtio-serial-pci,id=serial,disable-legacy=on,iommu_platform=on
		-fsdev local,id=out,path=out,security_model=none
		-device virtio-9p-pci,fsdev=out,mount_tag=out,disable-legacy=on,iommu_platform=on
	)
	disk root root.squashfs ,readonly=on,file.locking=off
	disk dom0-kernel dom0-kernel.squashfs ,readonly=on,file.locking=off
	disk guest-kernel guest-kernel.squashfs ,readonly=on,file.locking=off
	disk run run.squashfs ,readonly=on
	disk state state ''
	port control pipe,path=control
	port stdout pipe,path=stdout
	port stderr pipe,path=stderr
	if [ "$command" = shell ]; then
		# shellcheck disable=SC2054
		arguments+=(
			-chardev stdio,id=terminal,signal=off
			-device virtconsole,bus=serial.0,chardev=terminal
		)
	fi
}

# boot COMMAND
boot() {
	local command=$1
	make_out
	work=$(mktemp -d "${TMPDIR:-/tmp}/xen-vtpm-lab.XXXXXX")
	qemu_pid='' readers=()
	trap 'interrupted INT 130' INT
	trap 'interrupted TERM 143' TERM
	trap 'interrupted HUP 129' HUP
	trap clean_up EXIT
	make_run_image
	phase "this run's image is there"
	if [ "$command" = shell ] || [ "$opt_parallel" = 1 ]; then
		exec {slot}</dev/null
	else
		take_slot
	fi
	run_started=$(now_ms)
	cd "$work" || die "$work has gone"
	mkfifo control.in control.out stdout.in stdout.out stderr.in stderr.out
	qemu_arguments
	start_qemu
	watch_qemu
	judge
}

interrupted() {
	say "interrupted by SIG$1"
	exit "$2"
}

clean_up() {
	local status=$?
	trap '' INT TERM HUP
	stop_qemu
	cd /
	rm -rf "$work"
	say "the logs are in $out"
	exit "$status"
}

stop_qemu() {
	[ -n "$qemu_pid" ] || return 0
	kill -9 "$qemu_pid" 2>/dev/null || true
	wait "$qemu_pid" 2>/dev/null || true
	qemu_pid=''
	[ ${#readers[@]} = 0 ] || wait "${readers[@]}" 2>/dev/null || true
	[ -z "${terminal-}" ] || stty "$terminal"
}

# take_slot: emulated CPUs that share a real one wait for each other's locks
# most of the time, so one run for every two CPUs. Set slot to the lock.
take_slot() {
	local slots=$((($(nproc) + 1) / 2)) n end=$((EPOCHSECONDS + 1800)) told=''
	mkdir -p "$cache/lock"
	while [ $EPOCHSECONDS -lt "$end" ]; do
		for ((n = 0; n < slots; n++)); do
			exec {slot}>"$cache/lock/run-$n"
			! flock -n "$slot" || return 0
			exec {slot}>&-
		done
		[ -n "$told" ] || say "waiting for another run to end"
		told=1
		sleep 0.5
	done
	exec {slot}</dev/null
}

start_qemu() {
	terminal=''
	[ "$command" != shell ] || [ ! -t 0 ] || terminal=$(stty -g)
	# The other end of a fifo must be open before QEMU opens its own.
	tee out/logs/script-stdout.log <stdout.out &
	readers+=($!)
	tee out/logs/script-stderr.log <stderr.out >&2 &
	readers+=($!)
	exec {control}<>control.out
	# QEMU must not outlive the lab, however that ends.
	if [ "$command" = shell ]; then
		setpriv --pdeathsig KILL qemu-system-x86_64 "${arguments[@]}" \
			<&0 {control}>&- {slot}>&- 2>out/logs/qemu.log &
	else
		setpriv --pdeathsig KILL qemu-system-x86_64 "${arguments[@]}" \
			</dev/null {control}>&- {slot}>&- >out/logs/qemu.log 2>&1 &
	fi
	qemu_pid=$!
	phase "QEMU runs"
}

# next_event: set event to the next line of dom0, or to a reason to stop
next_event() {
	local left
	while :; do
		left=$((run_started / 1000 + opt_timeout - EPOCHSECONDS))
		[ "$left" -gt 0 ] || { event=timeout; return; }
		if [ "$EPOCHSECONDS" -ge "$step_ends" ]; then
			event='step timeout'
			return
		fi
		if IFS= read -r -t 0.5 -u "$control" event; then
			return
		fi
		kill -0 "$qemu_pid" 2>/dev/null || { event=ended; return; }
	done
}

# may_take SECONDS TEXT: what dom0 does now, and for how long
may_take() {
	step_ends=$((EPOCHSECONDS + $1 * $(patience)))
	step=$2
}

# watch_qemu: set outcome (exit, fail, timeout, ended) and script_status
watch_qemu() {
	local event step step_ends
	may_take 150 "the boot of Xen and dom0's kernel"
	while :; do
		next_event
		case $event in
		phase\ *) phase "${event#phase }"; next_step ;;
		shell) ;;
		exit\ *) outcome=exit script_status=${event#exit }; break ;;
		fail\ *) outcome=fail reason=${event#fail }; break ;;
		timeout)
			outcome=timeout
			reason="not done after $opt_timeout s (--timeout), in: $step"
			break
			;;
		'step timeout')
			outcome=timeout
			reason="this takes too long: $step"
			break
			;;
		ended) outcome=ended reason="the machine went down in: $step"; break ;;
		esac
	done
	phase "$outcome ${script_status-}"
	await_end
}

next_step() {
	case $event in
	*'kernel is up') may_take 90 "the start of Xen's daemons" ;;
	*'daemons run') may_take $((60 + 60 * opt_guests)) "the start of vtpmd and the guests' creation" ;;
	*'are created') may_take $((90 + 90 * opt_guests)) "the guests' boot" ;;
	*'are up') may_take 30 "the start of the script" ;;
	*'script starts') may_take 86400 "the script" ;;
	esac
}

# await_end: dom0 powers off by itself; what is in flight arrives before
await_end() {
	local end=$((EPOCHSECONDS + 15))
	case $outcome in
	exit | fail)
		while kill -0 "$qemu_pid" 2>/dev/null && [ "$EPOCHSECONDS" -lt "$end" ]; do
			sleep 0.05
		done
		;;
	esac
	stop_qemu
	phase "the machine is down"
}
