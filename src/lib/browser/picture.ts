/** Side of a profile picture, px, tried from the first on until one fits. */
const SIDES = [256, 192, 128];
const QUALITIES = [0.85, 0.7, 0.55];

/**
 * The middle square of a picture, small enough for a profile (`limit`: bytes). Undefined when the browser cannot
 * read the file as a picture. Made anew from pixels, so nothing of the file (place, camera) goes along.
 */
export async function squarePicture(file: Blob, limit: number): Promise<Uint8Array | undefined> {
	const source = await createImageBitmap(file).catch(() => undefined);
	if (!source) return undefined;
	const side = Math.min(source.width, source.height);
	const canvas = document.createElement('canvas');
	const context = canvas.getContext('2d');
	if (!context || side === 0) return undefined;
	for (const target of SIDES) {
		canvas.width = canvas.height = target;
		context.imageSmoothingQuality = 'high';
		context.drawImage(
			source,
			...[(source.width - side) / 2, (source.height - side) / 2, side, side],
			...([0, 0, target, target] as const),
		);
		for (const quality of QUALITIES) {
			// Safari cannot write WebP and would answer with a large PNG.
			for (const type of ['image/webp', 'image/jpeg']) {
				const blob = await toBlob(canvas, { type, quality });
				if (blob?.type === type && blob.size <= limit)
					return new Uint8Array(await blob.arrayBuffer());
			}
		}
	}
	return undefined;
}

/** Whether two pictures are the same, byte by byte. */
export function samePicture(one: Uint8Array | null, other: Uint8Array | null): boolean {
	if (one === other) return true;
	if (one?.length !== other?.length) return false;
	return one?.every((byte, at) => byte === other?.[at]) ?? false;
}

function toBlob(
	canvas: HTMLCanvasElement,
	{ type, quality }: { type: string; quality: number },
): Promise<Blob | null> {
	return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}
