// How the app looks and speaks: theme, size of text, motion, language. Kept beside the store too, so that the
// first picture already has it.
import type { Settings } from '../../core/model.ts';
import {
	getTextDirection,
	isLocale,
	locales,
	overwriteGetLocale,
	type Locale,
} from '../paraglide/runtime.js';
import { createFormats } from '../text/formats.ts';

type LookSettings = Pick<Settings, 'theme' | 'textScale' | 'lessMotion' | 'locale'>;

const KEY = 'kith.look';

export class Look {
	#settings = $state.raw<LookSettings>({
		theme: 'system',
		textScale: 100,
		lessMotion: false,
		locale: undefined,
	});
	readonly locale: Locale = $derived(chooseLocale(this.#settings.locale, navigator.languages));
	readonly direction = $derived(getTextDirection(this.locale));
	readonly formats = $derived(createFormats(regionalTag(this.locale, navigator.languages)));

	readonly #storage: Storage | undefined;

	constructor(storage: Storage | undefined) {
		this.#storage = storage;
		this.#settings = { ...this.#settings, ...readKept(storage) };
		// Messages read the locale through this, so that a change of language redraws what shows them.
		overwriteGetLocale(() => this.locale);
	}

	use(settings: LookSettings): void {
		const { theme, textScale, lessMotion, locale } = settings;
		this.#settings = { theme, textScale, lessMotion, locale };
		try {
			this.#storage?.setItem(KEY, JSON.stringify(this.#settings));
		} catch {
			// Full or forbidden: the next start shows the system's look for a moment.
		}
	}

	/** Call inside an effect. */
	apply(root: HTMLElement): void {
		const { theme, textScale, lessMotion } = this.#settings;
		if (theme === 'system') delete root.dataset.theme;
		else root.dataset.theme = theme;
		if (lessMotion) root.dataset.motion = 'less';
		else delete root.dataset.motion;
		root.style.fontSize = textScale === 100 ? '' : `${textScale}%`;
		root.lang = this.locale;
		root.dir = this.direction;
	}
}

/** The wanted language, else the first of the browser's that the app speaks, else English. */
export function chooseLocale(wanted: string | undefined, browser: readonly string[]): Locale {
	for (const tag of [...(wanted === undefined ? [] : [wanted]), ...browser]) {
		const language = tag.split('-')[0] ?? '';
		if (isLocale(language)) return language;
	}
	return locales[0];
}

/** The browser's own regional tag of that language, so that dates follow the country. */
function regionalTag(locale: Locale, browser: readonly string[]): string {
	return browser.find((tag) => tag.split('-')[0] === locale) ?? locale;
}

function readKept(storage: Storage | undefined): Partial<LookSettings> {
	try {
		const kept: unknown = JSON.parse(storage?.getItem(KEY) ?? '{}');
		if (typeof kept !== 'object' || kept === null) return {};
		const found = kept as Record<string, unknown>;
		return {
			...(found.theme === 'light' || found.theme === 'dark' ? { theme: found.theme } : {}),
			...(typeof found.textScale === 'number' && found.textScale >= 50 && found.textScale <= 300
				? { textScale: found.textScale }
				: {}),
			...(found.lessMotion === true ? { lessMotion: true } : {}),
			...(typeof found.locale === 'string' ? { locale: found.locale } : {}),
		};
	} catch {
		return {};
	}
}
