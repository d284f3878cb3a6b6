// SPDX-License-Identifier: GPL-2.0-only
// B18, F20: the state of a device, and its node, change by xenbus_switch_state() only.

@known@
struct xenbus_device *X;
expression E;
assignment operator op;
position p;
@@
(
X->state@p op E
|
X->state++@p
|
X->state--@p
|
 &X->state@p
)

// Where the type is not known: what these are called here.
@named@
expression D, E;
assignment operator op;
position p != known.p;
@@
D->xdev->state@p op E

@node@
identifier F =~ "^xenbus_(printf|write|rm)$";
expression X, D;
position p;
@@
F@p(X, D, "state", ...)

@script:python@
p << known.p;
@@
coccilib.report.print_report(p[0], "write of a device's state: use xenbus_switch_state()")

@script:python@
p << named.p;
@@
coccilib.report.print_report(p[0], "write of a device's state: use xenbus_switch_state()")

@script:python@
p << node.p;
F << node.F;
@@
coccilib.report.print_report(p[0], "%s() of a state: use xenbus_switch_state()" % F)
