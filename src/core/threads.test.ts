// Delivery of own messages where somebody has several devices.
import { expect, test } from 'vitest';
import { idFrom } from '../protocol/ids.ts';
import { positionOf } from './positions.ts';
import { carriedKey, messageKey, type MessageRow } from './records.ts';
import { createMemoryDisk, createMemoryStore } from './storage/memory-store.ts';
import { newConversation, raiseDelivery, writeDelivery } from './threads.ts';

const bytes = (fill: number, length = 16) => new Uint8Array(length).fill(fill);

function messageOn(delivery: MessageRow['delivery']): MessageRow {
	const id = idFrom<MessageRow['id']>(bytes(1));
	return {
		...{ id, conversation: idFrom(bytes(2)), position: positionOf('0'.repeat(16), id) },
		...{ author: idFrom(bytes(3, 32)), device: idFrom(bytes(4)), mine: true, sent: 1, received: 1 },
		body: { kind: 'text', text: 'again', replyTo: undefined },
		delivery,
		carrier: { channel: idFrom(bytes(5)), envelope: idFrom(bytes(6)), count: 1 },
	};
}

async function storeWith(message: MessageRow) {
	const store = createMemoryStore(createMemoryDisk());
	const key = messageKey(message.conversation, message.position);
	await store.transact((tx) => {
		tx.put(
			'conversations',
			message.conversation,
			newConversation(message.conversation, undefined, 1),
		);
		tx.put('messages', key, message);
		if (message.carrier) tx.put('carried', carriedKey.envelope(message.carrier.envelope), key);
		return Promise.resolve();
	});
	return { store, kept: () => store.get('messages', key) };
}

test('what one device of somebody has does not fail with what was sent to another', async () => {
	const message = messageOn({ kind: 'delivered' });
	const { store, kept } = await storeWith(message);
	await store.transact((tx) => writeDelivery(tx, message, { kind: 'failed', reason: 'expired' }));
	expect((await kept())?.delivery).toEqual({ kind: 'delivered' });
});

test('what was said again for another device is not looked for any more once one confirms', async () => {
	const message = messageOn({ kind: 'read' });
	const { store, kept } = await storeWith(message);
	await store.transact((tx) => raiseDelivery(tx, message.id, { kind: 'sent' }));
	expect((await kept())?.carrier).toEqual(message.carrier);
	await store.transact((tx) => raiseDelivery(tx, message.id, { kind: 'delivered' }));
	expect(await kept()).toMatchObject({ delivery: { kind: 'read' }, carrier: message.carrier });
	expect(await store.list('carried', { prefix: '', limit: 1 })).toEqual([]);
});
