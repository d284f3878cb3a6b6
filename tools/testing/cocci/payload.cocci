// SPDX-License-Identifier: GPL-2.0-only
// Commands and responses hold authorization values, and a session is a secret: they
// are neither logged nor traced.

@hex@
identifier F;
constant C =~ "%[-+ #0-9.*]*(h[CDN]?\b|ph|pE)";
position p;
@@
F@p(..., C, ...)

@dump@
identifier F =~ "^print_hex_dump|^hex_dump_to_buffer$|^bin2hex$|^trace_printk$|^seq_hex_dump$";
position p;
@@
F@p(...)

@bytes@
identifier F =~ "^(pr_|dev_|_?printk|seq_|xenbus_dev_(fatal|error)$|trace_|s[cn]*printf$|kasprintf$|device_fail$)";
identifier packet =~ "^(command|response|incoming|session|set_locality)$";
identifier get =~ "^(ring|page)_(packet|trailer)$";
expression E;
position p;
@@
(
F@p(..., <+... E->packet ...+>, ...)
|
F@p(..., <+... E.packet ...+>, ...)
|
F@p(..., <+... get(...) ...+>, ...)
)

@script:python@
p << hex.p;
F << hex.F;
C << hex.C;
@@
coccilib.report.print_report(p[0], "%s() prints bytes (%s): they may be a packet's" % (F, C))

@script:python@
p << dump.p;
F << dump.F;
@@
coccilib.report.print_report(p[0], "%s() prints bytes: they may be a packet's" % F)

@script:python@
p << bytes.p;
F << bytes.F;
@@
coccilib.report.print_report(p[0], "%s() gets a packet or a session: these must not be printed" % F)
