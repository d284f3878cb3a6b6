// SPDX-License-Identifier: GPL-2.0-only
// B12, F14: nothing sleeps with a spinlock held, and no interrupt is given back where its
// handler may wait for the lock.

@asleep exists@
identifier F =~ "^(unbind_from_irqhandler|free_irq|disable_irq|synchronize_(irq|rcu)|xenbus_[a-z_]*|(un)?register_[a-z_]*|device_unregister|mutex_lock(_[a-z]*)?|down(_[a-z]*)?|(cancel|flush)_[a-z_]*|v(m|z)alloc|kv[a-z]*alloc|k?vfree|(copy|get|put)_(to_|from_)?user|[a-z_]*wait_(event|for)[a-z_]*|m?s?u?sleep[a-z_]*|schedule(_timeout[a-z_]*)?|tpm_chip_[a-z]*)$";
expression lock;
position p;
@@
\(spin_lock\|spin_lock_irq\|spin_lock_irqsave\|spin_lock_bh\)(lock, ...)
... when != \(spin_unlock\|spin_unlock_irq\|spin_unlock_irqrestore\|spin_unlock_bh\)(lock, ...)
    when any
F@p(...)

@allocates exists@
identifier F =~ "alloc|dup";
expression lock;
position p;
@@
\(spin_lock\|spin_lock_irq\|spin_lock_irqsave\|spin_lock_bh\)(lock, ...)
... when != \(spin_unlock\|spin_unlock_irq\|spin_unlock_irqrestore\|spin_unlock_bh\)(lock, ...)
    when any
F@p(..., \(GFP_KERNEL\|GFP_NOIO\|GFP_NOFS\|GFP_USER\|GFP_KERNEL_ACCOUNT\), ...)

@script:python@
p << asleep.p;
F << asleep.F;
@@
coccilib.report.print_report(p[0], "%s() may sleep, or wait for who waits for the spinlock: unlock first" % F)

@script:python@
p << allocates.p;
F << allocates.F;
@@
coccilib.report.print_report(p[0], "%s() may sleep: allocate before the spinlock is taken" % F)
