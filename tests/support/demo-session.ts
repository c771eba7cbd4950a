// Stands in for the session file in `--mode demo`: a chat with invented people, for looking at every screen.
// `?as=new`, `?as=cleared`, `?as=offline`, `?as=down`, `?as=memory`, `?as=full` show the other states.
import type { Client } from '../../src/core/client.ts';
import { fillDemo } from './demo-chats.ts';
import { FakeClient } from './fake-client.ts';

export async function openSession(): Promise<Client> {
	const as = new URLSearchParams(location.search).get('as') ?? sessionStorage.getItem('demo.as');
	if (as) sessionStorage.setItem('demo.as', as);
	const client = new FakeClient({
		later: (ms, step) => setTimeout(step, ms),
		...(as === 'memory' ? { storage: { kind: 'memory' } } : {}),
		...(as === 'full' ? { storage: { kind: 'full' } } : {}),
	});
	if (as === 'cleared') localStorage.setItem('kith.used', '1');
	if (as === 'new') localStorage.removeItem('kith.used');
	await fillDemo(client, { started: as !== 'new' && as !== 'cleared', alone: as === 'alone' });
	if (as === 'offline' || as === 'down') {
		client.setLive({ connection: { kind: 'offline', retryAt: undefined } });
	}
	return client;
}
