/** Letters alone, without case and marks: "jose" finds "José". */
function plain(text: string): string {
	return text.normalize('NFD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}

/** A test for names: each typed word stands somewhere in it. */
export function nameSearch(typed: string): (name: string) => boolean {
	const words = plain(typed).split(/\s+/u).filter(Boolean);
	return (name) => {
		const found = plain(name);
		return words.every((word) => found.includes(word));
	};
}
