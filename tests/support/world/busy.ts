// Counts what is under way behind promises, so that a step of the world can be waited for to its end, and lets what
// takes real time (WebCrypto) end in the order it was begun, so that the same seed always runs the same way.
export class Busy {
	#running = 0;
	#lastTurn: Promise<unknown> = Promise.resolve();

	get isIdle(): boolean {
		return this.#running === 0;
	}

	/** The same object, with every call that returns a promise counted until it settles. */
	watch<Port extends object>(port: Port): Port {
		return wrap(port, (result) => this.#count(result));
	}

	/**
	 * As `watch`, and results come in the order of the calls, each after everything that the one before set off. Not for
	 * calls that wait for others of the same port.
	 */
	order<Port extends object>(port: Port): Port {
		return wrap(port, (result) => this.#count(this.#inTurn(result)));
	}

	#count<Value>(result: Promise<Value>): Promise<Value> {
		this.#running++;
		const done = () => {
			this.#running--;
		};
		result.then(done, done);
		return result;
	}

	#inTurn<Value>(result: Promise<Value>): Promise<Value> {
		const before = this.#lastTurn;
		const ready = result.then(noValue, noValue);
		const turn = before.then(() => ready).then(() => new Promise((resume) => setImmediate(resume)));
		this.#lastTurn = turn;
		return turn.then(() => result);
	}
}

const noValue = () => undefined;

function wrap<Port extends object>(
	port: Port,
	around: (result: Promise<unknown>) => Promise<unknown>,
): Port {
	return new Proxy(port, {
		get: (target, name) => {
			const value: unknown = Reflect.get(target, name, target);
			if (typeof value !== 'function') return value;
			return (...args: unknown[]) => {
				const result: unknown = Reflect.apply(value, target, args);
				if (!(result instanceof Promise)) return result;
				// The keys of a link come with methods of their own, which take their time too.
				return around(result).then((each) => (hasMethods(each) ? wrap(each, around) : each));
			};
		},
	});
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
