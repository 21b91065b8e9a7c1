// The files that threads are started with. They lie beside the code that starts them, unless a
// bundler has put that code somewhere else.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CodedError } from "./errors.js";

/**
 * The module `path` beside the module at `base`, which is absent in a bundle of CommonJS. Throws
 * CONFIG_INVALID when it is not there: a thread without it would never answer.
 */
export function threadModule(path: string, base: string | undefined): URL {
  const url = base === undefined ? undefined : new URL(path, base);
  if (url !== undefined && existsSync(fileURLToPath(url))) return url;
  throw new CodedError(
    "CONFIG_INVALID",
    `vibecoin-network cannot start its threads: ${path} is not beside its code, as in a bundle; ` +
      "leave the package out of the bundle (esbuild: --external:vibecoin-network)",
  );
}
