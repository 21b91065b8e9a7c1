// The main module of a thread that one actor was placed in: builds its environment, grafts an
// actor system onto the parent's tree and runs the actor in it. Started by thread-link; its
// control plane is a comlink endpoint, its messages go over a Link.

import type { ActorFigures } from "./actor.js";
import type { AnyType } from "./kernel.js";
import type { ThreadControl, ThreadData, ThreadEnvFactory, ThreadStart } from "./thread-control.js";
import type { ModuleExport } from "./thread-control.js";
import { parentPort, workerData } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { System } from "./actor-system.js";
import { systemClock } from "./clock.js";
import { Link } from "./link.js";
import { createSystemRandom } from "./random.js";
import { createScheduler } from "./scheduler.js";
import { workerThreads } from "./thread-link.js";
import { invariant } from "../errors.js";

class Host implements ThreadControl {
  private readonly data: ThreadData;
  private system: System | undefined;

  constructor(data: ThreadData) {
    this.data = data;
  }

  async start({ source, path, uid, args, threads }: ThreadStart): Promise<void> {
    const { port, limits } = this.data;
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
          end();
        },
      },
    );
    const link: Link = new Link(system, port, limits);
    link.onBroken = (error) => {
      link.sendEnd({ error, escalated: false });
      end();
    };
    this.system = system;
    const name = path.slice(path.lastIndexOf("/") + 1);
    system.spawnChild(system, type, link.decode(args), { name, uid });
    link.open();
  }

  stop(): void {
    if (this.system === undefined) end();
    else void this.system.stop();
  }

  figures(): ActorFigures[] {
    return this.system?.figures() ?? [];
  }
}

async function load({ moduleUrl, exportName }: ModuleExport): Promise<unknown> {
  const module = (await import(moduleUrl)) as Record<string, unknown>;
  invariant(module[exportName] !== undefined, `${moduleUrl} exports ${exportName}`);
  return module[exportName];
}

/** Ends this thread alone, whatever its environment still keeps open. */
function end(): void {
  process.exit(0);
}

invariant(parentPort !== null, "the thread host runs in a worker thread");
expose(new Host(workerData as ThreadData), nodeEndpoint(parentPort));
