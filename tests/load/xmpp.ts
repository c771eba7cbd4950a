// XMPP as far as the benchmark needs it: an account registered in band, PLAIN, and stream management (XEP-0198) both
// ways. The sender asks for an acknowledgement after each message; the receiver answers each request of the server.
import { BODY_BYTES, plainBody, Speaker, type Protocol } from './speaker.ts';

const DOMAIN = 'localhost';
const SM = "xmlns='urn:xmpp:sm:3'";
const REQUEST = `<r ${SM}/>`;
const MESSAGE_END = Buffer.from('</message>');
const BODY_START = Buffer.from('<body>');
const BODY_LENGTH = BODY_START.length;

const nameOf = (identity: number) => `d${identity}`;
const templates = new Map<string, Buffer>();
function templateOf(to: string): Buffer {
	const template =
		templates.get(to) ??
		Buffer.from(
			`<message to='${to}' type='chat'><body>${plainBody().toString('latin1')}</body></message>${REQUEST}`,
		);
	templates.set(to, template);
	return template;
}

/** What is said after each thing that the server says, until mail may come. */
const known = new Set<number>();

class Account extends Speaker {
	#step: 'open' | 'register' | 'auth' | 'reopen' | 'bind' | 'enable' | 'in' = 'open';
	#handled = 0;
	#acknowledged = 0;

	submit(destination: string): void {
		const template = templateOf(destination);
		const { bytes, at } = this.place(template.length);
		template.copy(bytes, at);
		const body =
			template.length - REQUEST.length - MESSAGE_END.length - '</body>'.length - BODY_BYTES;
		this.stamp(bytes, at + body);
		this.submitted++;
	}

	ping(): void {
		this.#say(' '); // whitespace keep-alive (RFC 6120 4.6.1)
	}

	protected greet(): void {
		this.#step = 'open';
		this.#handled = 0;
		this.#acknowledged = 0;
		this.#stream();
	}

	protected take(bytes: Buffer): number {
		const end = bytes.lastIndexOf(62) + 1; // whole tags only
		const whole = bytes.subarray(0, end);
		if (this.#step !== 'in') return this.#enter(whole.toString('latin1')) ? end : 0;
		// A message may be cut after one of its tags: what follows the last whole one waits.
		let used = 0;
		for (let at = whole.indexOf(MESSAGE_END); at >= 0; at = whole.indexOf(MESSAGE_END, used)) {
			const body = whole.indexOf(BODY_START, used);
			if (body >= 0 && body < at) this.arrivedAt(whole, body + BODY_LENGTH);
			this.#handled++;
			used = at + MESSAGE_END.length;
		}
		const tail = whole.subarray(used);
		const open = tail.indexOf('<message');
		const stanzas = open < 0 ? whole : whole.subarray(0, used + open);
		this.#management(stanzas.toString('latin1'));
		return stanzas.length;
	}

	#management(said: string): void {
		if (said.includes('<r ')) this.#say(`<a ${SM} h='${this.#handled}'/>`);
		const at = said.lastIndexOf('<a ');
		const h = at < 0 ? undefined : /h='(\d+)'/.exec(said.slice(at))?.[1];
		if (h !== undefined) {
			this.answered += Number(h) - this.#acknowledged;
			this.#acknowledged = Number(h);
		}
		if (said.includes('<stream:error')) this.fail(said.slice(said.indexOf('<stream:error')));
		this.#handled += (said.match(/<(presence|iq)[ >]/g) ?? []).length;
	}

	/** One step of the login; false while the server has not said enough. */
	#enter(said: string): boolean {
		const name = nameOf(this.identity);
		if (said.includes('<failure') || said.includes('<stream:error')) this.fail(said);
		if (this.#step === 'open' && said.includes('</stream:features>')) {
			this.#step = known.has(this.identity) ? 'auth' : 'register';
			if (this.#step === 'auth') this.#authenticate();
			else
				this.#say(
					`<iq type='set' id='g'><query xmlns='jabber:iq:register'><username>${name}</username><password>secret</password></query></iq>`,
				);
		} else if (this.#step === 'register' && said.includes("id='g'")) {
			known.add(this.identity);
			this.#step = 'auth';
			this.#authenticate();
		} else if (this.#step === 'auth' && said.includes('<success')) {
			this.#step = 'reopen';
			this.#stream();
		} else if (this.#step === 'reopen' && said.includes('</stream:features>')) {
			this.#step = 'bind';
			this.#say(
				"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>k</resource></bind></iq>",
			);
		} else if (this.#step === 'bind' && said.includes("id='b'")) {
			this.#step = 'enable';
			this.#say(`<enable ${SM}/>`);
		} else if (this.#step === 'enable' && said.includes('<enabled')) {
			this.#step = 'in';
			this.#say('<presence/>');
			this.#acknowledged = 1;
			this.entered();
		} else return false;
		return true;
	}

	#authenticate(): void {
		const plain = Buffer.from(`\0${nameOf(this.identity)}\0secret`).toString('base64');
		this.#say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${plain}</auth>`);
	}

	#stream(): void {
		this.#say(
			`<stream:stream to='${DOMAIN}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`,
		);
	}

	#say(words: string): void {
		this.write(Buffer.from(words));
	}
}

export const xmpp: Protocol = {
	speaker: (identity) => new Account(identity),
	introduce: (_sender, receivers) =>
		Promise.resolve(receivers.map(({ identity }) => `${nameOf(identity)}@${DOMAIN}`)),
};
