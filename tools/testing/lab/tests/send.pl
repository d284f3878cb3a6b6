#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# send.pl HEX [BYTES]: send a command to /dev/tpm0 (or $DEVICE), filled up with
# zeroes to this many bytes, and print the response in hex.

use strict;
use warnings;

my ($hex, $bytes) = @ARGV;
my $command = pack('H*', $hex);
$command .= "\0" x ($bytes - length $command) if $bytes;
my $device = $ENV{DEVICE} // '/dev/tpm0';
open(my $dev, '+<:raw', $device) or die "$device: $!\n";
defined syswrite($dev, $command) or die "write: $!\n";
defined sysread($dev, my $answer, 4096) or die "read: $!\n";
print unpack('H*', $answer), "\n";
