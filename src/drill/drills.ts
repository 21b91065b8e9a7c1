// Every drill by name: an attack for each threat that docs/drill.md lists.

import { CodedError } from "../errors.js";
import type { Drill } from "./drill.js";
import { ADDRESSES } from "./attacks/addresses.js";
import { CONNECTING } from "./attacks/connecting.js";
import { FRAMES } from "./attacks/frames.js";
import { GOSSIP } from "./attacks/gossip.js";
import { LYING } from "./attacks/lying.js";
import { SERVING } from "./attacks/serving.js";

export const DRILLS: readonly Drill[] = [
  ...CONNECTING,
  ...FRAMES,
  ...SERVING,
  ...ADDRESSES,
  ...LYING,
  ...GOSSIP,
];

/** `all`, or names. Throws CONFIG_INVALID for one that is none. */
export function drillsBy(names: readonly string[]): readonly Drill[] {
  if (names.length === 1 && names[0] === "all") return DRILLS;
  return names.map((name) => {
    const drill = DRILLS.find((each) => each.name === name);
    if (drill !== undefined) return drill;
    const shown = JSON.stringify(name.slice(0, 64));
    throw new CodedError("CONFIG_INVALID", `There is no drill ${shown}: --list names them.`);
  });
}
