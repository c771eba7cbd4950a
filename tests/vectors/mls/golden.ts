// Makes one entry of golden.json: what this version stores and sends, so that later versions can prove that they
// still read it. Run `node tests/vectors/mls/golden.ts` and append what it prints when a stored form or a wire form
// is given a new version; never change an entry that a released version made.
import { pathToFileURL } from 'node:url';
import type { GroupState, Result } from '../../../src/core/ports.ts';
import { idFrom, toBase64Url } from '../../../src/protocol/ids.ts';
import type { ChannelId } from '../../../src/protocol/ids.ts';
import { createIdentity, openIdentity } from '../../../src/core/crypto/identity.ts';
import { createGroupCrypto } from '../../../src/core/crypto/mls.ts';

/** Bytes are base64url. */
export interface Golden {
	readonly madeBy: string;
	readonly made: number;
	/** The public half of the reading device: opening needs no signing key. */
	readonly reader: {
		readonly account: string;
		readonly device: string;
		readonly devicePublicKey: string;
		readonly certificate: string;
		readonly deviceList: string;
	};
	readonly channel: string;
	readonly members: readonly { leaf: number; account: string; device: string }[];
	/** The reader's group, one epoch after the sender's first message. */
	readonly frozen: { epoch: number; treeId: string; tree: string; ratchet: string };
	/** Of the epoch before, of this epoch (the second skipped), and of the epoch that `commit` begins. */
	readonly messages: readonly { bytes: string; text: string; afterCommit: boolean }[];
	readonly commit: string;
	readonly authenticatorAfterCommit: string;
	readonly keyPackage: { ref: string; publicPart: string; privatePart: string };
	readonly welcome: string;
}

export async function makeGolden(madeBy: string, made: number): Promise<Golden> {
	const clock = { now: () => made };
	const newDevice = async (deviceName: string) => {
		const stored = await createIdentity({ deviceName, created: made });
		const identity = openIdentity(stored);
		return { stored, identity, crypto: await createGroupCrypto({ identity, clock }) };
	};
	const [alice, bob, carol] = [await newDevice('A'), await newDevice('B'), await newDevice('C')];
	const channel = idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16)));
	const bobKeys = await bob.crypto.newKeyPackage({ reusable: true });
	const carolKeys = await carol.crypto.newKeyPackage({ reusable: false });
	const founded = await alice.crypto.found(channel, new TextEncoder().encode('golden'));
	const add = [bobKeys.publicPart, carolKeys.publicPart];
	const first = must(await alice.crypto.stage(founded, { add }));
	let reader = must(await bob.crypto.join(first.welcome ?? new Uint8Array(), bobKeys));
	const messages: Golden['messages'][number][] = [];
	const say = async (state: GroupState, text: string, afterCommit = false) => {
		const plaintext = new TextEncoder().encode(text);
		const sealed = await alice.crypto.seal(state, plaintext, new TextEncoder().encode('id'));
		messages.push({ bytes: toBase64Url(sealed.bytes), text, afterCommit });
		return sealed.state;
	};
	let sender = await say(first.next, 'of the epoch before');
	const second = must(await alice.crypto.stage(sender, {}));
	const opened = await bob.crypto.open(reader, second.commit);
	if (opened.kind !== 'commit') throw new Error(opened.kind);
	reader = opened.state;
	sender = await say(second.next, 'skipped');
	sender = await say(sender, 'of this epoch');
	const third = must(await alice.crypto.stage(sender, { remove: [carol.identity.device] }));
	await say(third.next, 'of the epoch after', true);
	const { epoch, treeId, tree, ratchet } = bob.crypto.freeze(reader);
	return {
		madeBy,
		made,
		reader: {
			account: bob.identity.account,
			device: bob.identity.device,
			devicePublicKey: toBase64Url(bob.identity.devicePublicKey),
			certificate: toBase64Url(bob.identity.certificate),
			deviceList: toBase64Url(bob.stored.deviceList),
		},
		channel,
		members: bob.crypto.members(reader),
		frozen: { epoch, treeId, tree: toBase64Url(tree), ratchet: toBase64Url(ratchet) },
		messages,
		commit: toBase64Url(third.commit),
		authenticatorAfterCommit: toBase64Url(alice.crypto.authenticator(third.next)),
		keyPackage: {
			ref: bobKeys.ref,
			publicPart: toBase64Url(bobKeys.publicPart),
			privatePart: toBase64Url(bobKeys.privatePart),
		},
		welcome: toBase64Url(first.welcome ?? new Uint8Array()),
	};
}

function must<Value>(result: Result<Value, string>): Value {
	if (!result.ok) throw new Error(result.error);
	return result.value;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
	const [, , madeBy = '0.1.0'] = process.argv;
	console.log(JSON.stringify(await makeGolden(madeBy, Date.UTC(2026, 0, 1)), undefined, '\t'));
}
