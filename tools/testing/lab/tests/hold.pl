#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# hold.pl: in a guest. Opens /dev/tpm0 once, sends each line of its standard input (a command in
# hexadecimal) through it, and prints the response, or the error.
use strict;
use warnings;

$| = 1;
open(my $tpm, '+<:raw', '/dev/tpm0') or die "hold.pl: /dev/tpm0: $!\n";
print "open\n";
while (my $line = <STDIN>) {
	my ($command, $response) = (pack('H*', $line =~ s/\s+//gr), '');
	my $done = defined(syswrite($tpm, $command)) && defined(sysread($tpm, $response, 8192));
	print $done ? unpack('H*', $response) : "error: $!", "\n";
}
