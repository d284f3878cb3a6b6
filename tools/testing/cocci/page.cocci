// SPDX-License-Identifier: GPL-2.0-only
// B1, F1: the shared page is touched in the files that the run script names. All others
// may ask whether there is one.

@question@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
expression E;
bool answer;
position p;
@@
(
P@p == NULL
|
P@p != NULL
|
!P@p
|
P@p && E
|
E && P@p
|
P@p || E
|
E || P@p
|
answer = P@p
)

@condition@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
statement S1, S2;
position p;
@@
if (P@p) S1 else S2

@use@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
T P;
position p != { question.p, condition.p };
@@
P@p

@declared@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
identifier V;
position p;
@@
T V@p;

@initialised@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
identifier V;
expression E;
position p;
@@
T V@p = E;

@cast@
type T = { struct vtpm_shared_page *, struct vtpm_trailer * };
expression E;
position p;
@@
 (T)@p E

// Where the type is not known.
@named@
expression E;
identifier F;
position p != use.p;
@@
E->page->F@p

@offset@
identifier M =~ "^VTPM_(PACKET_OFFSET|TRAILER_OFFSET)$";
position p;
@@
M@p

@getter@
identifier F =~ "^(ring|page)_(packet|trailer)$";
position p;
@@
F@p(...)

@script:python@
p << use.p;
@@
coccilib.report.print_report(p[0], "use of the shared page outside of the files for it")

@script:python@
p << declared.p;
@@
coccilib.report.print_report(p[0], "pointer to the shared page outside of the files for it")

@script:python@
p << initialised.p;
@@
coccilib.report.print_report(p[0], "pointer to the shared page outside of the files for it")

@script:python@
p << cast.p;
@@
coccilib.report.print_report(p[0], "pointer to the shared page outside of the files for it")

@script:python@
p << named.p;
@@
coccilib.report.print_report(p[0], "use of the shared page outside of the files for it")

@script:python@
p << offset.p;
@@
coccilib.report.print_report(p[0], "offset into the shared page outside of the files for it")

@script:python@
p << getter.p;
F << getter.F;
@@
coccilib.report.print_report(p[0], "%s(): pointer into the shared page outside of the files for it" % F)
