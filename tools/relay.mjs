// `npm run relay -- COMMAND`: the operator's commands, on the project's own Node. Runs on Node 20.
import { at, NODE, run } from './install.mjs';

process.exit(run(NODE, [at('server/command.ts'), ...process.argv.slice(2)]) ?? 1);
