/** Letters alone, without case and marks: "jose" finds "José". */
function plain(text: string): string {
	return text.normalize('NFD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}

function wordsOf(text: string): string[] {
	return plain(text).split(/\s+/u).filter(Boolean);
}

/** A test for names: each typed word begins one of theirs. */
export function nameStart(typed: string): (name: string) => boolean {
	const words = wordsOf(typed);
	return (name) => {
		const found = wordsOf(name);
		return words.every((word) => found.some((each) => each.startsWith(word)));
	};
}

/** A test for names: each typed word stands somewhere in it. */
export function nameSearch(typed: string): (name: string) => boolean {
	const words = wordsOf(typed);
	return (name) => {
		const found = plain(name);
		return words.every((word) => found.includes(word));
	};
}
