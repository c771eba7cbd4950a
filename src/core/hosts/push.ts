// Web Push from the page's side: subscribing, renewing, and finding out what is wrong. The subscription belongs to the
// service worker's registration, the relay is told through the engine.
import type { NotificationProblem } from '../client.ts';
import type { Connection } from '../model.ts';
import { fromBase64Url, toBase64Url } from '../../protocol/ids.ts';
import type { PushSubscriptionData } from '../../protocol/frames.ts';
import type { PushAnswer, PushQuestion, ToEngine } from './changes.ts';
import { systemRandom } from './environment.ts';

const ANSWER_WITHIN = 15_000;

export interface Push {
	enable(): Promise<NotificationProblem | undefined>;
	test(): Promise<NotificationProblem | undefined>;
	answered(id: string, answer: PushAnswer): void;
}

export function createPush(
	say: (word: ToEngine) => void,
	connection: () => Connection['kind'],
): Push {
	const waiting = new Map<string, (answer: PushAnswer) => void>();

	function ask(question: PushQuestion): Promise<PushAnswer> {
		const id = toBase64Url(systemRandom.bytes(8));
		return new Promise((resolve) => {
			const timer = setTimeout(() => settle('unknown'), ANSWER_WITHIN);
			const settle = (answer: PushAnswer) => {
				clearTimeout(timer);
				waiting.delete(id);
				resolve(answer);
			};
			waiting.set(id, settle);
			say({ type: 'ask', id, question });
		});
	}

	async function enable(): Promise<NotificationProblem | undefined> {
		const obstacle = platformProblem();
		if (obstacle) return obstacle;
		if (connection() !== 'online') return 'no-relay';
		const facts = await ask({ type: 'vapidKey' });
		const vapidKey = typeof facts === 'object' ? facts.vapidKey : undefined;
		if (vapidKey === undefined) return 'relay-cannot-push';
		const subscription = await subscribe(vapidKey);
		if (!subscription) return 'no-subscription';
		const answer = await ask({ type: 'setPush', subscription });
		if (answer === 'accepted') return undefined;
		return answer === 'refused' ? 'relay-cannot-push' : 'no-relay';
	}

	return {
		enable,
		async test() {
			const problem = await enable();
			if (problem) return problem;
			const answer = await ask({ type: 'testPush' });
			if (answer === 'accepted') return undefined;
			return answer === 'refused' ? 'push-failed' : 'no-relay';
		},
		answered: (id, answer) => waiting.get(id)?.(answer),
	};
}

function platformProblem(): NotificationProblem | undefined {
	const isApplePhone = /iPhone|iPad/.test(navigator.userAgent);
	const installed = matchMedia('(display-mode: standalone)').matches;
	// On iOS there is no PushManager before the app is on the home screen (16.4 and later).
	if (isApplePhone && !installed) return 'needs-install';
	if (!('serviceWorker' in navigator) || !('PushManager' in window)) return 'unsupported';
	if (Notification.permission === 'denied') return 'permission-denied';
	return Notification.permission === 'granted' ? undefined : 'permission-ask';
}

/** The registration's subscription for this relay; made anew where it belongs to another key. */
async function subscribe(vapidKey: string): Promise<PushSubscriptionData | undefined> {
	const key = fromBase64Url(vapidKey);
	const registration = await navigator.serviceWorker.getRegistration();
	if (!key || !registration) return undefined;
	try {
		let subscription = await registration.pushManager.getSubscription();
		const used = subscription?.options.applicationServerKey;
		if (subscription && used && toBase64Url(new Uint8Array(used)) !== vapidKey) {
			await subscription.unsubscribe();
			subscription = null;
		}
		subscription ??= await registration.pushManager.subscribe({
			userVisibleOnly: true,
			applicationServerKey: key,
		});
		return dataOf(subscription);
	} catch {
		return undefined; // the browser's push service is off or out of reach
	}
}

function dataOf(subscription: PushSubscription): PushSubscriptionData | undefined {
	const p256dh = subscription.getKey('p256dh');
	const auth = subscription.getKey('auth');
	if (!p256dh || !auth) return undefined;
	return {
		endpoint: subscription.endpoint,
		p256dh: toBase64Url(new Uint8Array(p256dh)),
		auth: toBase64Url(new Uint8Array(auth)),
	};
}
