// Handing on history, put together: the entries of a backup, for the person's own devices.
import { entryPieces } from '../archive/pieces.ts';
import { historyKeeping } from '../history-keeping.ts';

export const history = historyKeeping(entryPieces);
