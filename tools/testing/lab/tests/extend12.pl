#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# extend12.pl PCR: extend a PCR of a TPM 1.2 with twenty ones. trousers has
# no command for it, and must not have /dev/tpm0 open meanwhile.

use strict;
use warnings;

my $command = pack('nNNN', 0xc1, 34, 0x14, $ARGV[0]) . "\x01" x 20;
open(my $dev, '+<:raw', '/dev/tpm0') or die "/dev/tpm0: $!\n";
defined syswrite($dev, $command) or die "write: $!\n";
defined sysread($dev, my $answer, 4096) or die "read: $!\n";
my $code = unpack('x6N', $answer);
die sprintf("TPM error 0x%x\n", $code) if $code;
