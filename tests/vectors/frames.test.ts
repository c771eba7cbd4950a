// The wire as it was recorded, per protocol version. Old recordings stay: a relay of today reads the frames of then.
// When this fails, the wire changed. Either undo it, or raise PROTOCOL_VERSION and record a new version beside the old:
// RECORD=1 npx vitest run tests/vectors/frames.test.ts
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cards } from '../../src/protocol/cards.ts';
import {
	channelContexts,
	commitNotes,
	offers,
	contents,
	snapshots,
	whispers,
} from '../../src/protocol/content.ts';
import { downFrames, upFrames } from '../../src/protocol/frames.ts';
import { fromBase64Url, toBase64Url } from '../../src/protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../../src/protocol/limits.ts';
import { peerFrames } from '../../src/protocol/peer-frames.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts';
import { EXAMPLES } from './frame-examples.ts';

const UNIONS = {
	...{ upFrames, downFrames, peerFrames, contents },
	...{ channelContexts, snapshots, whispers, cards, commitNotes, offers },
};
type UnionName = keyof typeof UNIONS;

interface Recording {
	readonly version: number;
	/** SHA-256 of the description of every frame and field. */
	readonly fingerprint: string;
	readonly frames: Readonly<
		Record<UnionName, readonly { readonly type: string; readonly bytes: string }[]>
	>;
}

const FILE = new URL('frames.json', import.meta.url);

/** What a schema is, as text: its kind, its bounds, and what is inside. */
function describeSchema(schema: unknown): unknown {
	if (schema === null || typeof schema !== 'object') return schema;
	const known = schema as Record<string, unknown>;
	const parts: Record<string, unknown> = { type: known.type };
	const { requirement } = known;
	if (typeof requirement === 'number') parts.requirement = requirement;
	if (requirement instanceof RegExp) parts.requirement = requirement.source;
	if (typeof known.description === 'string') parts.description = known.description;
	for (const key of ['item', 'wrapped'] as const) {
		if (known[key] !== undefined) parts[key] = describeSchema(known[key]);
	}
	if (Array.isArray(known.options)) parts.options = known.options;
	if (Array.isArray(known.pipe))
		parts.pipe = known.pipe.slice(1).filter(isOnTheWire).map(describeSchema);
	if (known.entries !== undefined) parts.entries = describeFields(known.entries as object);
	return parts;
}

/** What a reader makes of a field that it accepted changes nothing in the bytes. */
const isOnTheWire = ({ kind }: { kind: string }) => kind !== 'transformation';

const describeFields = (fields: object) =>
	Object.entries(fields).map(([name, schema]) => [name, describeSchema(schema)]);

function describeWire(): unknown {
	return Object.entries(UNIONS).map(([name, { shapes }]) => [
		name,
		shapes.map((shape) => [shape.number, shape.name, describeFields(shape.fields)]),
	]);
}

function record(): Recording {
	const frames = {} as Record<UnionName, { type: string; bytes: string }[]>;
	for (const [name, union] of Object.entries(UNIONS) as [UnionName, (typeof UNIONS)[UnionName]][]) {
		const encode = union.encode as (value: unknown) => Uint8Array;
		frames[name] = EXAMPLES[name].map((example) => ({
			type: example.type,
			bytes: toBase64Url(encode(example)),
		}));
	}
	const fingerprint = createHash('sha256').update(JSON.stringify(describeWire())).digest('hex');
	return { version: PROTOCOL_VERSION, fingerprint, frames };
}

function load(): Recording[] {
	return JSON.parse(readFileSync(FILE, 'utf8')) as Recording[];
}

if (process.env.RECORD) {
	const others = load().filter(({ version }) => version !== PROTOCOL_VERSION);
	writeFileSync(FILE, `${JSON.stringify([...others, record()], null, '\t')}\n`);
}

const recordings = load();

test('every frame has an example', () => {
	for (const [name, { shapes }] of Object.entries(UNIONS)) {
		const examples = new Set(EXAMPLES[name as UnionName].map(({ type }) => type));
		expect(shapes.map((shape) => shape.name).filter((each) => !examples.has(each))).toEqual([]);
	}
});

test('the wire is the one recorded for this version', () => {
	const recorded = recordings.find(({ version }) => version === PROTOCOL_VERSION);
	expect(record()).toEqual(recorded);
});

describe.each(recordings)('version $version', ({ frames }) => {
	test.each(Object.entries(frames) as [UnionName, Recording['frames'][UnionName]][])(
		'%s are still read',
		(name, recorded) => {
			for (const { type, bytes } of recorded) {
				const decoded = UNIONS[name].decode(
					fromBase64Url(bytes) ?? new Uint8Array(),
					MAX_FRAME_BYTES,
				);
				expect(decoded.ok && decoded.value.type).toBe(type);
			}
		},
	);
});

test('what is decoded is what was encoded', () => {
	for (const [name, union] of Object.entries(UNIONS)) {
		const { encode, decode } = union as {
			encode(value: unknown): Uint8Array;
			decode(bytes: Uint8Array, max: number): unknown;
		};
		for (const example of EXAMPLES[name as UnionName]) {
			expect(decode(encode(example), MAX_FRAME_BYTES)).toEqual({ ok: true, value: example });
		}
	}
});
