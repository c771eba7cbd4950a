// The next messages of a channel, opened while those before them are being written: the disk and the processor then wait
// for each other less. Opening is a pure step from one state to the next, so nothing follows from it until its turn comes,
// in a transaction that finds on the disk exactly the state that it was begun from. What was opened in vain is let go.
import type { ChannelId } from '../protocol/ids.ts';
import { isSameState, type LoadedChannel } from './channels.ts';
import type { Incoming } from './incoming.ts';
import type { GroupCrypto, OpenedMessage } from './ports.ts';
import type { ChannelRow } from './records.ts';

interface Opening {
	/** As the channel is stored before the first of them. */
	readonly before: ChannelRow;
	readonly messages: readonly Incoming[];
	readonly run: Promise<readonly OpenedMessage[]>;
}

/** Of the messages at the head of what waits: how many were looked at, and those of them that opened plainly. */
interface OpenedHead {
	readonly looked: number;
	readonly plain: readonly OpenedMessage[];
}

export interface OpenedAhead {
	/** Begins to open what follows on `channel`, which is about to be written as it is here. */
	begin(channel: LoadedChannel, next: readonly Incoming[]): void;
	/** Opens `messages`, or as many of the first as were begun with. */
	take(channel: LoadedChannel, messages: readonly Incoming[]): Promise<OpenedHead>;
	forget(channel: ChannelId): void;
}

export function createOpenedAhead(groups: GroupCrypto): OpenedAhead {
	const openings = new Map<ChannelId, Opening>();
	const open = ({ state }: LoadedChannel, messages: readonly Incoming[]) =>
		groups.openRun(
			state,
			messages.map(({ body }) => body),
		);
	return {
		begin(channel, next) {
			const messages = messagesAtHead(next);
			if (messages.length === 0) return;
			const run = open(channel, messages);
			// Whoever takes it hears of a failure; nobody else has to.
			run.catch(() => undefined);
			openings.set(channel.row.channel, { before: channel.row, messages, run });
		},
		async take(channel, messages) {
			const opening = openings.get(channel.row.channel);
			const fits =
				opening !== undefined &&
				isSameState(opening.before, channel.row) &&
				opening.messages.every((each, index) => messages[index] === each);
			if (fits) return { looked: opening.messages.length, plain: await opening.run };
			return { looked: messages.length, plain: await open(channel, messages) };
		},
		forget: (channel) => openings.delete(channel),
	};
}

/** Up to the first that is no message: what comes after a commit is of another epoch. */
export function messagesAtHead(waiting: readonly Incoming[]): readonly Incoming[] {
	const end = waiting.findIndex(({ kind }) => kind !== 'message');
	return end < 0 ? waiting : waiting.slice(0, end);
}
