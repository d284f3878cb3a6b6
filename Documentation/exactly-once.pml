/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model for spin of the rules in exactly-once.md, see "The model" there.
 * tools/testing/model runs it. -DNO_... takes one rule away, and spin then has to
 * find what the rule is there for.
 *
 * A command is one bit. A TPM is the set of the commands that it has executed: all of
 * them since power-on (vol), and those that changed permanent state (perm).
 * Each branch of a loop is one step; a process can be killed between two of them.
 */

/* Bounds of one run: how often what may happen. */
#ifndef COMMANDS
#define COMMANDS	3
#endif
#ifndef KILLS
#define KILLS		1	/* deaths of the engine or the daemon */
#endif
#ifndef SUSPENDS
#define SUSPENDS	1
#endif
#ifndef DOMAINS
#define DOMAINS		2
#endif
#ifndef FAILS
#define FAILS		1	/* commands that the backend answers itself */
#endif
#ifndef CANCELS
#define CANCELS		0
#endif
#ifndef BREAKS
#define BREAKS		0	/* the link goes down */
#endif
#ifndef RELOADS
#define RELOADS		0	/* the guest's module is loaded anew; counted with the breaks */
#endif
#ifndef CUTS
#define CUTS		0	/* power cuts of the host */
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS	0	/* images that are kept, and restored later */
#endif

#define BIT(c)		(1 << (c))
#define FAILURE		9	/* a response */
#define NOBODYS		99	/* a session that was given to a guest that is apart */

/* Everything that a restart has to find: the TPM's state and the record. */
typedef Tpm {
	byte session, steps, r, response, vol, perm;
	bit mark
};
Tpm e, store, memory;		/* the engine's own, and the two survivors */
byte journal;			/* executed since the copy of vol in the memory was made */

mtype = { RUNS, SUSPENDED, GONE };		/* a domain */
mtype = { DOWN, WAITS, UP };			/* the link */
mtype = { IDLE, SUBMIT, FINISH, CANCEL };	/* the page */
mtype = { NONE, TAKEN, READ };			/* the backend's request */
mtype = { FRESH, MARKED, SAME, LAST };		/* what an engine was started for */
mtype = { REST, DECIDED, OWNED, EXECUTE, COMMIT, RECORD, APPENDED, RESPOND, LATE };
mtype = { NOTHING, QUIESCE, QUIESCED, CONTINUE };

mtype domain = RUNS;
byte token = 1;			/* this domain's, in the xenstore */

/* The guest: what is in its memory, and so in its image. */
typedef Guest {
	byte session;		/* 0: presents nothing */
	byte handed;		/* F4: the last sequence that it has handed in */
	byte answered;		/* and the last that the TPM has answered */
	byte copy;		/* F2: the command under way */
	byte acked, unsure	/* ghost: has its response; was told of a failure */
};
Guest g;
bit in_page, again, hook, gate;
mtype control = NOTHING;
byte commands, permanent;	/* ghost: how many there were; which are permanent */

/* The link. */
mtype link = WAITS;
mtype page = IDLE;
byte page_seq, page_cmd, page_response;
bit page_own;			/* the backend has made this response itself */
mtype request = NONE;
byte request_seq, request_cmd;
bit was_read;			/* an engine has read it before */

/* The engine. */
bit engine, apart, begun;
bit follows;			/* memory with its journal is what e is, or was before this command */
mtype why, step = REST;
byte serves;			/* token of the domain that it was started for */
byte seq, cmd, response;

/* The daemon; all but its life is in its run directory. */
bit daemon = 1;
byte owner;			/* token of the domain that the vTPM belongs to */
bit seen_suspended, owed;	/* last word of the hypervisor; a mark is to be written */

/* The administrator's images: the last one is the guest as it went. */
bit image, kept, kept_store;
Guest old;
Tpm old_store;
byte old_everacked;

/* Ghosts. */
byte everacked, executed, sessions;
bit evidence;			/* this suspend was seen by a daemon, and not forgotten */
bit stranger;			/* guest and TPM need not belong together */
byte kills, suspends, fails, cancels, breaks, cuts;

