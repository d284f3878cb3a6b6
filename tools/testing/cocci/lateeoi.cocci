// SPDX-License-Identifier: GPL-2.0-only
// B3, F9: the event-channel code can slow down who sends too many events only if
// the handler says when it is done.

@early@
identifier F =~ "^bind_[a-z_]*evtchn_to_irq(?!.*lateeoi)";
position p;
@@
F@p(...)

@script:python@
p << early.p;
F << early.F;
@@
coccilib.report.print_report(p[0], "%s(): bind with the variant that has _lateeoi in its name" % F)
