// `npm run lint`: every check but the tests. publint looks at the built package, so this builds.

import { runChecks } from "./checks.mjs";
import { prepare } from "./prepare-project.mjs";

await prepare();
const { failed } = await runChecks({ fresh: true });
process.exitCode = failed === 0 ? 0 : 1;