inline copy_state(to, from)
{
	to.session = from.session; to.steps = from.steps; to.r = from.r;
	to.response = from.response; to.vol = from.vol; to.perm = from.perm;
	to.mark = from.mark
}

inline forget_memory()
{
	clear_state(memory); journal = 0
}

inline copy_guest(to, from)
{
	to.session = from.session; to.handed = from.handed; to.answered = from.answered;
	to.copy = from.copy; to.acked = from.acked; to.unsure = from.unsure
}

inline clear_guest()
{
	g.session = 0; g.handed = 0; g.answered = 0; g.copy = 0; g.acked = 0; g.unsure = 0
}

inline clear_state(x)
{
	x.session = 0; x.steps = 0; x.r = 0; x.response = 0; x.vol = 0; x.perm = 0; x.mark = 0
}

/* What the guest knows, and what the TPM has done, agree. */
#define ACKED_IS_THERE	((g.acked & ~e.vol) == 0)
#define NO_MORE_IS_THERE ((e.vol & ~(g.acked | g.unsure | (g.copy -> BIT(g.copy) : 0))) == 0)

inline belongs_together()
{
	assert(ACKED_IS_THERE);		/* A-LOST */
	assert(NO_MORE_IS_THERE);	/* A-MORE */
	assert((everacked & permanent & ~e.perm) == 0)	/* A-PERMANENT */
}

/* The link goes; what no engine is at goes with it. */
inline link_ends()
{
	link = DOWN; page = IDLE; page_seq = 0; page_cmd = 0; page_response = 0; page_own = 0;
	request = NONE; request_seq = 0; request_cmd = 0; was_read = 0;
	in_page = 0; begun = 0; control = NOTHING;
	if
	:: step == DECIDED || step == OWNED -> step = REST
	:: else
	fi
}

inline engine_ends()
{
	engine = 0; begun = 0; apart = 0; step = REST; why = SAME; follows = 0;
	seq = 0; cmd = 0; response = 0; serves = 0;
	clear_state(e)
}

/* The engine is killed; B1: its request waits for the next one. */
inline engine_dies()
{
	engine_ends();
	if
	:: request == READ ->
		request = TAKEN; was_read = 1;
#ifdef NO_B1
		request_seq++; page_seq++; g.handed++
#endif
	:: else
	fi
}

inline power_cycle()
{
	sessions++;
	e.session = sessions; e.steps = 1; e.r = 0; e.response = 0; e.vol = 0; e.mark = 0;
	follows = 0;
	copy_state(store, e)
}

inline take_mark_away()
{
	if
#ifndef NO_E5
	:: e.mark ->
		e.mark = 0; e.steps++;
		copy_state(store, e);
		/* D4: it is owed again, unless the daemon now sees the domain run */
		if
		:: domain == RUNS && serves == token -> seen_suspended = 0; owed = 0
#ifndef NO_D4
		:: else -> owed = seen_suspended
#else
		:: else -> seen_suspended = 0
#endif
		fi
#endif
	:: else
	fi
}

#ifdef NO_GATE
#define GATE_IS_OPEN	true
#else
#define GATE_IS_OPEN	(!gate)
#endif
#ifdef NO_F3_COPY
#define COPY_FIRST	true
#else
#define COPY_FIRST	(!g.copy || in_page)
#endif
#ifdef NO_DROP
#define MAY_DROP	true
#else
#define MAY_DROP	(!was_read)
#endif
#ifdef NO_D3
#define ITS_DOMAIN	true
#else
#define ITS_DOMAIN	(serves == token)
#endif
#define ITS_DOMAIN_HAS_GONE	(domain == GONE || !(ITS_DOMAIN))
#ifdef NO_OWED
#define NOTHING_OWED	true
#else
#define NOTHING_OWED	(!owed || owner == token)
#endif

/* ---- Guest ---- */

