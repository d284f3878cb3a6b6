#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Two hosts have a store on one NFS server: only one can run its vTPM, also when one
# of them is cut off from the network and comes back.

. "$(dirname "$0")/lib.sh"

export_dir=/run/nfs-export
lease=10

# link NAME NUMBER: a host with a wire to dom0
link() {
	ip netns add "$1" && ip link add "to-$1" type veth peer name eth0 netns "$1" &&
		ip addr add "10.99.$2.1/24" dev "to-$1" && ip link set "to-$1" up &&
		ip -n "$1" addr add "10.99.$2.2/24" dev eth0 && ip -n "$1" link set eth0 up &&
		ip -n "$1" link set lo up
}

serve() {
	mkdir -p $export_dir && modprobe nfsd && modprobe nfsv4 &&
		{ mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd; } &&
		echo $lease >/proc/fs/nfsd/nfsv4leasetime &&
		echo $lease >/proc/fs/nfsd/nfsv4gracetime &&
		exportfs -o rw,fsid=0,no_subtree_check,no_root_squash,insecure "*:$export_dir" &&
		rpc.mountd -N 3 && rpc.nfsd -N 3 4 &&
		{ echo Y >/proc/fs/nfsd/v4_end_grace || true; }
}

# boot NAME NUMBER: a host; say NAME WORDS... then gives it orders
declare -A to from pids
boot() {
	mkfifo "/run/$1-in" "/run/$1-out" || return 1
	ip netns exec "$1" unshare --uts python3 "$tests/nfs_host.py" "$1" "10.99.$2.1" \
		"10.99.$2.2" <"/run/$1-in" >"/run/$1-out" 2>"/run/$1-errors" &
	pids[$1]=$!
	local in out line
	exec {in}>"/run/$1-in" {out}<"/run/$1-out"
	to[$1]=$in from[$1]=$out
	read -r -t 60 -u "${from[$1]}" line && [ "$line" = mounted ]
}

say() {
	local host=$1 line
	shift
	echo "$*" >&"${to[$host]}"
	read -r -t 150 -u "${from[$host]}" line || line="no answer; $(tail -n 3 "/run/$host-errors")"
	echo "$line"
}

# It comes up once the server has forgotten the other one.
comes_up() {
	answer=$(say "$1" start)
	[[ $answer = up* ]]
}

# The counter, from the server's own file.
on_server() {
	PYTHONPATH=$tests python3 -c "import power_cut
print(power_cut.read_counter('/usr/libexec/xen-vtpm/vtpm-engine', '$export_dir/store'))"
}

need "an NFS server" serve
need "host a is wired" link a 1
need "host b is wired" link b 2
boot a 1
result $? "host a mounts"
boot b 2
result $? "host b mounts"
[ $failures = 0 ] || finish

like "host a makes a TPM" "$(say a start create)" '^up'
is "and counts in it" "$(say a count)" 1
is "one further" "$(say a increment)" 2
like "host b is refused, and told who has it" "$(say b start)" \
	'^ended 4 .*is in use by process [0-9]+ of host a'
is "the engine of host a is killed" "$(say a kill)" ended
check "then host b has it" comes_up b
is "with what host a was told" "$(say b count)" 2
like "host a is refused now" "$(say a start)" '^ended 4 .*of host b'
is "host b gives it back" "$(say b end)" "ended 0"

check "host a has it again" comes_up a
is "with its counter" "$(say a count)" 2
ip link set to-a down
is "while it is cut off, it is given a command" "$(say a send)" sent
check "host b has it when the lease is over" await 90 comes_up b
is "host b finds what was acknowledged" "$(say b count)" 2
is "host b goes on" "$(say b increment)" 3
like "host a says that its disk does not answer" "$(say a state 60)" 'has not answered'
ip link set to-a up
is "host a reaches its server again" "$(say a back)" back
like "host a cannot write: its lock is lost" "$(say a state 120)" \
	'cannot store: Input/output error'
is "it answers nothing" "$(say a answer 20)" no
is "host b goes on" "$(say b increment)" 4
is "host a's engine is killed" "$(say a kill)" ended
is "host b ends" "$(say b end)" "ended 0"
is "the server has all that host b was told, and nothing else" "$(on_server)" 4

for host in a b; do
	say $host quit >/dev/null
	wait "${pids[$host]}"
	ip netns del $host
	rm -f /run/$host-in /run/$host-out
done
rpc.nfsd 0
finish
