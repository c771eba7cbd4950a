// MQTT 3.1.1 as far as the benchmark needs it: a session that lasts, one topic per device, QoS 1 both ways, so that
// each message is acknowledged by its receiver and answered to its sender.
import { BODY_BYTES, plainBody, Speaker, type Protocol } from './speaker.ts';

const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;
const PINGREQ = Buffer.from([0xc0, 0]);

const text = (value: string) => {
	const bytes = Buffer.from(value);
	return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};

function packet(type: number, ...parts: readonly Buffer[]): Buffer {
	const body = Buffer.concat(parts);
	const length = [];
	for (let left = body.length; left > 0 || length.length === 0; left >>= 7)
		length.push((left & 127) | (left > 127 ? 128 : 0));
	return Buffer.concat([Buffer.from([type, ...length]), body]);
}

const topicOf = (identity: number) => `d/${identity}`;
const templates = new Map<string, Buffer>();
function templateOf(topic: string): Buffer {
	const template =
		templates.get(topic) ?? packet(0x32, text(topic), Buffer.from([0, 0]), plainBody());
	templates.set(topic, template);
	return template;
}

class Client extends Speaker {
	#packet = 0;

	submit(destination: string): void {
		const template = templateOf(destination);
		const { bytes, at } = this.place(template.length);
		template.copy(bytes, at);
		this.#packet = (this.#packet % 0xffff) + 1;
		bytes.writeUInt16BE(this.#packet, at + template.length - BODY_BYTES - 2);
		this.stamp(bytes, at + template.length - BODY_BYTES);
		this.submitted++;
	}

	ping(): void {
		this.write(PINGREQ);
	}

	protected greet(): void {
		const keepAlive = [0, 120];
		const connect = Buffer.from([4, 0, ...keepAlive]);
		this.write(packet(0x10, text('MQTT'), connect, text(`device-${this.identity}`)));
		const subscription = Buffer.concat([text(topicOf(this.identity)), Buffer.from([1])]);
		this.write(packet(0x82, Buffer.from([0, 1]), subscription));
	}

	protected take(bytes: Buffer): number {
		let at = 0;
		for (;;) {
			let [start, size, shift] = [at + 1, 0, 0];
			for (let byte = 128; byte & 128; shift += 7) {
				if (start >= bytes.length) return at;
				byte = bytes[start++] ?? 0;
				size |= (byte & 127) << shift;
			}
			if (start + size > bytes.length) return at;
			this.#packetAt(bytes, { at, start, end: start + size });
			at = start + size;
		}
	}

	#packetAt(bytes: Buffer, { at, start, end }: { at: number; start: number; end: number }): void {
		const type = (bytes[at] ?? 0) >> 4;
		if (type === PUBACK) this.answered++;
		else if (type === PUBLISH) {
			const { bytes: out, at: place } = this.place(4);
			out.set([0x40, 2], place);
			bytes.copy(out, place + 2, end - BODY_BYTES - 2, end - BODY_BYTES);
			this.arrivedAt(bytes, end - BODY_BYTES);
		} else if (type === SUBACK) this.entered();
		else if (type === CONNACK && bytes[start + 1] !== 0) this.fail('CONNACK refused');
	}
}

export const mqtt: Protocol = {
	speaker: (identity) => new Client(identity),
	introduce: (_sender, receivers) =>
		Promise.resolve(receivers.map(({ identity }) => topicOf(identity))),
};