active proctype guest()
{
end:	do
	:: atomic { domain == RUNS && link == UP && !g.copy && commands < COMMANDS &&
		GATE_IS_OPEN ->
		commands++;
		if
		:: permanent = permanent | BIT(commands)
		:: skip
		fi;
		g.copy = commands; g.handed++;
		in_page = 1; again = 0;
		page = SUBMIT; page_seq = g.handed; page_cmd = g.copy }
	:: atomic { domain == RUNS && link == UP && g.copy && !in_page ->
		/* F2: once more, with the same sequence */
#ifdef NO_F2
		g.handed++;
#endif
		in_page = 1; again = 1;
		page = SUBMIT; page_seq = g.handed; page_cmd = g.copy }
	:: atomic { domain == RUNS && in_page && page == FINISH && page_own ->
		/* E1's gap: done or not, the guest is told of a failure */
		g.unsure = g.unsure | BIT(g.copy);
		g.copy = 0; in_page = 0; page = IDLE; page_response = 0; page_own = 0 }
	:: atomic { domain == RUNS && in_page && page == FINISH && !page_own ->
		assert(page_response == g.copy);		/* A-RESPONSE */
		assert(!(g.acked & BIT(g.copy)));		/* A-TWICE-ANSWERED */
		g.acked = g.acked | BIT(g.copy);
		everacked = everacked | BIT(g.copy);
		g.answered = g.handed;
		g.copy = 0; in_page = 0; page = IDLE; page_response = 0 }
	:: atomic { domain == RUNS && in_page && page == SUBMIT && cancels < CANCELS ->
		cancels++; page = CANCEL }
	:: atomic { domain == RUNS && in_page && page == IDLE ->
		/* the backend has dropped it */
		if
#ifndef NO_AGAIN
		:: again -> g.unsure = g.unsure | BIT(g.copy)
#endif
		:: else -> assert(!(executed & BIT(g.copy)))	/* A-DROPPED */
		fi;
		g.copy = 0; in_page = 0 }
	:: atomic { domain == RUNS && hook && !gate -> gate = 1 }
	:: atomic { domain == RUNS && hook && gate && control == NOTHING && link == UP &&
		COPY_FIRST -> control = QUIESCE }
	:: atomic { domain == RUNS && !hook && gate && control == NOTHING && link == UP ->
		gate = 0 }
	:: atomic { domain == RUNS && link == DOWN -> link = WAITS }
	:: atomic { domain == RUNS && link == UP && breaks < RELOADS ->
		/* the module is loaded anew, or a kexec; after an old image: as a boot */
		breaks++;
		if
		:: g.copy -> g.unsure = g.unsure | BIT(g.copy)
		:: else
		fi;
		if
		:: apart || g.session == NOBODYS -> g.acked = 0; g.unsure = 0
		:: else
		fi;
		g.session = 0; g.handed = 0; g.answered = 0; g.copy = 0; hook = 0; gate = 0;
		link_ends() }
	od
}

/* ---- Backend ---- */

active proctype backend()
{
end:	do
	:: atomic { link == UP && page == SUBMIT && request == NONE ->
		request = TAKEN; request_seq = page_seq; request_cmd = page_cmd; was_read = 0 }
	:: atomic { link == UP && page == CANCEL && (request == NONE || request == TAKEN) &&
		MAY_DROP ->
		request = NONE; request_cmd = 0; request_seq = 0; was_read = 0; page = IDLE }
	:: atomic { link == UP && request == TAKEN && fails < FAILS && (!engine || !was_read) ->
		/* handover_timeout_ms; or the backend refuses it */
		fails++;
		request = NONE; request_cmd = 0; request_seq = 0; was_read = 0;
		page = FINISH; page_response = FAILURE; page_own = 1 }
	:: atomic { link == UP && breaks < BREAKS && domain == RUNS -> breaks++; link_ends() }
	od
}

/* ---- Engine ---- */

/* Beside a copy of vol that stays what it is. */
inline keep_record()
{
	memory.session = e.session; memory.steps = e.steps; memory.r = e.r;
	memory.response = e.response; memory.mark = e.mark
}

