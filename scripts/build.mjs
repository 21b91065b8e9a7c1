// `npm run build`: installs what is missing and compiles src, test and bench to dist.

import { prepare } from "./prepare-project.mjs";

await prepare();
