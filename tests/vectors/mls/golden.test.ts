// What earlier versions stored and sent must still be read (golden.ts says how entries are made).
import { describe, expect, test } from 'vitest';
import { createGroupCrypto } from '../../../src/core/crypto/mls.ts';
import { verifyDeviceList } from '../../../src/core/crypto/device-list.ts';
import type { Identity } from '../../../src/core/ports.ts';
import { fromBase64Url } from '../../../src/protocol/ids.ts';
import type { AccountId, DeviceId } from '../../../src/protocol/ids.ts';
import type { Golden } from './golden.ts';
import goldens from './golden.json' with { type: 'json' };

function bytesOf(text: string): Uint8Array {
	const bytes = fromBase64Url(text);
	if (!bytes) throw new Error('not base64url');
	return bytes;
}

describe.each(goldens as readonly Golden[])('written by $madeBy', (golden) => {
	const identity: Identity = {
		account: golden.reader.account as AccountId,
		device: golden.reader.device as DeviceId,
		devicePublicKey: bytesOf(golden.reader.devicePublicKey),
		certificate: bytesOf(golden.reader.certificate),
		sign: () => Promise.reject(new Error('reading signs nothing')),
	};
	const readerCrypto = () => createGroupCrypto({ identity, clock: { now: () => golden.made } });

	test('the stored group opens messages of its epoch, the one before, and the next', async () => {
		const crypto = await readerCrypto();
		const { epoch, treeId, tree, ratchet } = golden.frozen;
		let state = crypto.thaw({ epoch, treeId, tree: bytesOf(tree), ratchet: bytesOf(ratchet) });
		expect(state).toMatchObject({ channel: golden.channel, epoch });
		expect(crypto.members(state)).toEqual(golden.members);
		expect(crypto.context(state)).toEqual(new TextEncoder().encode('golden'));
		const read = async (afterCommit: boolean) => {
			const chosen = golden.messages.filter((message) => message.afterCommit === afterCommit);
			for (const { bytes, text } of chosen.reverse()) {
				const opened = await crypto.open(state, bytesOf(bytes));
				if (opened.kind !== 'message') throw new Error(opened.kind);
				expect(new TextDecoder().decode(opened.plaintext)).toBe(text);
				state = opened.state;
			}
		};
		await read(false);
		const opened = await crypto.open(state, bytesOf(golden.commit));
		if (opened.kind !== 'commit') throw new Error(opened.kind);
		expect(crypto.authenticator(opened.state)).toEqual(bytesOf(golden.authenticatorAfterCommit));
		expect(opened.removed).toEqual([golden.members[2]]);
		state = opened.state;
		await read(true);
	});

	test('the welcome joins with the stored key package', async () => {
		const crypto = await readerCrypto();
		const { ref, publicPart, privatePart } = golden.keyPackage;
		const welcome = bytesOf(golden.welcome);
		expect(crypto.welcomeRefs(welcome)).toMatchObject({ ok: true });
		const keys = { ref, publicPart: bytesOf(publicPart), privatePart: bytesOf(privatePart) };
		const joined = await crypto.join(welcome, keys);
		expect(joined.ok && crypto.members(joined.value)).toEqual(golden.members);
	});

	test('the device list verifies', async () => {
		const list = await verifyDeviceList(bytesOf(golden.reader.deviceList), identity.account);
		expect(list.ok && [...list.value.devices.keys()]).toEqual([identity.device]);
	});
});
