// `npm run format [-- PATH ...]`: rewrites files in the project's format.

import { prepareTools, runNode, tool } from "./prepare-project.mjs";

await prepareTools();
const paths = process.argv.slice(2);
const targets = paths.length > 0 ? paths : ["."];
process.exitCode = await runNode(tool("prettier"), ["--write", "--log-level=warn", ...targets]);
