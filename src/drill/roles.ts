// The processes of a drill, each by its role.

import { attackers } from "./attackers.js";
import { crowd } from "./crowd.js";
import { victim } from "./victim.js";

const roles: Readonly<Record<string, () => unknown>> = { attackers, crowd, victim, twin: victim };
await roles[process.argv[2] ?? ""]?.();
