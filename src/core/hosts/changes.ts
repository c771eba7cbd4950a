// How the contexts of one origin hear of each other: rows that were committed, and words between tabs and the engine.
import type { TouchedChannel } from '../storage/idb-store.ts';
import type { ConversationId, LiveState } from '../model.ts';
import type { Touched } from '../ports.ts';
import type { PushSubscriptionData } from '../../protocol/frames.ts';
import type { Answer } from '../relay-session.ts';

const ROWS = 'kith rows';
const WORDS = 'kith engine';

export function createTouchedChannel(): TouchedChannel {
	const channel = new BroadcastChannel(ROWS);
	return {
		publish: (touched) => channel.postMessage(touched),
		subscribe(listener) {
			channel.onmessage = ({ data }) => listener(data as readonly Touched[]);
			return () => channel.close();
		},
	};
}

/** From tabs to whichever context holds the engine. */
export type ToEngine =
	| { readonly type: 'typing'; readonly conversation: ConversationId; readonly on: boolean }
	| { readonly type: 'hurry' }
	/** A tab says whether it is looked at; repeated, so that a tab that died is forgotten. */
	| { readonly type: 'visible'; readonly tab: string; readonly visible: boolean }
	/** A new tab wants to know how things stand. */
	| { readonly type: 'report' }
	/** A page wants the lock: an engine in the service worker ends. */
	| { readonly type: 'yield' }
	| { readonly type: 'ask'; readonly id: string; readonly question: PushQuestion };

export type PushQuestion =
	| { readonly type: 'vapidKey' }
	| { readonly type: 'setPush'; readonly subscription: PushSubscriptionData | null }
	| { readonly type: 'testPush' };

/** From the engine to all tabs. */
export type FromEngine =
	| { readonly type: 'live'; readonly state: LiveState }
	| { readonly type: 'storage'; readonly full: boolean }
	| { readonly type: 'answer'; readonly id: string; readonly answer: PushAnswer };

export type PushAnswer = { readonly vapidKey: string | undefined } | Answer['type'];

type Word =
	| { readonly to: 'engine'; readonly word: ToEngine }
	| { readonly to: 'tabs'; readonly word: FromEngine };

export interface WordChannel {
	toEngine(word: ToEngine): void;
	toTabs(word: FromEngine): void;
	close(): void;
}

export function openWords(listeners: {
	readonly engine?: (word: ToEngine) => void;
	readonly tabs?: (word: FromEngine) => void;
}): WordChannel {
	const channel = new BroadcastChannel(WORDS);
	channel.onmessage = ({ data }) => {
		const said = data as Word;
		if (said.to === 'engine') listeners.engine?.(said.word);
		else listeners.tabs?.(said.word);
	};
	return {
		toEngine: (word) => channel.postMessage({ to: 'engine', word } satisfies Word),
		toTabs: (word) => channel.postMessage({ to: 'tabs', word } satisfies Word),
		close: () => channel.close(),
	};
}
