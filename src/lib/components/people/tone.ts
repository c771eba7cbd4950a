import type { AccountId, ConversationId } from '../../../core/model.ts';

/** How somebody's key looks: the same on every screen, and hard to imitate by choosing a name. */
export interface KeyLook {
	/** 1 to 12. */
	readonly tone: number;
	/** Of the gradient, in degrees. */
	readonly angle: number;
	/** Centre of the darker disc, in per cent. */
	readonly x: number;
	readonly y: number;
}

/** Reads the first four bytes of the account's key, or of what stands for a group. */
export function keyLook(account: AccountId | ConversationId): KeyLook {
	const start = atob(account.slice(0, 8).replaceAll('-', '+').replaceAll('_', '/'));
	const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = Array.from(start, (each) => each.charCodeAt(0));
	return {
		tone: (b0 % 12) + 1,
		angle: 110 + Math.round((b1 / 255) * 120),
		x: Math.round((b2 / 255) * 100),
		y: Math.round((b3 / 255) * 100),
	};
}
