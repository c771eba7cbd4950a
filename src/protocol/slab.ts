// Memory for many small things that live for a moment. A typed array with a buffer of its own costs most of a
// microsecond, more than all the bytes of a message; so small ones share a buffer.

const SLAB = 16 * 1024;
/** What is larger gets a buffer of its own: it would hold a whole slab back, and little would be gained. */
const SMALL = 4 * 1024;

export class Slab {
	#buffer = new ArrayBuffer(SLAB);
	#used = 0;

	/**
	 * `size` bytes of any content, for the caller to write all of. While they are held, so are up to 16 KiB of what was
	 * taken before and after them; sent to another thread, those go along.
	 */
	take(size: number): Uint8Array<ArrayBuffer> {
		if (size > SMALL) return new Uint8Array(size);
		if (this.#used + size > SLAB) {
			this.#buffer = new ArrayBuffer(SLAB);
			this.#used = 0;
		}
		this.#used += size;
		return new Uint8Array(this.#buffer, this.#used - size, size);
	}

	copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
		const copied = this.take(bytes.length);
		copied.set(bytes);
		return copied;
	}
}
