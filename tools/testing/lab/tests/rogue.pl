#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# rogue.pl STATE LOCALITY LENGTH HEX [nowait]: write a page header and a packet
# through /dev/vtpm-rogue; unless told not to wait, print what the backend
# answered: "STATE LENGTH HEX". With the exactly-once extension the packet lies
# behind the grant reference of the second page, which stays what it is.

use strict;
use warnings;
use Errno;

my ($state, $locality, $length, $hex, $nowait) = @ARGV;
open(my $dev, '+<:raw', '/dev/vtpm-rogue') or die "/dev/vtpm-rogue: $!\n";
my $extra = grep { -e $_ && qx(cat $_) =~ /^Y/ }
	'/sys/module/xen_tpmrogue/parameters/request_exactly_once';
my $page = pack('VCCCC', $length, $state, $locality, 0, $extra) . "\0\0\0\0" x $extra .
	pack('H*', $hex);
my $tries = 300;
while (!defined syswrite($dev, $page)) {
	# The frontend has been loaded and has no page yet.
	die "write: $!\n" unless $!{ENOTCONN} && $tries--;
	select(undef, undef, undef, 0.1);
}
exit 0 if $nowait;
defined sysread($dev, my $answer, 4096) or die "read: $!\n";
my ($got_length, $got_state) = unpack('VC', $answer);
my $shown = $got_length > 4088 ? 4088 : $got_length;
printf "%u %u %s\n", $got_state, $got_length,
	unpack('H*', substr($answer, 8 + 4 * $extra, $shown));
