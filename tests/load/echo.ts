// What the generator can do at most: a server on the same library that stores nothing, routes nothing and checks
// nothing. It greets, and answers each submit at once with a delivery and `accepted` on the same connection.
import { App, us_socket_local_port } from 'uWebSockets.js';
import { downFrames } from '../../src/protocol/frames.ts';
import { idFrom, type ChannelId, type EnvelopeId } from '../../src/protocol/ids.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts';
import { plainBody } from './speaker.ts';

const ACCEPTED = Uint8Array.of(0x82, 0x18, 0x45);
const LOGIN = 1;
const SUBMIT = 2;
const ACKNOWLEDGE = 6;
const bytes = (count: number) => new Uint8Array(count);

const hello = downFrames.encode({
	...{ type: 'hello', version: PROTOCOL_VERSION, floor: PROTOCOL_VERSION },
	...{ challenge: bytes(32), time: 0 },
});
const ready = downFrames.encode({
	...{ type: 'ready', software: 'echo', vapidKey: null, iceServers: [], retention: 0 },
});
const caughtUp = downFrames.encode({ type: 'caughtUp' });
const delivery = downFrames.encode({
	...{ type: 'deliver', seq: 1_000_000, kind: 'message', envelope: idFrom<EnvelopeId>(bytes(16)) },
	...{ channel: idFrom<ChannelId>(bytes(16)), epoch: 1, at: 0, body: plainBody() },
});

App()
	.ws('/v1/socket', {
		open: (ws) => void ws.send(hello, true),
		message: (ws, message) => {
			const frame = new Uint8Array(message);
			if (frame[1] === ACKNOWLEDGE) return;
			if (frame[1] === LOGIN) {
				ws.send(ready, true);
				ws.send(caughtUp, true);
				return;
			}
			if (frame[1] === SUBMIT) ws.send(delivery, true);
			// The number of the request stands second in each frame that has one; the generator's take five bytes.
			ws.send(Buffer.concat([ACCEPTED, frame.subarray(2, 7)]), true);
		},
	})
	.listen('127.0.0.1', 0, (socket) => {
		if (socket) console.log(us_socket_local_port(socket));
	});
