// SPDX-License-Identifier: GPL-2.0-only
// B24, F24: a port is a number that may be another channel's by now, an irq is ours.

@by_port@
identifier F =~ "^(notify_remote_via_evtchn|HYPERVISOR_event_channel_op)$";
position p;
@@
F@p(...)

@script:python@
p << by_port.p;
F << by_port.F;
@@
coccilib.report.print_report(p[0], "%s(): use notify_remote_via_irq()" % F)
