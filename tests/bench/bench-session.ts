// Stands in for the session file in `--mode bench`: the real client, and a way to fill the database with history, which
// would take a real conversation days.
import type { Client } from '../../src/core/client.ts';
import { openEnvironment } from '../../src/core/hosts/environment.ts';
import type { ConversationId, MessageId } from '../../src/core/model.ts';
import { nextOrder, positionOf } from '../../src/core/positions.ts';
import { messageKey, ONLY, outboxKey } from '../../src/core/records.ts';
import { addMessage, summaryOf } from '../../src/core/threads.ts';
import { toBase64Url } from '../../src/protocol/ids.ts';
import { openSession as openReal } from '../../src/lib/state/session.ts';

const ROWS_A_WRITE = 1_000;
const WORDS = 'tea and bread at the lake house before the long train north leaves on friday'.split(
	' ',
);

declare global {
	interface Window {
		/** Puts `count` messages before the present into a conversation. */
		kithFill(conversation: string, count: number): Promise<void>;
		/** Writes `count` messages as fast as they are taken, and resolves when the relay has them all. */
		kithSay(conversation: string, count: number): Promise<void>;
	}
}

const fill: Window['kithFill'] = async (name, count) => {
	const conversation = name as ConversationId;
	const { store } = await openEnvironment(() => undefined);
	const me = await store.get('me', ONLY);
	const row = await store.get('conversations', conversation);
	if (!me || !row) throw new Error('there is no such conversation');
	let order = nextOrder('', Date.now() - count * 60_000);
	for (let done = 0; done < count; done += ROWS_A_WRITE) {
		await store.transact(async (tx) => {
			for (let at = done; at < Math.min(count, done + ROWS_A_WRITE); at++) {
				order = nextOrder(order, Date.now() - (count - at) * 60_000);
				const id = toBase64Url(crypto.getRandomValues(new Uint8Array(16))) as MessageId;
				const message = {
					id,
					conversation,
					position: positionOf(order, id),
					author: at % 2 ? me.account : (row.account ?? me.account),
					device: me.device,
					mine: at % 2 === 1,
					body: { kind: 'text' as const, text: textOf(at), replyTo: undefined },
					sent: Date.now() - (count - at) * 60_000,
					received: Date.now(),
					delivery: { kind: at % 2 ? ('read' as const) : ('received' as const) },
					carrier: undefined,
				};
				tx.put('messages', messageKey(conversation, message.position), message);
				if (at !== count - 1) continue;
				const fresh = await tx.get('conversations', conversation);
				if (!fresh) continue;
				const { position } = message;
				tx.put('conversations', conversation, {
					...fresh,
					last: summaryOf(message),
					readTo: position,
					highest: order,
				});
			}
		});
	}
	store.close();
};

/** As `Client.send` writes them, many in a transaction: how fast one writes is not what is measured. */
async function queue(conversation: ConversationId, count: number): Promise<void> {
	const { store } = await openEnvironment(() => undefined);
	for (let done = 0; done < count; done += ROWS_A_WRITE) {
		await store.transact(async (tx) => {
			const me = await tx.get('me', ONLY);
			for (let at = done; me && at < Math.min(count, done + ROWS_A_WRITE); at++) {
				const row = await tx.get('conversations', conversation);
				const id = toBase64Url(crypto.getRandomValues(new Uint8Array(16))) as MessageId;
				const position = positionOf(nextOrder(row?.highest ?? '', Date.now()), id);
				await addMessage(tx, {
					id,
					conversation,
					position,
					author: me.account,
					device: me.device,
					mine: true,
					body: { kind: 'text', text: `backlog ${at}`, replyTo: undefined },
					sent: Date.now(),
					received: Date.now(),
					delivery: { kind: 'queued' },
					carrier: undefined,
				});
				tx.put('outbox', outboxKey.text(conversation, position), {
					kind: 'text',
					sealed: undefined,
					replaces: undefined,
				});
			}
		});
	}
	store.close();
}

/** From one word to a few lines, the same for every run. */
function textOf(at: number): string {
	const length = 1 + ((at * 7919) % 40);
	return Array.from({ length }, (_, word) => WORDS[(at + word * 3) % WORDS.length]).join(' ');
}

export async function openSession(): Promise<Client> {
	const client = await openReal();
	window.kithFill = fill;
	window.kithSay = async (name, count) => {
		const id = name as ConversationId;
		await queue(id, count);
		await new Promise<void>((resolve) => {
			const look = async () => {
				const kind = (await client.conversation(id))?.last?.delivery.kind;
				if (kind !== 'queued') resolve();
			};
			client.watch(() => void look());
			void look();
		});
	};
	return client;
}