#ifdef NO_BEGIN_GAP
#define IN_STEP	(g.handed == e.r || g.handed == e.r + 1)
#else
#ifdef NO_ANSWERED
#define IN_STEP	(e.r <= g.handed)
#else
#define IN_STEP	(g.answered <= e.r && e.r <= g.handed)
#endif
#endif
#ifdef NO_E4_SEQ
#define FITS	(g.session == e.session)
#else
#define FITS	(g.session == e.session && IN_STEP)
#endif

/* E4: the table; durable at once */
inline begin()
{
	apart = 0;
	if
	:: !g.session && why == MARKED -> power_cycle()
	:: !g.session && why == FRESH -> skip
	:: !g.session && why == SAME ->
#ifdef NO_NAME
		skip
#else
		/* sequences start anew, so the session gets another name */
		sessions++;
		e.session = sessions; e.r = 0; e.response = 0; e.steps++;
		copy_state(store, e)
#endif
#ifdef NO_E4
	:: g.session -> skip
#else
	:: g.session && why == FRESH -> apart = 1
	:: g.session && why != FRESH && FITS -> skip
	:: g.session && why != FRESH && !(FITS) -> apart = 1
#endif
	fi;
	if
	:: apart -> assert(stranger)			/* A-APART */
	:: else -> belongs_together()
	fi
}

active proctype engines()
{
end:	do
	:: atomic { engine && why != LAST && !begun && step == REST && link != DOWN &&
		ITS_DOMAIN && domain == RUNS -> begin(); step = DECIDED }
	:: atomic { engine && step == DECIDED ->
		/* D1: from here on the domain is the same, unless apart */
		if
#ifndef NO_D1_APART
		:: apart -> skip
#endif
		:: else -> owner = token; seen_suspended = 0; owed = 0; evidence = 0;
#ifndef NO_D1_SAME
			why = SAME
#endif
		fi;
		step = OWNED }
	:: atomic { engine && step == OWNED && domain == RUNS ->
		/* B3: Connected, with the answer in the trailer */
		if
		:: !g.session && !apart ->
			g.session = e.session; g.handed = e.r; g.answered = e.r
#ifndef NO_APART
		:: apart -> g.session = NOBODYS
#endif
		:: else
		fi;
		begun = 1; link = UP; step = REST }

	:: atomic { engine && begun && step == REST && request == TAKEN ->
		request = READ; seq = request_seq; cmd = request_cmd;
		if
		:: apart -> response = FAILURE; step = RESPOND
#ifndef NO_E1_KEEP
		:: !apart && seq == e.r -> response = e.response; step = RESPOND
#else
		:: !apart && seq == e.r -> step = EXECUTE
#endif
		:: !apart && seq < e.r -> response = FAILURE; step = RESPOND /* never */
		:: !apart && seq > e.r -> step = EXECUTE
		fi }
	:: atomic { engine && step == EXECUTE ->
		take_mark_away();
		assert(!(e.vol & BIT(cmd)));			/* A-TWICE */
		assert(!(e.perm & BIT(cmd)));			/* A-TWICE */
		e.vol = e.vol | BIT(cmd);
		if
		:: permanent & BIT(cmd) -> e.perm = e.perm | BIT(cmd)
		:: else
		fi;
		e.r = seq; e.response = cmd; e.steps++;
		response = cmd;
		executed = executed | BIT(cmd);
#ifdef NO_E2_ORDER
		step = RESPOND }
#else
		step = COMMIT }
#endif
	:: atomic { engine && step == COMMIT ->
		/* E2: one commit, or one flip */
		if
		:: permanent & BIT(cmd) ->
#ifndef NO_E10_COPY
			follows = 0;
#endif
#ifdef NO_E2_SEPARATE
			store.perm = e.perm; step = RECORD
#else
			copy_state(store, e);
			step = RESPOND
#endif
		:: !(permanent & BIT(cmd)) ->
			/* E10: a copy, behind which the journal is empty */
			copy_state(memory, e);
#ifndef NO_E10_EMPTY
			journal = 0;
#endif
			follows = 1;
			step = RESPOND
		:: !(permanent & BIT(cmd)) && follows ->
			/* E10: or an entry of the journal */
			journal = journal | BIT(cmd);
#ifdef NO_E10_FLIP
			step = APPENDED
#else
			keep_record();
			step = RESPOND
#endif
		fi;
#ifdef NO_E2_ORDER
		step = REST; seq = 0; cmd = 0; response = 0
#endif
		}
