/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_POWER_H
#define ENGINE_POWER_H

struct engine;

/**
 * make_session - give the session another name, which nobody can guess
 * @engine: the engine
 *
 * Return: 0; -EIO, there are no random numbers.
 */
int make_session(struct engine *engine);

/**
 * power_off_and_on - take the TPM's power away and give it back
 * @engine: the engine
 *
 * Orderly, with TPM2_Shutdown. There is a new session then, but nothing is saved.
 *
 * Return: 0; -EIO, the TPM does not come up, which was reported.
 */
int power_off_and_on(struct engine *engine);

/**
 * power_cycle - likewise, and make it durable
 * @engine: the engine
 *
 * Return: as engine_persist().
 */
int power_cycle(struct engine *engine);

#endif
