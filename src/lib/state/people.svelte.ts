// What everybody is called: oneself, the people one talks with, and those known only from a group.
import { SvelteMap } from 'svelte/reactivity';
import type { Client } from '../../core/client.ts';
import type { AccountId, Conversation, Me, Profile } from '../../core/model.ts';
import { samePicture } from '../browser/picture.ts';
import { m } from '../paraglide/messages.js';
import { shortName } from '../text/isolate.ts';

interface Known {
	readonly me: Me | undefined;
	readonly conversations: readonly Conversation[];
	readonly client: Pick<Client, 'profiles'>;
}

export class People {
	readonly #known: Known;
	readonly #met = new SvelteMap<AccountId, Profile>();
	readonly #profiles: ReadonlyMap<AccountId, Profile>;
	/** First names that two or more of them have. */
	readonly #shared: ReadonlySet<string>;
	/** Asked for in this moment; read together. */
	readonly #wanted = new Set<AccountId>();

	/** `known` is reactive: what it answers is asked again when it changes. */
	constructor(known: Known) {
		this.#known = known;
		this.#profiles = $derived(profilesOf(this.#known, this.#met));
		this.#shared = $derived(sharedNames(this.#profiles.values()));
	}

	/** Remembers people of a group. */
	meet(account: AccountId, profile: Profile): void {
		const before = this.#met.get(account);
		if (before?.name === profile.name && samePicture(before.picture, profile.picture)) return;
		this.#met.set(account, profile);
	}

	/**
	 * Undefined for who left before this device learned who it was, and for a moment for those who are in no group that was
	 * looked at: they are looked up.
	 */
	profile(account: AccountId): Profile | undefined {
		const known = this.#profiles.get(account);
		if (!known) this.#lookUp(account);
		return known;
	}

	name(account: AccountId): string {
		return this.profile(account)?.name ?? m.former_member();
	}

	/** The first name, or the whole where somebody else has the same first name. */
	callName(account: AccountId): string {
		const name = this.name(account);
		if (!this.#profiles.has(account)) return name;
		const short = shortName(name);
		return this.#shared.has(short) ? name : short;
	}

	#lookUp(account: AccountId): void {
		this.#wanted.add(account);
		if (this.#wanted.size > 1) return; // they are read in a moment
		queueMicrotask(() => {
			const wanted = [...this.#wanted];
			this.#wanted.clear();
			void this.#known.client.profiles(wanted).then((found) => {
				for (const each of found) this.meet(each.account, each.profile);
			});
		});
	}
}

function profilesOf(
	{ me, conversations }: Known,
	met: ReadonlyMap<AccountId, Profile>,
): ReadonlyMap<AccountId, Profile> {
	const profiles = new Map(met);
	for (const { subject } of conversations) {
		if (subject.kind === 'person') profiles.set(subject.person.account, subject.person.profile);
	}
	if (me) profiles.set(me.account, me.profile);
	return profiles;
}

function sharedNames(profiles: Iterable<Profile>): ReadonlySet<string> {
	const once = new Set<string>();
	const shared = new Set<string>();
	for (const { name } of profiles) {
		const short = shortName(name);
		if (once.has(short)) shared.add(short);
		once.add(short);
	}
	return shared;
}