#ifdef NO_E10_FLIP
	:: atomic { engine && step == APPENDED -> keep_record(); step = RESPOND }
#endif
#ifdef NO_E2_SEPARATE
	:: atomic { engine && step == RECORD -> copy_state(store, e); step = RESPOND }
#endif
	:: atomic { engine && step == RESPOND ->
		if
		:: request == READ ->
			request = NONE; request_cmd = 0; request_seq = 0; was_read = 0;
			page = FINISH; page_response = response;
			page_own = (response == FAILURE)
		:: else			/* late: nobody is there to take it */
		fi;
#ifdef NO_E2_ORDER
		if
		:: e.response == cmd && response == cmd && e.r == seq -> step = COMMIT
		:: else -> step = REST; seq = 0; cmd = 0; response = 0
		fi }
#else
		step = REST; seq = 0; cmd = 0; response = 0 }
#endif
	:: atomic { engine && begun && !apart && step == REST && request == NONE &&
		page != SUBMIT && page != CANCEL && control == QUIESCE ->
		/* E6 */
		e.steps++; copy_state(store, e);
		control = QUIESCED }
	:: atomic { engine && begun && apart && step == REST && control == QUIESCE ->
		control = QUIESCED }
	:: atomic { engine && begun && step == REST && request == NONE &&
		page != SUBMIT && page != CANCEL && control == CONTINUE ->
		control = NOTHING }
	:: atomic { engine && step == REST && owed && (owner == serves || why == LAST) ->
		/* E5: the daemon's word */
		e.mark = 1; e.steps++;
		copy_state(store, e);
		owed = 0 }
	od
}

/* ---- Daemon ---- */

/* E3: the newer one of the two counts. */
inline load()
{
	assert(!(memory.vol & journal));		/* A-REPEATED */
	copy_state(e, store);
	if
#ifdef NO_E3_STORE
	:: false -> skip
#else
#ifdef NO_E3_MEMORY
	:: memory.session
#else
#ifdef NO_E3_SESSION
	:: memory.steps > store.steps
#else
	:: memory.session == store.session && memory.steps > store.steps
#endif
#endif
		-> e.session = memory.session; e.steps = memory.steps; e.r = memory.r;
		e.response = memory.response; e.mark = memory.mark;
		e.vol = memory.vol | journal
#endif
	:: else
	fi
}

active proctype vtpmd()
{
end:	do
	:: atomic { daemon && domain == SUSPENDED && owner == token && !seen_suspended ->
		seen_suspended = 1; owed = 1; evidence = 1 }
	:: atomic { daemon && !engine && domain != GONE && NOTHING_OWED ->
		engine = 1; begun = 0; step = REST; serves = token;
		if
#ifdef NO_TOKEN
		:: owner -> why = SAME
#else
		:: owner == token -> why = SAME
#endif
		:: else ->
#ifndef NO_E3_NEW
			forget_memory();
#endif
			if
			:: store.mark -> why = MARKED
			:: else -> why = FRESH
			fi
		fi;
		load();
		if
		:: why == FRESH -> power_cycle()
		:: else
		fi;
#ifdef NO_D1_LATER
		owner = token; seen_suspended = 0; owed = 0
#endif
		}
#ifndef NO_OWED
	:: atomic { daemon && !engine && owed && owner != token ->
		/* D2: the domain has gone before the mark was written */
		engine = 1; begun = 0; step = REST; why = LAST;
		load() }
#endif
	:: atomic { daemon && engine && why == LAST && !owed -> engine_ends() }
	:: atomic { daemon && engine && why != LAST && step == REST && ITS_DOMAIN_HAS_GONE &&
		(seen_suspended || owner != serves) ->
		if
		:: owed -> e.mark = 1; e.steps++; copy_state(store, e); owed = 0
		:: else
		fi;
		engine_ends() }
	:: atomic { daemon && engine && why != LAST && step == REST && ITS_DOMAIN_HAS_GONE &&
		!seen_suspended && owner == serves ->
		/* TPM2_Shutdown(CLEAR) */
		e.mark = 0; e.steps++; e.vol = 0; copy_state(store, e);
		owner = 0;
		forget_memory();
		engine_ends() }
	:: atomic { engine && kills < KILLS -> kills++; engine_dies() }
	:: atomic { daemon && kills < KILLS -> kills++; daemon = 0; engine_dies() }
	:: atomic { !daemon -> daemon = 1;
		if
		:: domain == RUNS && owner == token -> seen_suspended = 0; owed = 0
		:: else
		fi }
	od
}

