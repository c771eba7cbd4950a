import decode from 'qr/decode.js';

/** Side of the picture that is looked at, px: enough for a code on a phone's screen, cheap enough for each look. */
const SIDE = 480;

/** The bytes of the QR code in a frame of the camera, or undefined when there is none. */
export function readQr(video: HTMLVideoElement): Uint8Array | undefined {
	if (video.videoWidth === 0) return undefined;
	const canvas = new OffscreenCanvas(SIDE, SIDE);
	const context = canvas.getContext('2d', { willReadFrequently: true });
	if (!context) return undefined;
	const side = Math.min(video.videoWidth, video.videoHeight);
	const left = (video.videoWidth - side) / 2;
	const top = (video.videoHeight - side) / 2;
	context.drawImage(video, left, top, side, side, 0, 0, SIDE, SIDE);
	return readQrPixels(context.getImageData(0, 0, SIDE, SIDE));
}

/** As above, from RGBA pixels. */
export function readQrPixels(image: {
	readonly width: number;
	readonly height: number;
	readonly data: Uint8ClampedArray;
}): Uint8Array | undefined {
	const parts: Uint8Array[] = [];
	try {
		decode(image, {
			// The code carries bytes, not text: they are taken before anything reads them as text.
			textDecoder: (bytes) => {
				parts.push(bytes.slice());
				return '';
			},
		});
	} catch {
		return undefined;
	}
	const all = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
	let at = 0;
	for (const part of parts) {
		all.set(part, at);
		at += part.length;
	}
	return all.length > 0 ? all : undefined;
}
