// SPDX-License-Identifier: GPL-2.0-only
// B9, B19, F10: nothing waits for ever, and nothing but a system call waits at all for
// what user space does. The run script says which files are system calls.

virtual system_call

@endless@
identifier F =~ "^((__|io_|s)?wait_event(_lock_irq|_cmd|_killable|_idle|_freezable|_interruptible|_exclusive|_killable_exclusive|_interruptible_exclusive)*(_locked|_locked_irq|_cmd)?|wait_for_completion(_io|_killable|_interruptible)*|wait_on_bit(_io|_lock)?|wait_var_event(_killable)?|schedule)$";
position p;
@@
F@p(...)

// A system call that a signal ends may wait as long as it likes.
@script:python depends on !system_call@
p << endless.p;
F << endless.F;
@@
coccilib.report.print_report(p[0], "%s() waits for ever: use a variant with a timeout" % F)

@script:python depends on system_call@
p << endless.p;
F << endless.F;
@@
if not any(word in F for word in ("interruptible", "killable", "freezable")):
    coccilib.report.print_report(p[0], "%s() cannot be ended by a signal: use an interruptible one" % F)
