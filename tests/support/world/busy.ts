// Counts what is under way behind promises, so that a step of the world can be waited for to its end.
export class Busy {
	#running = 0;

	get isIdle(): boolean {
		return this.#running === 0;
	}

	/** The same object, with every call that returns a promise counted until it settles. */
	watch<Port extends object>(port: Port): Port {
		return new Proxy(port, {
			get: (target, name) => {
				const value: unknown = Reflect.get(target, name, target);
				if (typeof value !== 'function') return value;
				return (...args: unknown[]) => this.#count(Reflect.apply(value, target, args));
			},
		});
	}

	#count(result: unknown): unknown {
		if (!(result instanceof Promise)) return result;
		this.#running++;
		const done = () => void this.#running--;
		result.then(done, done);
		// The keys of a link come with methods of their own, which take their time too.
		return result.then((value: unknown) => (hasMethods(value) ? this.watch(value) : value));
	}
}

function hasMethods(value: unknown): value is object {
	return (
		typeof value === 'object' &&
		value !== null &&
		Object.values(value).some((each) => typeof each === 'function')
	);
}

/** Resolves when nothing is under way in any of them, and nothing was begun by what ended. */
export async function settled(...all: readonly Busy[]): Promise<void> {
	let quiet = 0;
	while (quiet < 3) {
		await new Promise((resolve) => setImmediate(resolve));
		quiet = all.every(({ isIdle }) => isIdle) ? quiet + 1 : 0;
	}
}
