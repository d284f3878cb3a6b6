#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# fail_nth.pl: make directories, the Nth chance of failure in it failing, with
# N upward until no fault is injected any more. Prints how many calls failed,
# then how many did not although a fault was injected.

use strict;
use warnings;
use Errno qw(EFAULT ENOMEM ENOSPC);

# It cannot be rewound: each reading wants a new one.
sub fail_nth {
	open(my $file, '+<', '/proc/thread-self/fail-nth') or die "fail-nth: $!\n";
	return $file;
}

my $nth = fail_nth();
my ($failed, $survived, $name) = (0, 0, "/tmp/fail-nth.$$");
for my $n (1 .. 200) {
	my $rest = fail_nth();
	syswrite($nth, $n) or die "fail-nth: $!\n";
	my $made = mkdir $name;
	my $error = $! + 0;
	my $left = '';
	my $injected = sysread($rest, $left, 16) && $left == 0;
	syswrite($nth, 0);
	rmdir $name if $made;
	last if !$injected;
	if ($made) {
		$survived++;
	} elsif ($error == ENOMEM || $error == EFAULT || $error == ENOSPC) {
		$failed++;
	} else {
		die "mkdir: error $error with N = $n\n";
	}
}
print "$failed $survived\n";