/* ---- Toolstack, administrator, mains ---- */

inline new_domain()
{
	domain = RUNS; token++; hook = 0; gate = 1;
	link_ends(); link = WAITS;
	if
	:: !g.session -> clear_guest()	/* whatever it was, it comes as a boot */
	:: else
	fi
}

inline old_store_comes_back()
{
	copy_state(store, old_store);
	everacked = everacked & old_everacked
}

#define ALL_IN_STORE	(!begun || store.steps == e.steps)
#define ADMIN_MAY (!engine && !owed)

active proctype world()
{
end:	do
	:: atomic { domain == RUNS && !hook && suspends < SUSPENDS -> suspends++; hook = 1 }
	:: atomic { domain == RUNS && hook && gate ->
		/* whether QUIESCE was answered or not */
		assert(control != QUIESCED || !engine || apart || ALL_IN_STORE); /* A-QUIESCED */
		domain = SUSPENDED }
	:: atomic { domain == SUSPENDED && CHECKPOINTS && !kept ->
		kept = 1; copy_guest(old, g);
		if
		:: store.mark && owner == token && !owed && evidence ->
			kept_store = 1; copy_state(old_store, store); old_everacked = everacked
		:: else
		fi }
	:: atomic { domain == SUSPENDED ->
		/* cancelled; without a new connection */
		domain = RUNS; hook = 0;
		if
		:: owner == token -> evidence = 0
		:: else
		fi;
		if
		:: link == UP -> control = CONTINUE
		:: else
		fi }
	:: atomic { domain == SUSPENDED -> domain = GONE; image = 1; link_ends() }
	:: atomic { domain == RUNS && token < DOMAINS ->
		domain = GONE; image = 0; link_ends(); clear_guest(); hook = 0; gate = 0 }
	:: atomic { domain == GONE && token < DOMAINS ->
		image = 0; clear_guest(); evidence = 0; stranger = 0; new_domain() }
	:: atomic { domain == GONE && token < DOMAINS && image ->
		image = 0; stranger = !evidence; new_domain() }
	:: atomic { domain == GONE && token < DOMAINS && kept ->
		image = 0; copy_guest(g, old); stranger = 1; new_domain() }
	:: atomic { domain == GONE && token < DOMAINS && kept_store && ADMIN_MAY ->
		/* guest and state, both from then */
		image = 0; copy_guest(g, old); old_store_comes_back();
		stranger = 0; new_domain() }
	:: atomic { domain == GONE && token < DOMAINS && kept_store && ADMIN_MAY && image ->
		/* the state is from then, the guest is not */
		image = 0; old_store_comes_back();
		stranger = 1; new_domain() }
	:: atomic { cuts < CUTS ->
		cuts++;
		daemon = 0; engine_dies(); forget_memory();
		owner = 0; seen_suspended = 0; owed = 0;
		evidence = evidence && store.mark;
		if
		:: domain == RUNS -> clear_guest(); image = 0
		:: domain == SUSPENDED -> image = 1
		:: else
		fi;
		domain = GONE; hook = 0; gate = 0;
		link_ends() }
	od
}

/* Every run ends, since what may happen is bounded; then nothing may be waiting. */
#define ALL_IS_QUIET (domain == RUNS && !g.copy && link == UP && begun && !gate)

active proctype watch()
{
	timeout ->
	assert(domain == GONE || ALL_IS_QUIET)		/* A-WAITS */
}
