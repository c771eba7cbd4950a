// Sealing and opening what is never stored. The key comes from the channel's MLS epoch; a whisper of an epoch that is
// not reached yet, or long gone, cannot be opened and is simply not heard.
import { whispers, type Whisper } from '../protocol/content.ts';
import { MAX_EPHEMERAL_BYTES } from '../protocol/limits.ts';
import type { AccountId, ChannelId, ConversationId, DeviceId } from '../protocol/ids.ts';
import { loadChannel } from './channels.ts';
import type { EngineContext } from './context.ts';
import type { GroupMember, WhisperScope } from './ports.ts';

const EXPORT_LABEL = 'kith ephemeral';
const KEY_BYTES = 32;
const MOST_SCOPES = 200;
/** Epochs of one channel whose whispers are still heard: a commit reaches its members one after the other. */
const EPOCHS_HEARD = 3;

interface Scope extends WhisperScope {
	readonly conversation: ConversationId;
	readonly members: readonly GroupMember[];
}

export interface HeardWhisper {
	readonly conversation: ConversationId;
	readonly channel: ChannelId;
	readonly account: AccountId;
	readonly device: DeviceId;
	readonly whisper: Whisper;
}

export interface WhisperSealer {
	/** Undefined for a channel that is not open here. */
	seal(channel: ChannelId, whisper: Whisper): Promise<Uint8Array | undefined>;
	/** Undefined for anything that is not a whisper of another device in one of the channel's latest epochs. */
	open(channel: ChannelId, sealed: Uint8Array): Promise<HeardWhisper | undefined>;
}

export function createWhisperSealer(
	context: Pick<EngineContext, 'store' | 'groups' | 'crypto' | 'identity'>,
): WhisperSealer {
	/** Newest epoch first. */
	const scopes = new Map<ChannelId, readonly Scope[]>();

	async function scopeOf(channel: ChannelId): Promise<Scope | undefined> {
		const row = await context.store.get('channels', channel);
		if (row?.status !== 'open') return undefined;
		const known = scopes.get(channel) ?? [];
		if (known[0]?.epoch === row.epoch) return known[0];
		const loaded = await loadChannel(context.store, context.groups, channel);
		if (!loaded) return undefined;
		const scope: Scope = {
			channel,
			conversation: loaded.row.conversation,
			epoch: loaded.state.epoch,
			key: await context.groups.exportSecret(loaded.state, EXPORT_LABEL, KEY_BYTES),
			members: context.groups.members(loaded.state),
		};
		if (scopes.size >= MOST_SCOPES) scopes.clear();
		scopes.set(channel, [scope, ...known].slice(0, EPOCHS_HEARD));
		return scope;
	}

	async function openIn(scope: Scope, sealed: Uint8Array): Promise<HeardWhisper | undefined> {
		const opened = await context.crypto.openWhisper(scope, scope.members, sealed);
		if (!opened || opened.from.device === context.identity.device) return undefined;
		const decoded = whispers.decode(opened.payload, MAX_EPHEMERAL_BYTES);
		if (!decoded.ok) return undefined;
		const { channel, conversation } = scope;
		const { account, device } = opened.from;
		return { conversation, channel, account, device, whisper: decoded.value };
	}

	return {
		async seal(channel, whisper) {
			const scope = await scopeOf(channel);
			return scope && context.crypto.sealWhisper(scope, context.identity, whispers.encode(whisper));
		},
		async open(channel, sealed) {
			if (!(await scopeOf(channel))) return undefined;
			for (const scope of scopes.get(channel) ?? []) {
				const heard = await openIn(scope, sealed);
				if (heard) return heard;
			}
			return undefined;
		},
	};
}
