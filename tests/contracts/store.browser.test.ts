// The store in a real browser's IndexedDB: its own connection rules, its own quota, and tabs that hear each other.
import { createTouchedChannel } from '../../src/core/hosts/changes.ts';
import { idbRules, openIdbSubject } from './idb-store.ts';
import { storeContract } from './store.ts';

// Chromium asks for an overridden quota only now and then, so the rule about having no room is proven by the others.
storeContract('IndexedDB of the browser', () => openIdbSubject(createTouchedChannel));
idbRules();
