// The main module of a thread that one actor was placed in: builds its environment, grafts an
// actor system onto the parent's tree and runs the actor in it. Started by thread-link; its
// control plane is a comlink endpoint, its messages go over a Link.

import type { ActorFigures } from "./actor.js";
import type { AnyType } from "./kernel.js";
import type { ModuleExport, ThreadControl, ThreadEnvFactory } from "./thread-control.js";
import type { ThreadStart } from "./thread-control.js";
import type { MessagePort } from "node:worker_threads";
import { System } from "./actor-system.js";
import { systemClock } from "./clock.js";
import { Link, type LinkLimits } from "./link.js";
import { createSystemRandom } from "./random.js";
import { createScheduler } from "./scheduler.js";
import { workerThreads } from "./thread-link.js";
import { outcomeOf, type Outcome } from "./thread-outcome.js";
import { endThread, hostThread } from "./thread-side.js";
import { invariant } from "../errors.js";

class Host implements ThreadControl {
  private readonly port: MessagePort;
  private readonly limits: LinkLimits;
  private system: System | undefined;

  constructor(port: MessagePort, limits: LinkLimits) {
    this.port = port;
    this.limits = limits;
  }

  start(start: ThreadStart): Promise<Outcome<void>> {
    return outcomeOf(() => this.run(start));
  }

  stop(): void {
    if (this.system === undefined) endThread(false);
    else void this.system.stop();
  }

  figures(): Promise<Outcome<readonly ActorFigures[]>> {
    return outcomeOf(() => this.system?.figures() ?? []);
  }

  private async run({ source, path, uid, args, threads }: ThreadStart): Promise<void> {
    const { options, ...envModule } = threads.envModule;
    const clock = systemClock;
    const random = createSystemRandom();
    const createEnv = (await load(envModule)) as ThreadEnvFactory<unknown>;
    const env = await createEnv(options, { clock, random });
    const type = (await load(source)) as AnyType;
    const system: System = new System(
      {
        env,
        clock,
        random,
        scheduler: createScheduler(clock),
        onFault: (report) => link.report(report),
        threads: workerThreads(threads),
      },
      {
        path,
        locate: (other, otherUid) => link.locate(other, otherUid),
        ended: (error, escalated) => {
          link.sendEnd({ error, escalated });
          endThread(error !== undefined);
        },
      },
    );
    const link: Link = new Link(system, this.port, this.limits);
    link.onBroken = (error) => {
      link.sendEnd({ error, escalated: false });
      endThread(true);
    };
    this.system = system;
    const name = path.slice(path.lastIndexOf("/") + 1);
    system.spawnChild(system, type, link.decode(args), { name, uid });
    link.open();
  }
}

async function load({ moduleUrl, exportName }: ModuleExport): Promise<unknown> {
  const module = (await import(moduleUrl)) as Record<string, unknown>;
  invariant(module[exportName] !== undefined, `${moduleUrl} exports ${exportName}`);
  return module[exportName];
}

hostThread<LinkLimits>((port, limits) => new Host(port, limits));
