// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which domain a vTPM belongs to, and what becomes of the TPM when it goes: the table in
 * Documentation/exactly-once.md, "Power-off: whose word counts", against vtpmd, real
 * engines and real TPMs.
 */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vtpmd_run.h"

#define FAILURE		0x101
#define BOTH		(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)

/* A guest with the extension. */
struct guest {
	uint64_t id;
	int fd;
	uint64_t last;		/* sequence of its last command */
	struct vtpm_begin begin;
};

static void offer_exactly_once(bool yes)
{
	write_file("vtpm.d/" FIRST ".conf", yes ? "exactly-once = yes\n" :
						  "exactly-once = no\n");
}

static int set_up_once(void **state)
{
	int ret = set_up(state);

	offer_exactly_once(true);
	return ret;
}

/* Waits until a frontend is served, by this engine or the next one. */
static void await(struct guest *guest)
{
	assert_true(fake_kernel_wait_begun(kernel, guest->id, &guest->begin, PATIENCE_MS));
	guest->fd = fake_kernel_guest(kernel, guest->id);
}

/* A frontend appears that presents this, or nothing. */
static struct guest come(uint32_t domid, const struct vtpm_begin *past)
{
	struct guest guest = { 0 };

	fake_kernel_present(kernel, past);
	guest.id = fake_kernel_add(kernel, domid, &first);
	await(&guest);
	assert_int_equal(fake_kernel_accepted_with(kernel, guest.id).features, BOTH);
	return guest;
}

static uint32_t run(struct guest *guest, struct packet packet)
{
	struct packet response;

	guest->last = guest_send(guest->fd, &packet, 0);
	fake_kernel_sequence(kernel, guest->id, guest->last);
	if (!guest_receive(guest->fd, guest->last, &response, PATIENCE_MS))
		return GUEST_NOTHING;
	return be32(response.bytes + 6);
}

static bool zero(struct guest *guest)
{
	static const uint8_t zeroes[32];
	struct packet response, read = tpm2_pcr_read(16);

	guest->last = guest_send(guest->fd, &read, 0);
	fake_kernel_sequence(kernel, guest->id, guest->last);
	assert_true(guest_receive(guest->fd, guest->last, &response, PATIENCE_MS));
	assert_int_equal(be32(response.bytes + 6), 0);
	return !memcmp(response.bytes + 30, zeroes, sizeof(zeroes));
}

/* A guest that has booted and measured something. */
static struct guest boot(uint32_t domid)
{
	struct guest guest = come(domid, NULL);

	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_int_equal(run(&guest, tpm2_pcr_extend(16)), 0);
	return guest;
}

/* What the guest presents when it is restored. */
static struct vtpm_begin image_of(const struct guest *guest)
{
	struct vtpm_begin image = guest->begin;

	image.sequence = guest->last;
	return image;
}

static json_t *show(void)
{
	char output[16384];

	if (vtpmctl("show " FIRST " --json", output, sizeof(output)))
		return NULL;
	return json_loads(output, 0, NULL);
}

static bool shows(const char *key, const char *value)
{
	json_t *vtpm = show();
	const json_t *member = json_object_get(vtpm, key);
	bool is = json_is_string(member) ? !strcmp(json_string_value(member), value) :
		  member && !strcmp(json_is_true(member) ? "yes" : "no", value);

	json_decref(vtpm);
	return is;
}

static void wait_for_show(const char *key, const char *value)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 20) {
		if (shows(key, value))
			return;
		pause_ms(20);
	}
	fail_msg("%s never was %s", key, value);
}

static void wait_for_end(void)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 20) {
		if (!engine_of(FIRST) && !there("run/state/" FIRST ".memory"))
			return;
		pause_ms(20);
	}
	fail_msg("the engine never ended");
}

static void suspend(uint32_t domid)
{
	fake_kernel_suspend(kernel, domid, true);
	wait_for_show("marked-suspended", "yes");
}

