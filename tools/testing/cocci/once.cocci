// SPDX-License-Identifier: GPL-2.0-only
// B1, F1: a field of the shared page is read with READ_ONCE(), and once in a function: what
// was checked must be what is used. For the files that touch the page.

@initialize:python@
@@
seen = {}

@plain@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
identifier F;
position p;
@@
P->F@p

@by_macro@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
identifier F;
position plain.p;
@@
(
READ_ONCE(P->F@p)
|
READ_ONCE(P->F@p[...])
|
WRITE_ONCE(P->F@p, ...)
|
WRITE_ONCE(P->F@p[...], ...)
)

@written@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
identifier F;
expression E;
position plain.p;
@@
(
P->F@p = E
|
P->F@p[...] = E
)

// An array is copied as a whole, by the function that has a barrier behind it; the copy is what
// is looked at.
@copied@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
identifier F;
expression to;
position plain.p;
@@
(
memcpy(P->F@p, ...)
|
ring_copy(to, P->F@p, ...)
|
page_copy(to, P->F@p, ...)
|
sizeof(P->F@p)
|
sync_cmpxchg(&P->F@p, ...)
)

@script:python depends on !by_macro && !written && !copied@
p << plain.p;
F << plain.F;
@@
coccilib.report.print_report(p[0], "plain read of the page's field '%s': use READ_ONCE()" % F)

@read@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
identifier F;
expression to;
position p;
@@
(
READ_ONCE(P->F@p)
|
READ_ONCE(P->F@p[...])
|
ring_copy(to, P->F@p, ...)
|
page_copy(to, P->F@p, ...)
)

@script:python@
p << read.p;
F << read.F;
@@
key = (p[0].file, p[0].current_element, F)
place = (p[0].line, p[0].column)
if seen.setdefault(key, place) != place:
    coccilib.report.print_report(p[0], "%s() reads the page's field '%s' twice: keep what was read first" % (p[0].current_element, F))
