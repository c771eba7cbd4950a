// What MLS costs at several sizes of a group: node tests/bench/mls.ts [leaves...]. The targets are in the design:
// join 0.5 s, create 0.6 s and process 0.3 s at 1,000 leaves; 500 durable messages a second; 160 bytes of overhead.
import type { GroupCrypto, GroupState, Opened, Result } from '../../src/core/ports.ts';
import { idFrom } from '../../src/protocol/ids.ts';
import type { ChannelId } from '../../src/protocol/ids.ts';
import { makeDevices } from '../vectors/mls/evolution.ts';

const MESSAGES = 300;
const MESSAGE_BYTES = 1024;

function must<Value>(result: Result<Value, string>): Value {
	if (!result.ok) throw new Error(result.error);
	return result.value;
}

function stateAfter(opened: Opened): GroupState {
	if (opened.kind !== 'message' && opened.kind !== 'commit') throw new Error(opened.kind);
	return opened.state;
}

async function timed<Value>(work: () => Promise<Value>): Promise<[ms: number, value: Value]> {
	const from = performance.now();
	const value = await work();
	return [performance.now() - from, value];
}

async function measure(leaves: number): Promise<Record<string, number>> {
	const devices = await makeDevices(leaves);
	const [founder, reader, removed = devices[1]] = [devices[0], devices[1], devices.at(-1)];
	if (!founder || !reader || !removed) throw new Error('at least two leaves');
	const alice = founder.crypto;
	const bob = reader.crypto;
	const packages = await Promise.all(
		devices.slice(1).map(({ crypto }) => crypto.newKeyPackage({ reusable: false })),
	);
	const channel = idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16)));
	const founded = await alice.found(channel, new Uint8Array());
	const add = packages.map(({ publicPart }) => publicPart);
	const [addAll, added] = await timed(async () => must(await alice.stage(founded, { add })));
	const welcome = added.welcome ?? new Uint8Array();
	const keys = packages[0];
	if (!keys) throw new Error('nobody to join');
	const [join, joined] = await timed(async () => must(await bob.join(welcome, keys)));

	const [updateCreate, updated] = await timed(async () => must(await alice.stage(added.next, {})));
	const [updateProcess, afterUpdate] = await timed(async () =>
		stateAfter(await bob.open(joined, updated.commit)),
	);
	const messages = await measureMessages(alice, bob, [updated.next, afterUpdate]);
	const remove = [removed.identity.device];
	const [removeCreate, removal] = await timed(async () =>
		must(await alice.stage(updated.next, { remove })),
	);
	const [removeProcess] = await timed(() => bob.open(afterUpdate, removal.commit));
	const frozen = bob.freeze(afterUpdate);
	return {
		leaves,
		'add all, ms': addAll,
		'join, ms': join,
		'update create, ms': updateCreate,
		'update process, ms': updateProcess,
		'remove create, ms': removeCreate,
		'remove process, ms': removeProcess,
		'welcome, B': welcome.length,
		'tree, B': frozen.tree.length,
		'ratchet, B': frozen.ratchet.length,
		...messages,
	};
}

async function measureMessages(
	alice: GroupCrypto,
	bob: GroupCrypto,
	[sender, reader]: [GroupState, GroupState],
): Promise<Record<string, number>> {
	const payload = new Uint8Array(MESSAGE_BYTES);
	const sent: Uint8Array[] = [];
	let state = sender;
	const [sealing] = await timed(async () => {
		for (let n = 0; n < MESSAGES; n++) {
			const sealed = await alice.seal(state, payload, new Uint8Array());
			state = sealed.state;
			sent.push(sealed.bytes);
		}
	});
	state = reader;
	const [opening] = await timed(async () => {
		for (const bytes of sent) {
			state = stateAfter(await bob.open(state, bytes));
			bob.freeze(state);
		}
	});
	return {
		'seal/s': (MESSAGES * 1000) / sealing,
		'open and freeze/s': (MESSAGES * 1000) / opening,
		'overhead, B': (sent[0]?.length ?? 0) - MESSAGE_BYTES,
	};
}

const sizes = process.argv.slice(2).map(Number);
const table: Record<string, number>[] = [];
for (const leaves of sizes.length > 0 ? sizes : [2, 10, 100, 1000]) {
	const row = await measure(leaves);
	table.push(
		Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Math.round(value)])),
	);
}
console.table(table);