static void test_detach_and_attach(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);
	pid_t engine = engine_of(FIRST);

	(void)state;
	assert_true(there("run/state/" FIRST ".owner"));
	assert_true(there("run/state/" FIRST ".memory"));
	assert_int_equal(strlen(fake_kernel_get_domain(kernel, 1).token), 32);
	fake_kernel_gone(kernel, guest.id);
	pause_ms(2500);
	guest = come(1, NULL);
	assert_memory_not_equal(guest.begin.session, image.session, sizeof(image.session));
	assert_int_equal(guest.begin.sequence, 0);
	assert_false(zero(&guest));
	assert_int_equal(engine_of(FIRST), engine);
}

static void test_destroyed(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	assert_false(there("run/state/" FIRST ".owner"));
	guest = come(2, NULL);
	assert_memory_not_equal(guest.begin.session, image.session, sizeof(image.session));
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

/* A domain's death is noticed where the kernel still has its frontend. */
static void test_gone_before_its_frontend(void **state)
{
	struct fake_domain domain = { .domid = 1, .dying = true };
	struct guest guest = boot(1);

	(void)state;
	fake_kernel_set_domain(kernel, &domain, true);
	pause_ms(500);
	assert_int_equal(run(&guest, tpm2_get_random(8)), 0);
	domain.gone = true;
	fake_kernel_set_domain(kernel, &domain, true);
	wait_for_end();
}

static void test_saved_and_restored(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	suspend(1);
	assert_true(shows("domain-suspended", "yes"));
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	guest = come(2, &image);
	assert_memory_equal(guest.begin.session, image.session, sizeof(image.session));
	assert_false(zero(&guest));
	assert_true(shows("session", "running"));
	assert_true(shows("marked-suspended", "no"));
	/* And the time of that domain ends like any other's. */
	fake_kernel_destroy(kernel, 2);
	wait_for_end();
	guest = come(3, NULL);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

/* Whoever boots over a saved image gets a TPM that was power-cycled. */
static void test_saved_and_booted(void **state)
{
	struct guest guest = boot(1);

	(void)state;
	suspend(1);
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	guest = come(2, NULL);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

/* The target's frontend comes while the source is suspended, and waits without a complaint. */
static void test_migrated_to_the_same_host(void **state)
{
	struct guest guest = boot(1), target = { 0 };
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	suspend(1);
	fake_kernel_present(kernel, &image);
	target.id = fake_kernel_add(kernel, 2, &first);
	assert_false(fake_kernel_wait_accepted(kernel, target.id, 300));
	assert_false(has_state(FIRST, "refused", NULL));
	fake_kernel_destroy(kernel, 1);
	await(&target);
	assert_false(zero(&target));
	assert_true(shows("session", "running"));
}

static void test_cancelled_suspend(void **state)
{
	struct guest guest = boot(1);

	(void)state;
	suspend(1);
	fake_kernel_suspend(kernel, 1, false);
	assert_false(zero(&guest));
	wait_for_show("marked-suspended", "no");
	wait_for_show("domain-suspended", "no");
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	guest = come(2, NULL);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

/* Its last flags say that it ran again, though nobody had looked since. */
static void test_cancelled_and_destroyed_at_once(void **state)
{
	struct fake_domain dying;
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	suspend(1);
	dying = fake_kernel_get_domain(kernel, 1);
	dying.suspended = false;
	dying.dying = true;
	fake_kernel_set_domain(kernel, &dying, false);
	fake_kernel_gone(kernel, guest.id);
	wait_for_end();
	guest = come(2, &image);
	assert_true(shows("session", "apart"));
	assert_int_equal(run(&guest, tpm2_get_random(8)), FAILURE);
}

/* A command that was executed after all takes the mark away; it is set again. */
static void test_late_command(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image;

	(void)state;
	suspend(1);
	assert_false(zero(&guest));
	image = image_of(&guest);
	wait_for_show("marked-suspended", "yes");
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	guest = come(2, &image);
	assert_false(zero(&guest));
}

static void saved(struct vtpm_begin *image)
{
	struct guest guest = boot(1);

	*image = image_of(&guest);
	suspend(1);
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
}

static void test_apart_and_reset(void **state)
{
	struct vtpm_begin image, old;
	char output[1024];
	struct guest guest;

	(void)state;
	saved(&image);
	old = image;
	old.sequence -= 2;
	guest = come(2, &old);
	wait_for_show("session", "apart");
	assert_true(has_state(FIRST, "apart", "older than the TPM's state"));
	assert_int_equal(run(&guest, tpm2_get_random(8)), FAILURE);
	/* It goes, and the matching image still fits. */
	fake_kernel_destroy(kernel, 2);
	wait_for_end();
	guest = come(3, &image);
	assert_false(zero(&guest));
	/* Another one that does not fit, and the administrator ends that. */
	suspend(3);
	fake_kernel_destroy(kernel, 3);
	wait_for_end();
	old.session[0] ^= 1;
	guest = come(4, &old);
	wait_for_show("session", "apart");
	assert_int_equal(vtpmctl("reset " FIRST " </dev/null", output, sizeof(output)), 1);
	assert_non_null(strstr(output, "nothing was done"));
	assert_int_equal(run(&guest, tpm2_get_random(8)), FAILURE);
	assert_int_equal(vtpmctl("reset --yes " FIRST, output, sizeof(output)), 0);
	assert_true(shows("session", "running"));
	assert_true(has_state(FIRST, "running", NULL));
	assert_true(zero(&guest));
	/* From here on it is that guest's. */
	assert_int_equal(run(&guest, tpm2_pcr_extend(16)), 0);
	kill(engine_of(FIRST), SIGKILL);
	pause_ms(50);
	await(&guest);
	assert_false(zero(&guest));
}

static void test_apart_boot_ends_it(void **state)
{
	struct vtpm_begin image;
	struct guest guest;

	(void)state;
	saved(&image);
	image.sequence += 2;
	guest = come(2, &image);
	wait_for_show("session", "apart");
	/* Also over the end of vtpmd nothing is settled. */
	assert_int_equal(end_vtpmd(SIGKILL), 128 + SIGKILL);
	start_vtpmd();
	wait_for_show("session", "apart");
	fake_kernel_destroy(kernel, 2);
	wait_for_end();
	guest = come(3, NULL);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

/* An engine that dies before the guest has said anything has settled nothing. */
static void test_awaited_engine_dies(void **state)
{
	struct vtpm_begin image;
	struct guest guest;
	pid_t engine;

	(void)state;
	saved(&image);
	image.sequence += 2;
	guest = come(2, &image);
	wait_for_show("session", "apart");
	fake_kernel_gone(kernel, guest.id);
	engine = engine_of(FIRST);
	kill(engine, SIGKILL);
	guest = come(2, NULL);
	assert_int_not_equal(engine_of(FIRST), engine);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

static void test_engine_dies(void **state)
{
	struct guest guest = boot(1);
	pid_t engine = engine_of(FIRST);

	(void)state;
	kill(engine, SIGKILL);
	while (engine_of(FIRST) == engine)
		pause_ms(5);
	await(&guest);
	assert_false(zero(&guest));
	assert_true(shows("session", "running"));
}

/* No engine runs when the suspended domain goes: one is started to save what it left. */
static void test_engine_dies_while_suspended(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	kill(engine_of(FIRST), SIGSTOP);
	fake_kernel_suspend(kernel, 1, true);
	pause_ms(100);
	kill(engine_of(FIRST), SIGKILL);
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	guest = come(2, &image);
	assert_false(zero(&guest));
}

static void test_vtpmd_restarted(void **state)
{
	struct guest guest = boot(1);
	int signals[] = { SIGKILL, SIGTERM };

	(void)state;
	for (int i = 0; i < 2; i++) {
		end_vtpmd(signals[i]);
		assert_true(there("run/state/" FIRST ".owner"));
		start_vtpmd();
		await(&guest);
		wait_for_state(FIRST, "running", NULL);
		await(&guest);
		assert_false(zero(&guest));
	}
	/* Also without a frontend. */
	fake_kernel_gone(kernel, guest.id);
	end_vtpmd(SIGKILL);
	start_vtpmd();
	guest = come(1, NULL);
	assert_false(zero(&guest));
}

static void test_suspended_while_vtpmd_is_away(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	end_vtpmd(SIGKILL);
	fake_kernel_suspend(kernel, 1, true);
	start_vtpmd();
	wait_for_show("marked-suspended", "yes");
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	guest = come(2, &image);
	assert_false(zero(&guest));
}

/* What was seen is evidence, also if nobody could act on it. */
static void test_suspended_and_all_die(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	kill(engine_of(FIRST), SIGSTOP);
	fake_kernel_suspend(kernel, 1, true);
	wait_for_show("domain-suspended", "yes");
	kill(engine_of(FIRST), SIGKILL);
	end_vtpmd(SIGKILL);
	fake_kernel_destroy(kernel, 1);
	start_vtpmd();
	wait_for_end();
	guest = come(2, &image);
	assert_false(zero(&guest));
}

static void test_number_used_again(void **state)
{
	struct guest guest = boot(1);
	struct fake_domain other = { .domid = 1 };

	(void)state;
	fake_kernel_gone(kernel, guest.id);
	end_vtpmd(SIGKILL);
	memset(other.token, 'a', 32);
	fake_kernel_set_domain(kernel, &other, false);
	start_vtpmd();
	guest = come(1, NULL);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
	assert_int_equal(run(&guest, tpm2_pcr_extend(16)), 0);
	/* Under a vtpmd that runs, and was not told. */
	fake_kernel_gone(kernel, guest.id);
	memset(other.token, 0, 32);
	fake_kernel_set_domain(kernel, &other, false);
	guest = come(1, NULL);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

/* kexec in an HVM guest: the xenstore forgets the domain, the domain goes on. */
static void test_soft_reset(void **state)
{
	struct fake_domain domain = { .domid = 1, .soft_reset = true };
	struct guest guest = boot(1);

	(void)state;
	fake_kernel_set_domain(kernel, &domain, true);
	pause_ms(200);
	fake_kernel_gone(kernel, guest.id);
	domain.soft_reset = false;
	fake_kernel_set_domain(kernel, &domain, false);
	guest = come(1, NULL);
	assert_false(zero(&guest));
	assert_int_equal(strlen(fake_kernel_get_domain(kernel, 1).token), 32);
}

static void test_no_evidence(void **state)
{
	struct guest guest = boot(1);

	(void)state;
	end_vtpmd(SIGKILL);
	fake_kernel_destroy(kernel, 1);
	start_vtpmd();
	wait_for_end();
	assert_false(there("run/state/" FIRST ".owner"));
	guest = come(2, NULL);
	assert_int_equal(run(&guest, tpm2_startup()), 0);
	assert_true(zero(&guest));
}

/* Where nobody can be asked, no domain has gone and none is suspended. */
static void test_nobody_knows(void **state)
{
	struct guest guest = boot(1);
	pid_t engine = engine_of(FIRST);

	(void)state;
	fake_kernel_hide_domains(kernel, true);
	fake_kernel_suspend(kernel, 1, true);
	fake_kernel_gone(kernel, guest.id);
	pause_ms(2500);
	assert_int_equal(engine_of(FIRST), engine);
	assert_true(shows("domain-suspended", "no"));
	guest = come(1, NULL);
	assert_false(zero(&guest));
}

static void test_features_stay(void **state)
{
	struct guest guest = boot(1);
	struct vtpm_begin image = image_of(&guest);

	(void)state;
	suspend(1);
	fake_kernel_destroy(kernel, 1);
	wait_for_end();
	offer_exactly_once(false);
	guest = come(2, &image);
	assert_false(zero(&guest));
	/* With the next power-on the policy holds. */
	fake_kernel_destroy(kernel, 2);
	wait_for_end();
	guest.fd = attach_used(3, &first, &guest.id);
	assert_int_equal(fake_kernel_accepted_with(kernel, guest.id).features, 0);
	/* And the other way round. */
	suspend(3);
	fake_kernel_destroy(kernel, 3);
	wait_for_end();
	offer_exactly_once(true);
	guest.fd = attach(4, &first, &guest.id);
	assert_int_equal(fake_kernel_accepted_with(kernel, guest.id).features, 0);
	assert_false(pcr_is_zero(guest.fd));
}

static void test_show(void **state)
{
	static const char *const members[] = {
		"uuid", "tpm", "engine", "state", "pid", "domid", "policy", "session", "features",
		"sequence", "generation", "commits", "commands", "domain-suspended",
		"marked-suspended", "connections",
	};
	struct guest guest = boot(1);
	char output[8192];
	json_t *vtpm = show();

	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!json_object_get(vtpm, members[i]))
			fail_msg("%s is missing", members[i]);
	assert_int_equal(json_integer_value(json_object_get(vtpm, "sequence")), guest.last);
	assert_int_equal(json_integer_value(json_object_get(vtpm, "commands")), 2);
	assert_int_equal(json_array_size(json_object_get(vtpm, "features")), 2);
	json_decref(vtpm);
	assert_int_equal(vtpmctl("show " FIRST, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "exactly-once, extra-pages"));
	assert_int_equal(vtpmctl("show", output, sizeof(output)), 2);
	assert_int_equal(vtpmctl("show nonsense", output, sizeof(output)), 1);
	assert_non_null(strstr(output, "not a UUID"));
	assert_int_equal(vtpmctl("show " SECOND, output, sizeof(output)), 1);
	assert_non_null(strstr(output, "no domain has"));
	assert_int_equal(vtpmctl("reset --yes " SECOND, output, sizeof(output)), 1);
	assert_int_equal(vtpmctl("reset", output, sizeof(output)), 2);
	assert_int_equal(vtpmctl("reset --help", output, sizeof(output)), 0);
	fake_kernel_gone(kernel, guest.id);
}

/* An engine that does not answer keeps nobody waiting for ever. */
static void test_show_of_a_hanging_engine(void **state)
{
	char output[8192];

	(void)state;
	boot(1);
	kill(engine_of(FIRST), SIGSTOP);
	assert_int_equal(vtpmctl("show " FIRST, output, sizeof(output)), 0);
	assert_int_equal(vtpmctl("reset --yes " FIRST, output, sizeof(output)), 1);
	assert_non_null(strstr(output, "not answered in time"));
	kill(engine_of(FIRST), SIGCONT);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up_once, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_detach_and_attach),
		TEST(test_destroyed),
		TEST(test_gone_before_its_frontend),
		TEST(test_saved_and_restored),
		TEST(test_saved_and_booted),
		TEST(test_migrated_to_the_same_host),
		TEST(test_cancelled_suspend),
		TEST(test_cancelled_and_destroyed_at_once),
		TEST(test_late_command),
		TEST(test_apart_and_reset),
		TEST(test_apart_boot_ends_it),
		TEST(test_awaited_engine_dies),
		TEST(test_engine_dies),
		TEST(test_engine_dies_while_suspended),
		TEST(test_vtpmd_restarted),
		TEST(test_suspended_while_vtpmd_is_away),
		TEST(test_suspended_and_all_die),
		TEST(test_number_used_again),
		TEST(test_soft_reset),
		TEST(test_no_evidence),
		TEST(test_nobody_knows),
		TEST(test_features_stay),
		TEST(test_show),
		TEST(test_show_of_a_hanging_engine),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
