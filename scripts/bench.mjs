// `npm run bench -- NAME [options]`: prepares the project and runs a bench; without a name it
// lists the benches.

import { prepare, runNode } from "./prepare-project.mjs";

await prepare();
process.exitCode = await runNode("dist/bench/main.js", process.argv.slice(2));
