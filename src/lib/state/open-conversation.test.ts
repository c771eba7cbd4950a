import { flushSync } from 'svelte';
import { expect, test } from 'vitest';
import { FakeClient } from '../../../tests/support/fake-client.ts';
import { writtenOf } from '../../core/model.ts';
import { App } from './app.svelte.ts';
import { Look } from './look.svelte.ts';
import { NOWHERE, OpenConversation } from './open-conversation.svelte.ts';

async function talking(): Promise<{
	client: FakeClient;
	open: OpenConversation;
	/** Lets the store answer. */
	answer: () => void;
}> {
	const client = new FakeClient();
	await client.start('Sam');
	const id = client.addConversation({ name: 'Maya' });
	const app = new App(client, new Look(undefined));
	await app.start();
	const open = new OpenConversation(app, id);
	await open.open();
	const gate = Promise.withResolvers<undefined>();
	const send = client.send.bind(client);
	client.send = async (...given) => {
		await gate.promise;
		return send(...given);
	};
	return { client, open, answer: () => gate.resolve(undefined) };
}

const shown = ({ messages }: OpenConversation) =>
	messages.map(({ body, delivery }) => [body.kind === 'text' && body.text, delivery.kind]);

test('a message is on screen with a clock before the store has it, and once when it has', async () => {
	const { open, answer } = await talking();
	const sending = [open.send(writtenOf('one'), undefined), open.send(writtenOf('two'), undefined)];
	flushSync();
	expect(shown(open)).toEqual([
		['one', 'queued'],
		['two', 'queued'],
	]);
	answer();
	await Promise.all(sending);
	expect(shown(open).map(([text]) => text)).toEqual(['one', 'two']);
	expect(open.messages.every(({ position }) => position !== NOWHERE)).toBe(true);
});

test('what the store refuses is off the screen again', async () => {
	const { client, open, answer } = await talking();
	client.sendRefusal = { kind: 'storage-full' };
	const sending = open.send(writtenOf('no room'), undefined);
	expect(shown(open)).toEqual([['no room', 'queued']]);
	answer();
	expect(await sending).toMatchObject({ ok: false });
	expect(shown(open)).toEqual([]);
});

test('what is not in the store yet is not marked as read', async () => {
	const { client, open } = await talking();
	const asked: string[] = [];
	client.markRead = (_, upTo) => {
		asked.push(upTo);
		return Promise.resolve();
	};
	void open.send(writtenOf('one'), undefined);
	open.markRead(open.messages.at(-1)?.position ?? 'none');
	expect(asked).toEqual([]);
});
