// SPDX-License-Identifier: GPL-2.0-only
// B6, F6: what the other side does must not stop the kernel, nor count as its fault.

@assertion@
identifier F =~ "^((VM_|DEBUG_LOCKS_)?(BUG|WARN)(_ON)?(_ONCE|_RATELIMIT|_TAINT|_TAINT_ONCE)?|panic|dump_stack|__WARN(_printf)?)$";
position p;
@@
F@p(...)

@script:python@
p << assertion.p;
F << assertion.F;
@@
coccilib.report.print_report(p[0], "%s(): return an error, and log it once" % F)
