// Servers for WebRTC. TURN credentials are made anew for each login and run out by themselves, in the scheme that
// coturn calls use-auth-secret: the name is the time of their end, the password its HMAC-SHA-1 under the secret.
import { createHmac } from 'node:crypto';
import type { IceServer } from '../../src/protocol/frames.ts';

/** Long enough for a day of the same connection; a device gets new ones whenever it logs in. */
const LIFETIME_SECONDS = 24 * 60 * 60;

/** `urls` are stun:, turn: and turns: addresses; `now` in ms. */
export function iceServers(
	urls: readonly string[],
	secret: string | null,
	now: number,
): readonly IceServer[] {
	const turn = urls.filter((url) => url.startsWith('turn'));
	const stun = urls.filter((url) => url.startsWith('stun'));
	const servers: IceServer[] = [];
	if (stun.length > 0) servers.push({ urls: stun, username: null, credential: null });
	if (turn.length > 0 && secret !== null) {
		const username = String(Math.floor(now / 1000) + LIFETIME_SECONDS);
		const credential = createHmac('sha1', secret).update(username).digest('base64');
		servers.push({ urls: turn, username, credential });
	}
	return servers;
}
