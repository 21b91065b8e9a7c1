// The attackers' process: runs the attacks that it is told to, all at once, for so long, within its
// share of a core.

import { drillsBy } from "./drills.js";
import { GONE_MS_MAX } from "./drill.js";
import { Field, Refused, type FieldFigures } from "./field.js";
import { serveParent } from "./calls.js";
import { Pace } from "./pace.js";

export interface AttackTask {
  readonly names: readonly string[];
  readonly address: string;
  readonly http: string;
  readonly networkId: string;
  readonly seconds: number;
  /** Of one core, for all of them. */
  readonly cpuShare: number;
  /** Of the numbers that identities and addresses follow from: those of two tasks must not meet. */
  readonly from: number;
}

export interface AttackFigures {
  readonly cpuSeconds: number;
  readonly attacks: readonly { readonly name: string; readonly figures: FieldFigures }[];
}

export type AttackerMethods = { run(task: AttackTask): Promise<AttackFigures> };

/** One attack makes fewer connections than this. */
const NUMBERS = 100_000;

export function attackers(): void {
  const methods: AttackerMethods = {
    async run({ names, seconds, cpuShare, from, ...node }) {
      const pace = new Pace(cpuShare);
      const over = new Promise<void>((resolve) => setTimeout(resolve, seconds * 1_000));
      const attacks = await Promise.all(
        drillsBy(names).map(async ({ name, attack, expects }, index) => {
          const field = new Field({ ...node, pace, over, from: from + index * NUMBERS });
          // An attack that cannot even begin has a fault of its own to tell.
          const faults: string[] = [];
          await attack(field).catch((error: unknown) => {
            if (!(error instanceof Refused)) faults.push(String(error));
          });
          await over;
          const patienceMs = "gone" in expects ? (expects.withinMs ?? GONE_MS_MAX) : 0;
          const figures = await field.finish(patienceMs);
          return { name, figures: { ...figures, faults: [...faults, ...figures.faults] } };
        }),
      );
      return { cpuSeconds: pace.cpuSeconds, attacks };
    },
  };
  serveParent(methods, () => undefined);
}
