#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# fail_nth.pl: make directories, the Nth chance of failure in it failing, with
# N upward until no fault is injected any more. Prints how many calls failed,
# then how many did not although a fault was injected.

use strict;
use warnings;
use Errno qw(EFAULT ENOMEM);

open(my $nth, '+<', '/proc/thread-self/fail-nth') or die "fail-nth: $!\n";
my ($failed, $survived, $name) = (0, 0, "/tmp/fail-nth.$$");
for my $n (1 .. 200) {
	sysseek($nth, 0, 0);
	syswrite($nth, $n) or die "fail-nth: $!\n";
	my $made = mkdir $name;
	my $error = $! + 0;
	sysseek($nth, 0, 0);
	my $left = '';
	my $injected = sysread($nth, $left, 16) && $left == 0;
	syswrite($nth, 0);
	rmdir $name if $made;
	last if !$injected;
	if ($made) {
		$survived++;
	} elsif ($error == ENOMEM || $error == EFAULT) {
		$failed++;
	} else {
		die "mkdir: error $error with N = $n\n";
	}
}
print "$failed $survived\n";
