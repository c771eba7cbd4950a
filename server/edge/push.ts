// Web Push (RFC 8030) with VAPID (RFC 8292): a wake without any content, to push services the operator allows.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import webPush from 'web-push';
import type { PushSubscriptionData } from '../../src/protocol/frames.ts';
import type { PushSender } from '../relay/ports.ts';

interface VapidKeys {
	readonly publicKey: string;
	readonly privateKey: string;
}

export interface PushOptions {
	/** Where the keys lie; made there at the first start. */
	readonly directory: string;
	/** Who runs this relay, for the push services: `mailto:` or `https:`. */
	readonly contact: string | null;
	/** Hosts, or `.domain` for all below it, or an `http:` origin of this machine for tests. */
	readonly hosts: readonly string[];
}

/** What push services are told where the operator told us nothing. */
const NOBODY = 'mailto:nobody@kith.invalid';
const TIMEOUT = 10_000;
/** How long a push service should try to reach the device, seconds: four weeks is the most that all take. */
const TIME_TO_LIVE = 28 * 24 * 60 * 60;
/** Only the latest of several wakes is worth keeping. */
const TOPIC = 'mail';

/** In the data directory. */
export const VAPID_KEYS = 'vapid.json';

export function createPushSender({ directory, contact, hosts }: PushOptions): PushSender {
	const keys = vapidKeys(directory);
	const vapidDetails = { subject: contact ?? NOBODY, ...keys };
	return {
		vapidKey: keys.publicKey,
		allows: ({ endpoint }) => isAllowed(endpoint, hosts),
		send: (subscription) => send(subscription, vapidDetails),
	};
}

/** Keys change only with a new data directory: every subscription is bound to them. */
function vapidKeys(directory: string): VapidKeys {
	const path = join(directory, VAPID_KEYS);
	if (!existsSync(path)) {
		writeFileSync(`${path}.new`, JSON.stringify(webPush.generateVAPIDKeys()), { mode: 0o600 });
		renameSync(`${path}.new`, path);
	}
	try {
		const { publicKey, privateKey } = JSON.parse(readFileSync(path, 'utf8')) as VapidKeys;
		if (typeof publicKey === 'string' && typeof privateKey === 'string')
			return { publicKey, privateKey };
	} catch {
		// said below
	}
	throw new Error(
		`${path} is damaged. Put its backup back, or delete it: devices then subscribe to pushes anew.`,
	);
}

function isAllowed(endpoint: string, hosts: readonly string[]): boolean {
	if (!URL.canParse(endpoint)) return false;
	const { protocol, hostname, port, origin, username } = new URL(endpoint);
	if (username !== '') return false;
	return hosts.some((host) => {
		if (host.startsWith('http:')) return origin === host;
		const named = host.startsWith('.') ? hostname.endsWith(host) : hostname === host;
		return named && protocol === 'https:' && port === '';
	});
}

async function send(
	subscription: PushSubscriptionData,
	vapidDetails: VapidKeys & { subject: string },
): Promise<'sent' | 'gone' | 'failed'> {
	const { endpoint, p256dh, auth } = subscription;
	try {
		const { headers } = webPush.generateRequestDetails({ endpoint, keys: { p256dh, auth } }, null, {
			...{ vapidDetails, TTL: TIME_TO_LIVE, topic: TOPIC, urgency: 'high' },
		});
		const signal = AbortSignal.timeout(TIMEOUT);
		const response = await fetch(endpoint, {
			...{ method: 'POST', redirect: 'manual', signal, body: null },
			headers: headers as Record<string, string>,
		});
		await response.body?.cancel();
		if (response.ok) return 'sent';
		return response.status === 404 || response.status === 410 ? 'gone' : 'failed';
	} catch {
		return 'failed'; // not reachable, or too slow
	}
}
