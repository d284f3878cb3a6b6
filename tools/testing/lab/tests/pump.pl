#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# pump.pl HEX: have the hostile frontend of this guest hand in the same command again
# and again, each when the last one has been answered, also when it was loaded anew.

use strict;
use warnings;
use Errno;

my $command = pack('H*', $ARGV[0]);
open(my $dev, '+<:raw', '/dev/vtpm-rogue') or die "/dev/vtpm-rogue: $!\n";
my $extra = grep { -e $_ && qx(cat $_) =~ /^Y/ }
	'/sys/module/xen_tpmrogue/parameters/request_exactly_once';
my $page = pack('VCCCC', length $command, 1, 0, 0, $extra) . "\0\0\0\0" x $extra . $command;
for (;;) {
	if (!defined syswrite($dev, $page)) {
		die "write: $!\n" unless $!{ENOTCONN};
		select(undef, undef, undef, 0.1);
		next;
	}
	# An engine may let it wait for as long as it likes.
	my $got;
	do { $got = sysread($dev, my $answer, 4096) } while !defined $got && $!{ETIMEDOUT};
	die "read: $!\n" unless defined $got || $!{ENOTCONN};
}
