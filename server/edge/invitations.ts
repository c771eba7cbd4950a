// Invitations of the operator: links that let a new device in where registration is by invitation. A link is a time and
// a proof that this relay's operator said it; nothing is kept of who used it.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** In the data directory: with another key, all invitations of before have ended. */
export const INVITATION_KEY = 'invitations.key';
const COOKIE = 'kith-invitation';
const TIME_BYTES = 6;
const PROOF_BYTES = 16;

export interface Invitations {
	/** The path of a link that lets devices in until then (ms). */
	pathOf(until: number): string;
	/** What a browser keeps for the link at `path`; undefined where there is no such invitation, or no more. */
	cookieFor(path: string, now: number): string | undefined;
	/** Whether the `Cookie` header of a connection holds an invitation. */
	isInvited(cookies: string, now: number): boolean;
}

const PATH = '/v1/join/';

/** Reads the key, made at the first use. */
export function openInvitations(directory: string): Invitations {
	const key = keyIn(join(directory, INVITATION_KEY));
	const proofOf = (time: Uint8Array) =>
		createHmac('sha256', key).update(time).digest().subarray(0, PROOF_BYTES);
	/** When it ends, ms; 0 where it is none. */
	const endOf = (token: string): number => {
		const bytes = Buffer.from(token, 'base64url');
		if (bytes.length !== TIME_BYTES + PROOF_BYTES) return 0;
		const time = bytes.subarray(0, TIME_BYTES);
		const holds = timingSafeEqual(proofOf(time), bytes.subarray(TIME_BYTES));
		return holds ? time.readUIntBE(0, TIME_BYTES) : 0;
	};
	return {
		pathOf: (until) => {
			const time = Buffer.alloc(TIME_BYTES);
			time.writeUIntBE(until, 0, TIME_BYTES);
			return PATH + Buffer.concat([time, proofOf(time)]).toString('base64url');
		},
		cookieFor: (path, now) => {
			const token = path.startsWith(PATH) ? path.slice(PATH.length) : '';
			const seconds = Math.floor((endOf(token) - now) / 1000);
			if (seconds <= 0) return undefined;
			return `${COOKIE}=${token}; Path=/v1/socket; Max-Age=${seconds}; HttpOnly; SameSite=Strict`;
		},
		isInvited: (cookies, now) => {
			const [, token = ''] = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]+)`).exec(cookies) ?? [];
			return endOf(token) > now;
		},
	};
}

function keyIn(path: string): Buffer {
	try {
		writeFileSync(path, randomBytes(32), { mode: 0o600, flag: 'wx' });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
	}
	const key = readFileSync(path);
	if (key.length === 32) return key;
	throw new Error(`${path} is damaged. Delete it, start again, and invite anew.`);
}
